import {
  type Address,
  type ClientPorts,
  createKeeperClient,
  createKeySigner,
  createPieceHasher,
  createProviderClient,
  type Handler,
  type KeeperClient,
  type PieceDigest,
  type ProviderClient,
  type Receipt,
  type Signer,
  signRequest,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import {
  createMemoryDisk,
  createMemoryNetwork,
  createScriptedChain,
  createSeededRandomness,
  createVirtualTime,
  type MemoryDisk,
  type MemoryNetwork,
  type ScriptedChain,
  type SeededRandomness,
  TEST_MONEY,
  TEST_NETWORK,
  type VirtualTime,
} from '@memo/core/testing'
import {
  createKeeper,
  createProvider,
  type Keeper,
  type KeeperLimits,
  type KeeperMoney,
  type NodeEvent,
  type Provider,
  type ProviderLimits,
  type ProviderMoney,
} from '../../src/index.ts'

/** A network in one process under virtual time. */
export type World = {
  readonly time: VirtualTime
  readonly random: SeededRandomness
  readonly chain: ScriptedChain
  readonly net: MemoryNetwork
  /** An active user with a key of its own. */
  user(name: string): Signer
  /** A key that the chain does not know. */
  stranger(name: string): Signer
  ports(signer?: Signer, from?: string): ClientPorts
  provider(name: string, options?: ProviderNodeOptions): ProviderNode
  keeper(name: string, options?: KeeperNodeOptions): KeeperNode
}

export type ProviderNodeOptions = {
  readonly limits?: Partial<ProviderLimits>
  readonly capacityBytes?: number
  readonly diskBytes?: number
  readonly operator?: string
  /** How long the disk takes to sync; what a crash cuts short is lost. */
  readonly syncMs?: number
  readonly money?: ProviderMoney
}
export type KeeperNodeOptions = {
  readonly limits?: Partial<KeeperLimits>
  readonly syncMs?: number
  readonly fees?: KeeperMoney
}

type Node = {
  readonly endpoint: string
  readonly signer: Signer
  readonly disk: MemoryDisk
  readonly events: NodeEvent[]
  start(): Promise<void>
  stop(): Promise<void>
  /** As a power cut: what was synced stays, nothing is said to anybody. */
  crash(): void
  /** The node's own handler, as it was started last. */
  handler: Handler
  /** Sends a request past all clients. */
  raw(request: Partial<WireRequest> & { readonly url: string }): Promise<Answer>
}
export type ProviderNode = Node & { client(signer?: Signer): ProviderClient }
export type KeeperNode = Node & { client(): KeeperClient }

export type Answer = { readonly status: number; readonly headers: WireResponse['headers']; readonly body: Uint8Array }

export function createWorld(seed = 'node-tests'): World {
  const time = createVirtualTime()
  const random = createSeededRandomness(seed)
  const net = createMemoryNetwork({ timers: time.timers, random: random.fork('network') })
  const chain = createScriptedChain({ clock: time.clock })
  const keyOf = (name: string) => createKeySigner(random.fork(`key of ${name}`).bytes(32))

  const ports = (signer?: Signer, from = 'client'): ClientPorts => ({
    network: TEST_NETWORK,
    transport: net.transport(from),
    clock: time.clock,
    timers: time.timers,
    random,
    signer,
    money: TEST_MONEY,
  })
  const world = { network: TEST_NETWORK, chain, clock: time.clock, timers: time.timers, random }

  const createNode = (
    role: 'provider' | 'keeper',
    name: string,
    start: StartNode,
    { diskBytes, syncMs }: ProviderNodeOptions,
  ): Node => {
    const signer = keyOf(`${role} ${name}`)
    const endpoint = `http://${role}-${name}.test`
    const disk = createMemoryDisk({
      ...(diskBytes === undefined ? {} : { capacityBytes: diskBytes }),
      ...(syncMs === undefined ? {} : { sync: { timers: time.timers, ms: syncMs } }),
    })
    const events: NodeEvent[] = []
    let running: { readonly node: Provider | Keeper; close(): void } | undefined
    let latest: Provider | Keeper | undefined
    return {
      endpoint,
      signer,
      disk,
      events,
      async start() {
        const node = start({ signer, endpoint, disk, log: (event) => events.push(event) })
        latest = node
        await node.start()
        const { close } = net.listen(endpoint, node.handler, { blame: role })
        running = { node, close }
      },
      async stop() {
        running?.close()
        await running?.node.stop()
        running = undefined
      },
      crash() {
        running?.close()
        disk.crash()
        running = undefined
      },
      handler: async (request) => await latest!.handler(request),
      async raw(request) {
        const response = await latest!.handler({ method: 'GET', headers: {}, ...request })
        const parts: Uint8Array[] = []
        for await (const part of response.body) parts.push(part)
        return { status: response.status, headers: response.headers, body: Buffer.concat(parts) }
      },
    }
  }
  return {
    time,
    random,
    chain,
    net,
    ports,
    stranger: (name) => keyOf(`stranger ${name}`),
    user(name) {
      const signer = keyOf(`user ${name}`)
      chain.setAccount({ address: signer.address, role: 'user' })
      return signer
    },
    provider(name, options = {}) {
      const start: StartNode = ({ signer, disk, log, endpoint }) =>
        createProvider({
          ...world,
          transport: net.transport(endpoint),
          signer,
          log,
          pieces: disk.openPieceStore(),
          index: disk.openIndexStore(),
          // Most tests are about bytes, not about money.
          limits: { unpaidBytesPerAccount: Number.MAX_SAFE_INTEGER, orderWaitMs: 0, ...options.limits },
          money: options.money,
        })
      const node = createNode('provider', name, start, options)
      const { endpoint, signer } = node
      const { capacityBytes = 2 ** 40, operator = '' } = options
      chain.setAccount({ address: signer.address, role: 'provider', endpoint, capacityBytes, operator })
      const client = (by?: Signer) => createProviderClient(ports(by), { address: signer.address, endpoint })
      return { ...node, client }
    },
    keeper(name, options = {}) {
      const start: StartNode = ({ signer, disk, log, endpoint }) =>
        createKeeper({
          ...world,
          signer,
          log,
          transport: net.transport(endpoint),
          index: disk.openIndexStore(),
          ...(options.limits ? { limits: options.limits } : {}),
          fees: options.fees,
        })
      const node = createNode('keeper', name, start, options.syncMs === undefined ? {} : { syncMs: options.syncMs })
      const { endpoint, signer } = node
      chain.setAccount({ address: signer.address, role: 'keeper', endpoint })
      return { ...node, client: () => createKeeperClient(ports(), { address: signer.address, endpoint }) }
    },
  }
}

type StartNode = (edge: {
  readonly signer: Signer
  readonly endpoint: string
  readonly disk: MemoryDisk
  readonly log: (event: NodeEvent) => void
}) => Provider | Keeper

/** Root, size and units of a piece. */
export function digestOf(piece: Uint8Array): PieceDigest {
  const hasher = createPieceHasher()
  hasher.update(piece)
  return hasher.finish()
}

/** A body that arrives in several chunks. */
export async function* inChunks(bytes: Uint8Array, chunkBytes = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** Headers of a request that `signer` signs for `audience`. */
export async function signedHeaders(
  world: World,
  signer: Signer,
  audience: Address,
  request: { readonly method: string; readonly path: string; readonly body: Uint8Array | 'stream' },
): Promise<Record<string, string>> {
  const { clock } = world.time
  return await signRequest({ network: TEST_NETWORK, signer, clock, random: world.random }, request, audience)
}

export type Stored = {
  readonly id: Uint8Array
  readonly root: Uint8Array
  readonly sizeBytes: number
  readonly receipt: Receipt
}

/** Uploads and commits a piece. */
export async function store(client: ProviderClient, world: World, piece: Uint8Array, orderId = 0): Promise<Stored> {
  const id = world.random.bytes(32)
  const { root, sizeBytes } = await client.upload(id, inChunks(piece), { maxBytes: piece.length, orderId })
  return { id, root, sizeBytes, receipt: await client.commit(id, { root, sizeBytes }) }
}

/** The name of the error in an answer. */
export function errorName(answer: Answer): string {
  return (JSON.parse(Buffer.from(answer.body).toString()) as { error: { name: string } }).error.name
}
