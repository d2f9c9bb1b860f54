import { createHash } from 'node:crypto'
import {
  type Address,
  type ByteSource,
  createKeySigner,
  hexFromBytes,
  type Manifest,
  type Signer,
  type Transport,
} from '@memo/core'
import {
  createMemoryNetwork,
  createScriptedChain,
  createSeededRandomness,
  createVirtualTime,
  didRecordOf,
  type MemoryNetwork,
  type ScriptedChain,
  type SeededRandomness,
  TEST_NETWORK,
  type VirtualTime,
} from '@memo/core/testing'
import { createStorage, type NodeFault, type PutOptions, type Storage, type StorageOptions } from '@memo/sdk'
import { createWireKeeper, createWireProvider, type WireKeeper, type WireProvider } from '@memo/sdk/testing'

/** A test key: the hash of a name. */
export function testKey(name: string): { signer: Signer; secretKey: Uint8Array; publicKey: Uint8Array } {
  const secretKey = new Uint8Array(createHash('sha256').update(`test key ${name}`).digest())
  const signer = createKeySigner(secretKey)
  return { signer, secretKey, publicKey: signer.publicKey }
}

export type World = {
  readonly time: VirtualTime
  readonly network: MemoryNetwork
  readonly chain: ScriptedChain
  readonly providers: readonly (WireProvider & { readonly address: Address; readonly endpoint: string })[]
  readonly keepers: readonly (WireKeeper & { readonly address: Address; readonly endpoint: string })[]
  readonly faults: NodeFault[]
  readonly did: string
  readonly owner: ReturnType<typeof testKey>
  readonly storage: Storage
  readonly transport: Transport
  readonly random: SeededRandomness
  open(options?: Partial<StorageOptions>, key?: ReturnType<typeof testKey>): Storage
  kill(endpoint: string): void
  put(source: ByteSource, options?: Partial<PutOptions>): ReturnType<Storage['put']>
  read(manifest: Manifest, range?: { offset?: number; length?: number }): Promise<Uint8Array>
  run<T>(work: Promise<T>): Promise<T>
}

/** Providers, keepers, a chain and a storage in one process and virtual time. */
export function createWorld(
  options: {
    providers?: number
    keepers?: number
    limits?: StorageOptions['limits']
    encode?: StorageOptions['encode']
  } = {},
): World {
  const time = createVirtualTime()
  const random = createSeededRandomness('sdk')
  const { clock, timers } = time
  const chain = createScriptedChain({ clock })
  const network = createMemoryNetwork({ timers, random: random.fork('network') })
  const owner = testKey('owner')
  const did = `did:memo:${createHash('sha256').update('owner').digest('hex')}`
  chain.setDid(didRecordOf(did, owner.signer))

  const providers = Array.from({ length: options.providers ?? 8 }, (_, i) => {
    const { signer } = testKey(`provider ${i}`)
    const endpoint = `http://provider-${i}`
    chain.setAccount({ address: signer.address, role: 'provider', endpoint })
    const provider = createWireProvider({ network: TEST_NETWORK, signer, clock, chain })
    network.listen(endpoint, provider.handler)
    return Object.assign(provider, { address: signer.address, endpoint })
  })
  const keepers = Array.from({ length: options.keepers ?? 3 }, (_, i) => {
    const { signer } = testKey(`keeper ${i}`)
    const endpoint = `http://keeper-${i}`
    chain.setAccount({ address: signer.address, role: 'keeper', endpoint })
    const keeper = createWireKeeper({ chain, signer })
    network.listen(endpoint, keeper.handler, { blame: 'keeper' })
    return Object.assign(keeper, { address: signer.address, endpoint })
  })
  const faults: NodeFault[] = []
  const transport = network.transport()
  let clients = 0
  const open: World['open'] = (more = {}, key = owner) =>
    createStorage({
      ports: {
        network: TEST_NETWORK,
        transport,
        clock,
        timers,
        random: random.fork(`client ${clients++}`),
        signer: key.signer,
      },
      chain,
      reader: key,
      limits: options.limits,
      encode: options.encode,
      onFault: (fault) => void faults.push(fault),
      ...more,
    })
  const storage = open()
  return {
    time,
    network,
    chain,
    providers,
    keepers,
    faults,
    did,
    owner,
    storage,
    transport,
    random,
    open,
    kill: (endpoint) => network.setLink('*', endpoint, { state: 'refused' }),
    put: async (source, more) => await time.run(storage.put(source, { ...putOptions(did, owner), ...more })),
    read: async (manifest, range = {}) => await time.run(collect(storage.read(manifest, range))),
    run: async (work) => await time.run(work),
  }
}

export function putOptions(did: string, owner: ReturnType<typeof testKey>): PutOptions {
  return { did, name: 'a.bin', contentType: 'application/octet-stream', isPublic: false, readers: [owner.publicKey] }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part.slice())
  return new Uint8Array(Buffer.concat(parts))
}

export async function listAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** `length` bytes that differ everywhere. */
export function testBytes(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed >>> 0
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

export function sha256Hex(bytes: Uint8Array): string {
  return hexFromBytes(new Uint8Array(createHash('sha256').update(bytes).digest()))
}
