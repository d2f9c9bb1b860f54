import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ATTOMEMO_PER_MEMO,
  depositEscrow,
  ensurePledge,
  type MemoChain,
  registerKeeper,
  registerProvider,
  registerUser,
  setEndpoint,
} from '@memo/chain'
import { deployNetwork, quickOrderParams } from '@memo/chain/testing'
import {
  type Address,
  type Clock,
  createKeySigner,
  createProviderClient,
  type ProviderClient,
  type Signer,
} from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import { createMemoDid, type MemoDid } from '@memo/did'
import { type NodeDaemonOptions, type ProviderLimits, runKeeperDaemon, runProviderDaemon } from '@memo/node'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  type HttpTransport,
} from '@memo/platform'
import { testKey } from './network.ts'

const COIN_WEI = 10n ** 18n
const CAPACITY_BYTES = 2 ** 34
export const STORAGE_PRICE: bigint = 10n ** 9n
export const READ_PRICE = 1_000n
export const ESCROW_ATTO: bigint = 100n * ATTOMEMO_PER_MEMO
const DEPLOYER_KEY = testKey(1)

/** A provider that runs as it does in a process of its own, and its own word about what it earned. */
export type PaidProvider = { readonly address: Address; readonly client: ProviderClient }

/** A network in which nothing is stored or read for nothing: real contracts, real daemons, one process. */
export type MoneyNetwork = {
  readonly devnet: Devnet
  readonly owner: MemoChain
  readonly http: HttpTransport
  readonly providers: readonly PaidProvider[]
  /** A User with an escrow. */
  joinUser(secretKey: Uint8Array): Promise<MemoChain>
  newDid(): Promise<{ readonly did: MemoDid; readonly master: Signer }>
  close(): Promise<void>
}

export async function startMoneyNetwork(options: {
  readonly providers: number
  readonly limits: Partial<ProviderLimits>
  /** Who sells space and traffic; nobody of this network where nothing is said. */
  readonly seller?: Address
  /** By which the chain dates its blocks. */
  readonly chainClock?: Clock
}): Promise<MoneyNetwork> {
  const deployer = createKeySigner(DEPLOYER_KEY).address
  const devnet = await createDevnet({
    genesisAlloc: { [deployer]: 1_000_000n * COIN_WEI },
    ...(options.chainClock && { clock: options.chainClock }),
  })
  const market = { ...quickOrderParams.market, ...(options.seller && { seller: options.seller }) }
  const { owner, join: joinAccount } = await deployNetwork(devnet, {
    deployerKey: DEPLOYER_KEY,
    params: { ...quickOrderParams, market },
  })
  const { addresses } = owner
  const home = await mkdtemp(join(tmpdir(), 'memo-paid-'))
  const http = createHttpTransport()
  const stopping = new AbortController()
  const running: Promise<void>[] = []

  const run = async (secretKey: Uint8Array, start: (daemon: NodeDaemonOptions) => Promise<void>): Promise<string> => {
    const ready = Promise.withResolvers<string>()
    const ended = start({
      dataDir: join(home, createKeySigner(secretKey).address),
      rpcUrl: 'in-process',
      rpcProvider: devnet,
      registry: owner.network.registry,
      secretKey,
      host: '127.0.0.1',
      port: 0,
      onEvent(event) {
        if (event.type === 'ready') ready.resolve(String(event.url))
      },
      signal: stopping.signal,
    })
    running.push(ended)
    ended.catch((thrown: unknown) => ready.reject(thrown))
    return await ready.promise
  }
  const contact = { endpoint: 'http://127.0.0.1:1', operator: 'test', region: 'here' }
  const startProvider = async (number: number): Promise<PaidProvider> => {
    const secretKey = testKey(number)
    const chain = await joinAccount(secretKey)
    const { address } = createKeySigner(secretKey)
    const offer = {
      capacityBytes: CAPACITY_BYTES,
      storagePriceAttoPerGiBSecond: STORAGE_PRICE,
      retrievalPriceAttoPerByte: READ_PRICE,
    }
    await registerProvider(chain.client, { addresses, contact, offer })
    await ensurePledge(chain.client, { addresses })
    const endpoint = await run(secretKey, async (daemon) => {
      await runProviderDaemon({ ...daemon, limits: { attoPerGasWei: 0n, ...options.limits } })
    })
    await setEndpoint(chain.client, { addresses, endpoint })
    const ports = {
      network: owner.network,
      money: owner.money,
      transport: http.transport,
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandomness(),
      signer: createKeySigner(secretKey),
    }
    return { address, client: createProviderClient(ports, { address, endpoint }) }
  }
  const startKeeper = async (number: number) => {
    const secretKey = testKey(number)
    const chain = await joinAccount(secretKey)
    await registerKeeper(chain.client, { addresses, contact })
    await ensurePledge(chain.client, { addresses })
    const endpoint = await run(secretKey, async (daemon) => {
      await runKeeperDaemon({ ...daemon, limits: { probeIntervalMs: 500, feedPollMs: 500 } })
    })
    await setEndpoint(chain.client, { addresses, endpoint })
  }
  const providers: PaidProvider[] = []
  for (let i = 0; i < options.providers; i++) providers.push(await startProvider(10 + i))
  for (let i = 0; i < 3; i++) await startKeeper(30 + i)

  let dids = 0
  return {
    devnet,
    owner,
    http,
    providers,
    async joinUser(secretKey) {
      const chain = await joinAccount(secretKey)
      await registerUser(chain.client, { addresses })
      await depositEscrow(chain.client, { addresses, amountAtto: ESCROW_ATTO })
      return chain
    },
    async newDid() {
      dids += 1
      const master = createKeySigner(testKey(1_000 + dids))
      return { did: await createMemoDid(owner, master), master }
    },
    async close() {
      stopping.abort()
      await Promise.allSettled(running)
      await http.close()
      await devnet.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}
