import {
  type Address,
  BadInputError,
  canonicalCid,
  findSignerAddress,
  loginDigest,
  type Manifest,
  type ManifestEnvelope,
  openManifest,
  type SignedEntry,
} from '@memo/core'
import { isCheckpoint } from '../checkpoint/mark.ts'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { listKeeperHeads, readLog } from './read-log.ts'

/** An object that stands in a DID's index and was not deleted. */
export type StoredObject = {
  readonly did: string
  /** The account whose log names the object, and the number of its entry there. */
  readonly writer: Address
  readonly seq: number
  readonly entryHash: Uint8Array
  /** Of the plaintext. */
  readonly sizeBytes: number
  /** Unix seconds. */
  readonly createdAt: number
  readonly isPublic: boolean
  readonly partIds: readonly Uint8Array[]
  /** What the object means; undefined when it is sealed for others, or so that nobody can open it. */
  readonly manifest: Manifest | undefined
  readonly cid: string | undefined
  readonly name: string | undefined
}

/** Why a log is believed: its writer is a key of the DID, or the DID logged in to it. */
export type WriterStanding = 'key' | 'login' | 'none'

export type ListOptions = {
  /** Opens sealed manifests; without it objects are listed without name and CID. */
  readonly reader?: ReaderKeys | undefined
  /** Only this account's log, whatever its standing. */
  readonly writer?: Address | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Live objects of a DID, oldest first, from the logs of all writers that the DID let write (`spec/sdk.md` 7). Works
 * from chain and keepers alone. Errors: {@link KeepersUnreachableError}.
 */
export async function* listObjects(
  context: StorageContext,
  did: string,
  options: ListOptions = {},
): AsyncGenerator<StoredObject> {
  const { reader = context.reader, signal } = options
  yield* objectsIn(await readLogs(context, did, options), reader, signal)
}

/** Live objects of all these logs, oldest first, without checkpoints. */
export function* objectsIn(
  logs: readonly (readonly SignedEntry[])[],
  reader: ReaderKeys | undefined,
  signal: AbortSignal | undefined,
): Generator<StoredObject> {
  const deleted = deletedIn(logs)
  const puts = logs
    .flat()
    .filter(({ entry }) => entry.action.kind === 'put' && !deleted.has(keyOf(entry.writer, entry.seq)))
    .sort((a, b) => a.entry.time - b.entry.time || a.entry.seq - b.entry.seq)
  for (const signed of puts) {
    signal?.throwIfAborted()
    const object = objectOf(signed, reader)
    if (!isCheckpoint(object.manifest)) yield object
  }
}

/** The newest live object of a DID with this CID that `reader` can open. Errors: BadCidError; as for listing. */
export async function findObject(
  context: StorageContext,
  did: string,
  cid: string,
  options: ListOptions = {},
): Promise<StoredObject | undefined> {
  const wanted = canonicalCid(cid)
  let newest: StoredObject | undefined
  for await (const object of listObjects(context, did, options)) if (object.cid === wanted) newest = object
  return newest
}

/** The object that an entry puts; its manifest is opened if `reader` may. */
export function objectOf(signed: SignedEntry, reader: ReaderKeys | undefined): StoredObject {
  const { did, writer, seq, time, action } = signed.entry
  if (action.kind !== 'put') throw new BadInputError(`entry ${seq} of ${writer} puts no object`)
  const manifest = findManifest(action.manifest, reader)
  return {
    did,
    writer,
    seq,
    entryHash: signed.hash,
    sizeBytes: action.sizeBytes,
    createdAt: manifest?.createdAt ?? time,
    isPublic: action.isPublic,
    partIds: action.partIds,
    manifest,
    cid: manifest?.cid ?? action.cid,
    name: manifest?.name,
  }
}

/** A writer that seals one manifest badly must not keep the owner from all others. */
function findManifest(envelope: ManifestEnvelope, reader: ReaderKeys | undefined): Manifest | undefined {
  try {
    return openManifest(envelope, reader)
  } catch (thrown) {
    if (!(thrown instanceof BadInputError)) throw thrown
    return undefined
  }
}

/**
 * The believed logs of a DID, entry by entry; `writer`'s log is among them whatever its standing. With `writer` alone
 * only that account's puts are left, yet deletions count from every believed log; with `all` nothing is left out.
 */
export async function readLogs(
  context: StorageContext,
  did: string,
  options: Pick<ListOptions, 'writer' | 'signal'> & { readonly all?: boolean },
): Promise<SignedEntry[][]> {
  const { writer: wanted, signal, all = wanted === undefined } = options
  const answers = await listKeeperHeads(context, did, signal)
  const writers = new Set(answers.flatMap(({ heads }) => [...heads.keys()]))
  const logs: SignedEntry[][] = []
  for (const writer of writers) {
    const log = await readLog(context, answers, { did, writer, from: undefined }, signal)
    const isBelieved = wanted === writer || (await standingOf(context, did, log)) !== 'none'
    if (isBelieved)
      logs.push(all || wanted === writer ? log : log.filter(({ entry }) => entry.action.kind === 'delete'))
  }
  return logs
}

/** `writer:seq` of every object that some entry deletes. */
export function deletedIn(logs: readonly (readonly SignedEntry[])[]): Set<string> {
  const deleted = new Set<string>()
  for (const { entry } of logs.flat()) {
    if (entry.action.kind === 'delete') deleted.add(keyOf(entry.action.writer, entry.action.seq))
  }
  return deleted
}

export function keyOf(writer: Address, seq: number): string {
  return `${writer}:${seq}`
}

/** Whether the DID let this log's writer write: by a key that may authenticate for it today. */
export async function standingOf(
  { chain }: Pick<StorageContext, 'chain'>,
  did: string,
  log: readonly SignedEntry[],
): Promise<WriterStanding> {
  const first = log[0]?.entry
  const record = first && (await chain.findDid(did))
  if (!first || !record) return 'none'
  const keys = new Set(record.authenticationKeys.map((key) => key.address))
  if (keys.has(first.writer)) return 'key'
  const { evidence } = first
  const signer = evidence && findSignerAddress(loginDigest(did, evidence.token, evidence.timestamp), evidence.signature)
  return signer && keys.has(signer) ? 'login' : 'none'
}
