import { canonicalCid, MemoError, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError, type NodeFault, nodeFault } from '../errors.ts'
import { keyOf, objectOf, type StoredObject } from './objects.ts'

/**
 * Live public objects with this CID, newest first, as all keepers that answer know them. What their entries say was
 * signed by their writers; that the bytes have the CID shows when they are read.
 *
 * @throws BadCidError; KeepersUnreachableError when no keeper answers
 */
export async function listPublicObjects(
  { directory, onFault }: StorageContext,
  text: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject[]> {
  const cid = canonicalCid(text)
  const faults: NodeFault[] = []
  const found = new Map<string, SignedEntry>()
  let answers = 0
  await Promise.all(
    (await directory.listKeepers()).map(async (keeper) => {
      try {
        const entries = await keeper.findPublic(cid, { signal })
        answers++
        for (const signed of entries.filter((entry) => isObjectOf(entry, cid))) {
          found.set(keyOf(signed.entry.writer, signed.entry.seq) + signed.entry.did, signed)
        }
      } catch (thrown) {
        signal?.throwIfAborted()
        if (!(thrown instanceof MemoError)) throw thrown
        faults.push(nodeFault('keeper', keeper.address, thrown))
        onFault(nodeFault('keeper', keeper.address, thrown))
      }
    }),
  )
  if (answers === 0) throw new KeepersUnreachableError(`whether there is a public object ${cid}`, faults)
  return [...found.values()].map((signed) => objectOf(signed, undefined)).sort((a, b) => b.createdAt - a.createdAt)
}

function isObjectOf({ entry }: SignedEntry, cid: string): boolean {
  const { action } = entry
  return action.kind === 'put' && action.isPublic && action.cid === cid && action.manifest.kind === 'clear'
}
