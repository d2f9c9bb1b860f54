import { NotFoundError } from '@memo/core'
import type { FastifyInstance } from 'fastify'
import { findCount } from '../auth/fields.ts'
import type { GatewayContext } from '../context.ts'
import { ApiError } from '../errors.ts'
import { authenticate, readCall } from '../request.ts'
import type { StoredObject } from '../store/objects.ts'
import { findReadable } from './download.ts'

/** Listing, deleting and looking after a DID's objects (`spec/gateway.md` 5 to 7). */
export function objectRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/mefs/listobjects', async (request) => {
    const caller = await authenticate(context, request)
    context.assertRestored(caller.did)
    const objects: unknown[] = []
    for await (const object of context.objects.list(caller.did))
      objects.push(listed(object, await expiryOf(context, object)))
    return { Address: await masterAddressOf(context, caller.did), Storage: 'mefs', Object: objects, Objects: objects }
  })

  app.get<{ Querystring: { id?: string } }>('/mefs/delete', async (request) => {
    const caller = await authenticate(context, request)
    context.assertRestored(caller.did)
    context.assertAlone()
    const id = findCount(request.query.id)
    if (id === undefined) throw new ApiError(516, 'delete names an object by its id')
    const object = await context.objects.findById(id)
    if (!object) throw new ApiError(404, `no object ${id}`)
    if (object.did !== caller.did) throw new ApiError(403, `object ${id} is not yours`)
    await context.objects.mark(object)
    await context.quota.beginDeletion(id)
    await removeFromLog(context, object)
    await context.objects.remove(object)
    await context.quota.endDeletion(id)
    return { Status: 'Success', state: 'success' }
  })

  app.get<{ Params: { cid: string } }>('/mefs/status/:cid', async (request) => {
    const { manifest, owner } = await findReadable(context, await readCall(request), request.params.cid)
    return { cid: manifest.cid, name: manifest.name, parts: await context.storage.status(manifest, { owner }) }
  })
}

/** What its owner has deleted by other ways already needs no second deletion. */
async function removeFromLog(context: GatewayContext, { did, seq }: StoredObject): Promise<void> {
  try {
    await context.storage.remove(did, { writer: context.account, seq })
  } catch (thrown) {
    if (!(thrown instanceof NotFoundError)) throw thrown
    context.log({ type: 'deleted-before', level: 'info', message: `object ${seq} of ${did} was deleted before` })
  }
}

async function masterAddressOf(context: GatewayContext, did: string): Promise<string> {
  return (await context.chain.findDid(did))?.masterAddress ?? ''
}

/** When the first order ends that pays for its pieces, in unix seconds; 0 where nobody pays, or nothing is known. */
async function expiryOf({ orders }: GatewayContext, { orderIds }: StoredObject): Promise<number> {
  return (await orders?.findExpiry(orderIds)) ?? 0
}

function listed({ id, manifest }: StoredObject, expiry: number): unknown {
  const { name, sizeBytes, cid, createdAt, isPublic, contentKey } = manifest
  return {
    ID: id,
    Name: name,
    Size: sizeBytes,
    Cid: cid,
    Mid: cid,
    ModTime: new Date(createdAt * 1000).toISOString(),
    Expire: expiry,
    Public: isPublic,
    UserDefined: { encryption: contentKey ? 'aes-256-gcm' : 'none', etag: 'cid' },
  }
}
