import { NotFoundError } from '@memo/core'
import type { GatewayContext } from './context.ts'
import type { StoredObject } from './store/objects.ts'

/** What a deletion goes through. */
export type DeletionContext = Pick<GatewayContext, 'objects' | 'quota' | 'storage' | 'account' | 'log'>

/** Deletes an object: its entry in the log, its pieces, its place in the table, and what it took; a start takes up what broke off. */
export async function deleteObject(context: DeletionContext, object: StoredObject): Promise<void> {
  await context.objects.mark(object)
  await context.quota.beginDeletion(object.id)
  await removeFromLog(context, object)
  await context.objects.remove(object)
  await context.quota.endDeletion(object.id)
}

/** What its owner has deleted by other ways already needs no second deletion. */
async function removeFromLog(context: DeletionContext, { did, seq }: StoredObject): Promise<void> {
  try {
    await context.storage.remove(did, { writer: context.account, seq })
  } catch (thrown) {
    if (!(thrown instanceof NotFoundError)) throw thrown
    context.log({ type: 'deleted-before', level: 'info', message: `object ${seq} of ${did} was deleted before` })
  }
}
