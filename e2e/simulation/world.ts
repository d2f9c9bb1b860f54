import { createHash } from 'node:crypto'
import { type ByteStream, type Clock, collectBytes, createKeySigner, type Signer, type Timers } from '@memo/core'
import {
  createMemoryDisk,
  createMemoryNetwork,
  createScriptedChain,
  createSeededRandomness,
  createTrace,
  createVirtualTime,
  didRecordOf,
  type Link,
  type MemoryDisk,
  type MemoryDiskOptions,
  type MemoryNetwork,
  type ScriptedChain,
  type SeededRandomness,
  type Trace,
  type VirtualTime,
} from '@memo/core/testing'
import { createKeeper, createProvider, type KeeperLimits, type NodeEvent, type ProviderLimits } from '@memo/node'
import { createOrders, createStorage, type NodeFault, type Orders, type Storage, type StorageLimits } from '@memo/sdk'
import { createScriptedMoney, type ScriptedMoney } from '@memo/sdk/testing'
import { createGuard, guardHandler, guardIndex, guardPieces, guardTransport, type MomentWatch } from './port-calls.ts'

export type WorldOptions = {
  readonly seed: string
  readonly providers: number
  readonly keepers: number
  /** Links between all nodes. */
  readonly link?: Partial<Link>
  /** How long disks take to sync; what a crash cuts short is lost. */
  readonly syncMs?: number
  readonly providerLimits?: Partial<ProviderLimits>
  readonly keeperLimits?: Partial<KeeperLimits>
  /** Whether providers want orders, and users have the money for them. */
  readonly isPaid?: boolean
  /** Room on each provider's disk. */
  readonly diskBytes?: number
  /** Told of every call of a port that matters, by nodes and users; decides what becomes of the caller. */
  readonly watch?: MomentWatch
}

/** A provider or a keeper: what a crash kills, and the disk that it leaves. */
export type SimulatedNode = {
  readonly role: 'provider' | 'keeper'
  readonly name: string
  readonly endpoint: string
  readonly signer: Signer
  readonly disk: MemoryDisk
  isUp(): boolean
  start(): Promise<void>
  /** Ends it in order. */
  stop(): Promise<void>
  /** Sets its clock forward, or back where `ms` is less than 0. */
  jumpClock(ms: number): void
  /** Ends it as kill -9 and a power cut do: nothing more is sent, what was not synced is lost. */
  kill(): void
}

/** Someone who stores, with a DID and an account of the same key. */
export type SimulatedUser = {
  readonly did: string
  readonly storage: Storage
  /** Where users pay. */
  readonly orders: Orders | undefined
  readonly money: ScriptedMoney | undefined
  isUp(): boolean
  /** Ends its process: nothing more is sent, and nothing that it awaits ever comes. */
  kill(): void
  jumpClock(ms: number): void
  readonly keys: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
}

/** A whole network in one process, repeated exactly by its seed (`spec/ports.md` 8). */
export type World = {
  readonly time: VirtualTime
  readonly random: SeededRandomness
  readonly trace: Trace
  readonly network: MemoryNetwork
  readonly chain: ScriptedChain
  readonly providers: readonly SimulatedNode[]
  readonly keepers: readonly SimulatedNode[]
  /** What nodes logged, with who logged it. */
  readonly events: readonly (NodeEvent & { readonly node: string })[]
  /** Someone of this name, with the same key each time; a new process. */
  createUser(name: string, limits?: Partial<StorageLimits>): SimulatedUser
  /** Waits for `work` while virtual time passes. */
  run<T>(work: Promise<T>): Promise<T>
  stop(): Promise<void>
}

/** By then keepers know which providers answer. */
const FIRST_PROBES_MS = 3_000
const MAX_OBJECT_BYTES = 268_435_456

/** Starts a network of nodes that are registered and active. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const time = createVirtualTime()
  const random = createSeededRandomness(options.seed)
  const trace = createTimedTrace(time)
  const { timers } = time
  const link = { delayMs: 5, jitterMs: 10, ...options.link }
  const network = createMemoryNetwork({ timers, random: random.fork('network'), link, trace })
  const chain = createScriptedChain({ clock: time.clock })
  const events: (NodeEvent & { node: string })[] = []
  const users: SimulatedUser[] = []
  const parts = {
    options,
    time,
    random,
    trace,
    network,
    chain,
    events,
    processes: 0,
    disks: new Map(),
    money: new Map(),
  }
  const createAll = (role: SimulatedNode['role'], count: number) =>
    Array.from({ length: count }, (_, i) => createNode(parts, role, i))
  const nodes = {
    providers: createAll('provider', options.providers),
    keepers: createAll('keeper', options.keepers),
  }
  const all = [...nodes.providers, ...nodes.keepers]
  await time.run(Promise.all(nodes.providers.map((node) => node.start())))
  await time.run(Promise.all(nodes.keepers.map((node) => node.start())))
  await time.advance(FIRST_PROBES_MS)
  return {
    ...parts,
    ...nodes,
    run: time.run,
    createUser(name, limits) {
      const user = createUser(parts, name, limits)
      users.push(user)
      return user
    },
    async stop() {
      await time.run(Promise.all(users.map((user) => (user.isUp() ? closeUser(user) : undefined))))
      await time.run(Promise.all(all.map((node) => node.stop())))
    },
  }
}

/** Collects a body while time passes, and tells whether it is the bytes that were put. */
export async function digestOf(body: ByteStream): Promise<string> {
  return sha256(await collectBytes(body, MAX_OBJECT_BYTES))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

type WorldParts = Pick<World, 'time' | 'random' | 'trace' | 'network' | 'chain'> & {
  readonly options: WorldOptions
  readonly events: (NodeEvent & { node: string })[]
  /** Processes of users so far. */
  processes: number
  /** Of users, by name: what a process has kept is there for the next one. */
  readonly disks: Map<string, MemoryDisk>
  /** Of users, by name. */
  readonly money: Map<string, ScriptedMoney>
}

const ESCROW_ATTO = 10n ** 18n
const PRICES = { storagePriceAttoPerGiBSecond: 1_000n, retrievalPriceAttoPerByte: 1n }

async function closeUser({ storage, orders }: SimulatedUser): Promise<void> {
  await storage.close()
  await orders?.close()
}

function createNode(world: WorldParts, role: SimulatedNode['role'], index: number): SimulatedNode {
  const { options, time, chain, network, trace } = world
  const name = `${role}-${index + 1}`
  const endpoint = `http://${name}.test`
  const random = world.random.fork(name)
  const signer = createKeySigner(random.bytes(32)) // a test key: the seed is public
  const clock = createJumpingClock(time)
  const disk = createMemoryDisk({
    ...syncOf(world),
    ...(options.diskBytes ? { capacityBytes: options.diskBytes } : {}),
  })
  const prices = role === 'provider' && options.isPaid ? PRICES : {}
  chain.setAccount({
    address: signer.address,
    role,
    endpoint,
    operator: name,
    region: `region-${index % 3}`,
    ...prices,
  })
  let life: { readonly end: () => void; readonly stop: () => Promise<void> } | undefined

  const log = (event: NodeEvent) => {
    trace.record(`${name}: ${event.type}`)
    world.events.push({ ...event, node: name })
  }
  const kill = () => {
    trace.record(`${name}: killed`)
    disk.crash()
    life?.end()
    life = undefined
  }
  const boot = () => {
    const process = createProcess(time.timers)
    const end = () => {
      process.kill() // also where it ends before it has started
      kill()
    }
    const guard = createGuard(name, options.watch, { end, isOver: process.isOver })
    const transport = guardTransport(network.transport(endpoint), guard, process.ended)
    const records = guardIndex(disk.openIndexStore(), guard)
    const ports = { network: chain.network, chain, clock, timers: process.timers, random, signer, log, transport }
    const node =
      role === 'keeper'
        ? createKeeper({ ...ports, index: records, limits: options.keeperLimits })
        : createProvider({
            ...ports,
            index: records,
            pieces: guardPieces(disk.openPieceStore(), guard),
            limits: { unpaidBytesPerAccount: options.isPaid ? 0 : Number.MAX_SAFE_INTEGER, ...options.providerLimits },
          })
    return { process, node, handler: guardHandler(node.handler, guard) }
  }
  return {
    role,
    name,
    endpoint,
    signer,
    disk,
    isUp: () => life !== undefined,
    async start() {
      const { process, node, handler } = boot()
      await node.start()
      const listening = network.listen(endpoint, handler, { blame: role })
      const end = () => {
        listening.close()
        process.kill()
      }
      life = { end, stop: () => node.stop() }
      trace.record(`${name}: up`)
    },
    async stop() {
      await life?.stop()
      life?.end()
      life = undefined
    },
    jumpClock: clock.jump,
    kill,
  }
}

function createUser(world: WorldParts, name: string, limits: Partial<StorageLimits> = {}): SimulatedUser {
  const { time, chain, network, trace, options } = world
  const secretKey = world.random.fork(name).bytes(32) // a test key: the seed is public
  const signer = createKeySigner(secretKey)
  const keys = { publicKey: signer.publicKey, secretKey }
  const did = `did:memo:${sha256(signer.publicKey)}`
  chain.setAccount({ address: signer.address, role: 'user' })
  chain.setDid(didRecordOf(did, signer))
  const clock = createJumpingClock(time)
  const process = createProcess(time.timers)
  const disk = world.disks.get(name) ?? createMemoryDisk(syncOf(world))
  world.disks.set(name, disk)
  const kill = () => {
    trace.record(`${name}: killed`)
    disk.crash()
    process.kill()
  }
  const guard = createGuard(name, options.watch, { end: kill, isOver: process.isOver })
  const ports = {
    network: chain.network,
    transport: guardTransport(network.transport(name), guard, process.ended),
    clock,
    timers: process.timers,
    // No two processes of one user draw the same.
    random: world.random.fork(`${name} ${world.processes++}`),
    signer,
  }
  const onFault = (fault: NodeFault) => trace.record(`${name}: fault ${JSON.stringify(fault)}`)
  const store = guardIndex(disk.openIndexStore(), guard)
  const money = options.isPaid ? moneyOf(world, name, signer) : undefined
  const orders = money && createOrders({ ports, chain, store, onFault, money })
  orders?.start()
  const storage = createStorage({ ports, chain, limits, reader: keys, store, orders, onFault })
  return { did, keys, storage, orders, money, kill, isUp: () => !process.isOver(), jumpClock: clock.jump }
}

function moneyOf({ chain, money }: WorldParts, name: string, { address }: Signer): ScriptedMoney {
  const known = money.get(name) ?? createScriptedMoney({ chain, account: address, freeAtto: ESCROW_ATTO })
  money.set(name, known)
  return known
}

function syncOf({ options, time }: WorldParts): MemoryDiskOptions {
  return options.syncMs ? { sync: { timers: time.timers, ms: options.syncMs } } : {}
}

/** What one process shares: when it is killed, none of its sleeps ever ends and its connections break. */
function createProcess(timers: Timers) {
  const controller = new AbortController()
  const isOver = () => controller.signal.aborted
  return {
    ended: controller.signal,
    isOver,
    timers: {
      async sleep(ms: number, signal?: AbortSignal) {
        await timers.sleep(ms, signal)
        if (isOver()) await new Promise<never>(() => undefined)
      },
    },
    kill: () => controller.abort(new DOMException('killed', 'AbortError')),
  }
}

function createJumpingClock({ clock }: VirtualTime): Clock & { jump(ms: number): void } {
  let offsetMs = 0
  return {
    nowMs: () => clock.nowMs() + offsetMs,
    jump(ms) {
      offsetMs += ms
    },
  }
}

function createTimedTrace({ clock }: VirtualTime): Trace {
  const trace = createTrace()
  const beganMs = clock.nowMs()
  return { ...trace, record: (event) => trace.record(`${Math.round(clock.nowMs() - beganMs)} ms ${event}`) }
}
