import {
  ATTOMEMO_PER_MEMO,
  createCachedChain,
  depositEscrow,
  devnetParams,
  ensurePledge,
  type MemoChain,
  registerKeeper,
  registerProvider,
  registerUser,
  transferMemo,
} from '@memo/chain'
import { deployNetwork } from '@memo/chain/testing'
import { type Chain, type Clock, createKeySigner, type Handler, type Signer } from '@memo/core'
import { createMemoryIndexStore, createMemoryPieceStore } from '@memo/core/testing'
import { createDevnet, type Devnet } from '@memo/devnet'
import { createMemoDid, type MemoDid } from '@memo/did'
import { createKeeper, createProvider } from '@memo/node'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  type HttpTransport,
  type ServedHandler,
  serveHandler,
} from '@memo/platform'

const GENESIS_WEI = 10n ** 22n
const ESCROW_ATTO = 100n * ATTOMEMO_PER_MEMO
const PLEDGE_ATTO = 1_000n * ATTOMEMO_PER_MEMO
const CHAIN_CACHE_MS = 2_000
const CAPACITY_BYTES = 2 ** 33
const PROVIDERS = 4
/** Gateways of tests without an escrow store without orders. */
const FREE = { limits: { unpaidBytesPerAccount: CAPACITY_BYTES } }
const KEEPERS = 3
/** Test keys: 32 equal bytes and a number. */
const DEPLOYER_KEY: Uint8Array = testKey(1)
export const GATEWAY_KEY: Uint8Array = testKey(2)

/** A node of the network that can be unplugged. */
export type TestNode = {
  readonly endpoint: string
  /** While true it breaks every connection. */
  isDown: boolean
}

/** A whole network in this process: a chain with MEMO's contracts, and nodes on sockets of this machine. */
export type TestNetwork = {
  /** With the deployer's account, who governs and has all tokens. */
  readonly chain: MemoChain
  /** With the gateway's account, who is the seller of space and traffic. */
  readonly gatewayChain: MemoChain
  readonly devnet: Devnet
  readonly http: HttpTransport
  readonly providers: readonly TestNode[]
  readonly keepers: readonly TestNode[]
  /** The same network with another sender. */
  connect(secretKey: Uint8Array): Promise<MemoChain>
  newDid(): Promise<{ readonly did: MemoDid; readonly master: Signer; readonly secretKey: Uint8Array }>
  close(): Promise<void>
}

/** A test key that is nobody else's. */
export function testKey(number: number): Uint8Array {
  const key = new Uint8Array(32).fill(0x51)
  new DataView(key.buffer).setUint32(28, number)
  return key
}

export async function startNetwork(
  options: {
    /** By which the chain dates its blocks. */
    readonly chainClock?: Clock
  } = {},
): Promise<TestNetwork> {
  const keysOf = (first: number, count: number) => Array.from({ length: count }, (_, index) => testKey(first + index))
  const providerKeys = keysOf(10, PROVIDERS)
  const keeperKeys = keysOf(30, KEEPERS)
  const everybody = [DEPLOYER_KEY, GATEWAY_KEY, ...providerKeys, ...keeperKeys]
  const genesisAlloc = Object.fromEntries(everybody.map((key) => [createKeySigner(key).address, GENESIS_WEI]))
  const devnet = await createDevnet({ genesisAlloc, ...(options.chainClock && { clock: options.chainClock }) })
  const seller = createKeySigner(GATEWAY_KEY).address
  const params = { ...devnetParams, market: { ...devnetParams.market, seller } }
  const { owner: chain, connect } = await deployNetwork(devnet, { deployerKey: DEPLOYER_KEY, params })
  const cached = createCachedChain(chain, createSystemClock(), CHAIN_CACHE_MS)

  const http = createHttpTransport()
  const undo: (() => Promise<void>)[] = [async () => await devnet.close(), async () => await http.close()]
  const join = async (role: 'provider' | 'keeper', key: Uint8Array): Promise<TestNode> => {
    const own = await connect(key)
    const node = createNode(role, key, cached, http)
    const server = await serve(node)
    undo.push(async () => {
      await server.close()
      await node.stop()
    })
    const contact = { endpoint: server.url, operator: 'test', region: 'here' }
    const { addresses } = own
    await transferMemo(chain.client, { addresses, to: createKeySigner(key).address, amountAtto: PLEDGE_ATTO })
    if (role === 'keeper') await registerKeeper(own.client, { addresses, contact })
    else {
      const offer = { capacityBytes: CAPACITY_BYTES, storagePriceAttoPerGiBSecond: 1n, retrievalPriceAttoPerByte: 1n }
      await registerProvider(own.client, { addresses, contact, offer })
    }
    await ensurePledge(own.client, { addresses })
    await node.start()
    return node
  }
  const gateway = await connect(GATEWAY_KEY)
  await registerUser(gateway.client, { addresses: gateway.addresses })
  const escrow = { addresses: chain.addresses, amountAtto: ESCROW_ATTO, beneficiary: seller }
  await depositEscrow(chain.client, escrow)
  const providers: TestNode[] = []
  for (const key of providerKeys) providers.push(await join('provider', key))
  const keepers: TestNode[] = []
  for (const key of keeperKeys) keepers.push(await join('keeper', key))

  let dids = 0
  return {
    chain,
    gatewayChain: gateway,
    connect,
    devnet,
    http,
    providers,
    keepers,
    async newDid() {
      dids += 1
      const secretKey = testKey(1_000 + dids)
      const master = createKeySigner(secretKey)
      return { did: await createMemoDid(chain, master), master, secretKey }
    },
    async close() {
      for (const step of undo.reverse()) await step()
    },
  }
}

type RunningNode = TestNode & {
  endpoint: string
  readonly handler: Handler
  start(): Promise<void>
  stop(): Promise<void>
}

function createNode(role: 'provider' | 'keeper', key: Uint8Array, chain: Chain, http: HttpTransport): RunningNode {
  const ports = {
    network: chain.network,
    chain,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    signer: createKeySigner(key),
    index: createMemoryIndexStore(),
  }
  const node =
    role === 'keeper'
      ? createKeeper({ ...ports, transport: http.transport, limits: { probeIntervalMs: 500, feedPollMs: 1_000 } })
      : createProvider({ ...ports, ...FREE, transport: http.transport, pieces: createMemoryPieceStore() })
  const { handler, start, stop } = node
  return { endpoint: '', isDown: false, handler, start, stop }
}

async function serve(node: RunningNode): Promise<ServedHandler> {
  const handler: Handler = async (request) => {
    if (!node.isDown) return await node.handler(request)
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.reject(new TypeError('unplugged'))
    }
    return { status: 200, headers: {}, body: body() }
  }
  const server = await serveHandler(handler, { port: 0, limits: { closeGraceMs: 200 } })
  node.endpoint = server.url
  return server
}
