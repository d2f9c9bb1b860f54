import {
  type Address,
  type IndexBundle,
  type LogAction,
  type LogEntry,
  type LoginEvidence,
  loginDigest,
  type Network,
  type PlacedPart,
  type Placement,
  partGeometry,
  partIdOf,
  RECEIPT_LIFE_SECONDS,
  type SignedEntry,
  type Signer,
  signEntry,
  signReceipt,
  ZERO_HASH,
} from '@memo/core'
import { didRecordOf, TEST_NETWORK } from '@memo/core/testing'
import type { World } from './world.ts'

export const NOBODY: Address = `0x${'00'.repeat(20)}`

/** A DID on the scripted chain and its master key. */
export type Person = { readonly did: string; readonly key: Signer }

export function createPerson(world: World, name: string): Person {
  const key = world.stranger(`master key of ${name}`)
  const did = `did:memo:${Buffer.from(name.padEnd(32, '.')).toString('hex')}`
  world.chain.setDid(didRecordOf(did, key))
  return { did, key }
}

/** The person's login, as the seeds' clients sign it. */
export async function loginOf(
  world: World,
  person: Person,
  key: Signer = person.key,
  timestamp: number = nowOf(world),
): Promise<LoginEvidence> {
  const token = world.random.bytes(16)
  return { token, timestamp, signature: await key.signDigest(loginDigest(person.did, token, timestamp)) }
}

export function nowOf(world: World): number {
  return Math.floor(world.time.clock.nowMs() / 1_000)
}

/** A part of 2 + 2 pieces with receipts by `holders`; an undefined holder leaves its piece unplaced. */
export async function createPart(
  world: World,
  owner: string,
  holders: readonly (Signer | undefined)[],
  options: {
    readonly roots?: readonly Uint8Array[]
    readonly expiry?: number
    readonly network?: Network
    /** Of every piece. */
    readonly orderId?: number
  } = {},
): Promise<PlacedPart> {
  const head = { dataShards: 2, parityShards: 2, sizeBytes: 10_000 }
  const { pieceBytes } = partGeometry(head.sizeBytes, head.dataShards, head.parityShards)
  const { orderId = 0 } = options
  const expiry = options.expiry ?? nowOf(world) + RECEIPT_LIFE_SECONDS
  const roots = options.roots ?? holders.map(() => world.random.bytes(32))
  const pieces = holders.map((holder, i) => ({ root: roots[i]!, provider: holder?.address ?? NOBODY, orderId }))
  const placement: Placement = { ...head, partId: partIdOf(head, roots), pieces, owner, expiry }
  const receipts = await Promise.all(
    holders.map((holder, i) => {
      const terms = { orderId, root: roots[i]!, sizeBytes: pieceBytes, expiry }
      return holder && signReceipt(options.network ?? TEST_NETWORK, terms, holder)
    }),
  )
  return { placement, receipts }
}

/** What a put of `parts` does. */
export function putOf(parts: readonly PlacedPart[], cid?: string): LogAction {
  return {
    kind: 'put',
    isPublic: cid !== undefined,
    cid,
    sizeBytes: 10_000,
    partIds: parts.map((part) => part.placement.partId),
    manifest: { kind: 'sealed', box: new Uint8Array(40), keys: [] },
  }
}

/** Writes one log: each entry follows the one before. */
export type LogWriter = {
  readonly did: string
  readonly head: SignedEntry | undefined
  /** Signs the next entry without going on to it. */
  draft(action: LogAction, changes?: Partial<LogEntry>): Promise<SignedEntry>
  /** Signs the next entry and goes on to it. */
  next(parts: readonly PlacedPart[], changes?: Partial<LogEntry>, cid?: string): Promise<IndexBundle>
  remove(writer: Address, seq: number): Promise<IndexBundle>
}

export function createLogWriter(
  world: World,
  did: string,
  signer: Signer,
  evidence?: LoginEvidence,
  network: Network = TEST_NETWORK,
): LogWriter {
  let head: SignedEntry | undefined
  const draft = async (action: LogAction, changes: Partial<LogEntry> = {}) => {
    const seq = (head?.entry.seq ?? 0) + 1
    const entry: LogEntry = {
      did,
      writer: signer.address,
      seq,
      previous: head?.hash ?? ZERO_HASH,
      time: nowOf(world),
      evidence: seq === 1 ? evidence : undefined,
      action,
      ...changes,
    }
    return await signEntry(network, entry, signer)
  }
  return {
    did,
    get head() {
      return head
    },
    draft,
    async next(parts, changes, cid) {
      head = await draft(putOf(parts, cid), changes)
      return { signed: head, parts }
    },
    async remove(writer, seq) {
      head = await draft({ kind: 'delete', writer, seq })
      return { signed: head, parts: [] }
    },
  }
}
