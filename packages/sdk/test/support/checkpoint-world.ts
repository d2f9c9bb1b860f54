import { hex32, type LoginEvidence, loginDigest, type Placement } from '@memo/core'
import type {
  CheckpointOptions,
  CheckpointResult,
  PutOptions,
  PutResult,
  RestoreReport,
  Storage,
  StorageOptions,
} from '@memo/sdk'
import { createMemoryCheckpoints, type MemoryCheckpoints } from '@memo/sdk/testing'
import { collect, createWorld, putOptions, sha256Hex, testBytes, type World } from './world.ts'

export const POLICY = 'rs:2+1'

type Key = World['owner']

/** A world with a contract of checkpoints, and clients that know it. */
export type CheckpointWorld = World & {
  readonly contract: MemoryCheckpoints
  /** A client of `key`, which becomes a user. */
  openFor(key?: Key, more?: Partial<StorageOptions>): Storage
  /** Puts bytes that follow from the name. */
  putAs(storage: Storage, name: string, size?: number, more?: Partial<PutOptions>): Promise<PutResult>
  killKeepers(): void
}

export function createCheckpointWorld(options: Parameters<typeof createWorld>[0] = {}): CheckpointWorld {
  const world = createWorld({ providers: 5, ...options })
  const contract = createMemoryCheckpoints()
  const open = (key = world.owner, more: Partial<StorageOptions> = {}) => {
    world.chain.setAccount({ address: key.signer.address, role: 'user' })
    return world.open({ checkpoints: contract.as(key.signer.address), ...more }, key)
  }
  const put = async (storage: Storage, name: string, size = 1_000, more = {}) => {
    const options = { ...putOptions(world.did, world.owner), policy: POLICY, name, ...more }
    return await world.run(storage.put(testBytes(size, hashOf(name)), options))
  }
  const killKeepers = () => {
    for (const keeper of world.keepers) world.kill(keeper.endpoint)
  }
  return { ...world, contract, openFor: open, putAs: put, killKeepers }
}

export const hashOf = (name: string): number => [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7)

/** Digest by name of all that comes back, and what was told of it. */
export async function restoreAll(
  world: CheckpointWorld,
  from: 'any' | 'checkpoints' = 'any',
  key: Key = world.owner,
): Promise<{ found: Map<string, string>; report: RestoreReport | undefined }> {
  const reports: RestoreReport[] = []
  const storage = world.openFor(key)
  const found = new Map<string, string>()
  const run = async () => {
    const options = { reader: key, from, onReport: (report: RestoreReport) => void reports.push(report) }
    for await (const { object, open } of storage.restore(world.did, options)) {
      found.set(object.manifest.name, sha256Hex(await collect(open())))
    }
  }
  await world.run(run())
  return { found, report: reports[0] }
}

export const expected = (...names: [string, number?][]): Map<string, string> =>
  new Map(names.map(([name, size = 1_000]) => [name, sha256Hex(testBytes(size, hashOf(name)))]))

export const write = async (
  world: World,
  storage: Storage,
  options: CheckpointOptions = {},
): Promise<CheckpointResult | undefined> =>
  await world.run(storage.writeCheckpoint(world.did, { policy: POLICY, ...options }))

/** Checkpoints that keepers still count as live, by number of their entry. */
export async function storedCheckpoints(world: CheckpointWorld): Promise<number[]> {
  const logs = [...world.keepers[0]!.logs.values()].flat()
  const deleted = new Set(logs.flatMap(({ entry: { action } }) => (action.kind === 'delete' ? [action.seq] : [])))
  return logs.flatMap(({ entry: { action, seq } }) => {
    return action.kind === 'put' && action.isPublic && action.cid && isCheckpointEntry(world, seq) && !deleted.has(seq)
      ? [seq]
      : []
  })
}

function isCheckpointEntry(world: CheckpointWorld, seq: number): boolean {
  const signed = [...world.keepers[0]!.logs.values()].flat().find(({ entry }) => entry.seq === seq)
  const { action } = signed!.entry
  return (
    action.kind === 'put' && action.manifest.kind === 'clear' && hasText(action.manifest.manifest, 'memo-checkpoint')
  )
}

const hasText = (bytes: Uint8Array, text: string) => Buffer.from(bytes).includes(text)

/** A login of the owner, which opens the log of whoever shows it. */
export async function loginOf(world: CheckpointWorld): Promise<LoginEvidence> {
  const [token, timestamp] = [new Uint8Array(32), 2 ** 30 + 1]
  const signature = await world.owner.signer.signDigest(loginDigest(world.did, token, timestamp))
  return { token, timestamp, signature }
}

/** The stored bytes of a part of one stripe, from the pieces in its providers' memory. */
export function storedBytes(world: CheckpointWorld, placement: Placement): Uint8Array {
  const strips = placement.pieces.slice(0, placement.dataShards).map(({ root, provider }) => {
    const holder = world.providers.find(({ address }) => address === provider)
    return holder!.pieces.get(hex32(root))!.bytes
  })
  return new Uint8Array(Buffer.concat(strips)).subarray(0, placement.sizeBytes)
}
