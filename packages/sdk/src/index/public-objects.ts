import { canonicalCid, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError } from '../errors.ts'
import { askKeepers } from '../nodes/ask-keepers.ts'
import { keyOf, objectOf, type StoredObject } from './objects.ts'

/**
 * Live public objects with this CID, newest first, as all keepers that answer know them. What their entries say was
 * signed by their writers; that the bytes have the CID shows when they are read.
 *
 * @throws BadCidError; KeepersUnreachableError when no keeper answers
 */
export async function listPublicObjects(
  context: StorageContext,
  text: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject[]> {
  const cid = canonicalCid(text)
  const { answers, faults } = await askKeepers(context, signal, async (keeper, inner) => {
    return await keeper.findPublic(cid, { signal: inner })
  })
  if (answers.length === 0) throw new KeepersUnreachableError(`whether there is a public object ${cid}`, faults)
  const found = new Map<string, SignedEntry>()
  for (const signed of answers.flatMap(({ answer }) => answer).filter((entry) => isObjectOf(entry, cid))) {
    found.set(keyOf(signed.entry.writer, signed.entry.seq) + signed.entry.did, signed)
  }
  return [...found.values()].map((signed) => objectOf(signed, undefined)).sort((a, b) => b.createdAt - a.createdAt)
}

function isObjectOf({ entry }: SignedEntry, cid: string): boolean {
  const { action } = entry
  return action.kind === 'put' && action.isPublic && action.cid === cid && action.manifest.kind === 'clear'
}
