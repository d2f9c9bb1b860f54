import { type Address, hex32, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { askKeepers } from '../nodes/ask-keepers.ts'
import { deletedIn, keyOf, objectOf, type StoredObject } from './objects.ts'
import { listPublicObjects } from './public-objects.ts'
import { listKeeperHeads, readLog } from './read-log.ts'

/** Logs of this account that are read to find out whether a part in clear is needed elsewhere. */
const MAX_LOGS_READ = 16

/** Entries that put an object and that no other entry of the same logs deletes. */
export function livePuts(logs: readonly (readonly SignedEntry[])[]): SignedEntry[] {
  const deleted = deletedIn(logs)
  return logs.flat().filter(({ entry }) => entry.action.kind === 'put' && !deleted.has(keyOf(entry.writer, entry.seq)))
}

/**
 * Parts of an object, 64 hex digits each, that other live objects have or may have as well. Sealed parts belong to one
 * object unless its DID packed them; parts in clear are the same wherever their bytes are, so the other objects of the
 * same CID and of all this account's logs are looked at. Where those are too many to be read, a part of an object of
 * several parts counts as shared: files of many DIDs may begin alike (`spec/sdk.md` 8).
 */
export async function sharedParts(
  context: StorageContext,
  target: SignedEntry,
  live: readonly SignedEntry[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const { did, writer, seq } = target.entry
  const { isPublic, cid, partIds } = objectOf(target, undefined)
  const shared = partsOf(live.filter((signed) => signed !== target).map((signed) => objectOf(signed, undefined)))
  if (!isPublic || cid === undefined) return shared
  const sameCid = (await listPublicObjects(context, cid, signal)).filter(
    (other) => other.did !== did || other.writer !== writer || other.seq !== seq,
  )
  const elsewhere = partIds.length > 1 ? await partsOfOtherLogs(context, did, signal) : new Set<string>()
  return elsewhere ? new Set([...shared, ...elsewhere, ...partsOf(sameCid)]) : new Set(partIds.map(hex32))
}

function partsOf(objects: readonly StoredObject[]): Set<string> {
  return new Set(objects.flatMap((object) => object.partIds.map(hex32)))
}

/** Parts of this account's live objects of other DIDs; undefined when there are too many logs to read. */
async function partsOfOtherLogs(
  context: StorageContext,
  did: string,
  signal: AbortSignal,
): Promise<Set<string> | undefined> {
  const writer: Address = context.ports.signer.address
  const { answers } = await askKeepers(context, signal, async (keeper, inner) => {
    return await keeper.listWriterHeads(writer, '', { signal: inner })
  })
  const dids = new Set(answers.flatMap(({ answer }) => answer.map((head) => head.did)).filter((other) => other !== did))
  if (answers.length === 0 || dids.size > MAX_LOGS_READ) return undefined
  const shared: StoredObject[] = []
  for (const other of dids) {
    const heads = await listKeeperHeads(context, other, signal)
    const log = await readLog(context, heads, { did: other, writer, from: undefined }, signal)
    shared.push(...livePuts([log]).map((signed) => objectOf(signed, undefined)))
  }
  return partsOf(shared)
}
