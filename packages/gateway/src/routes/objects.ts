import type { Address } from '@memo/core'
import type { FastifyInstance } from 'fastify'
import { findCount } from '../auth/fields.ts'
import type { GatewayContext } from '../context.ts'
import { deleteObject } from '../deletion.ts'
import { ApiError } from '../errors.ts'
import { objectKey } from '../quota/quota.ts'
import { warn } from '../quota-warning.ts'
import { authenticate, readCall } from '../request.ts'
import type { StoredObject } from '../store/objects.ts'
import { findReadable } from './download.ts'

/** Listing, deleting and looking after a DID's objects (`spec/gateway.md` 5 to 7). */
export function objectRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/mefs/listobjects', async (request, reply) => {
    const caller = await authenticate(context, request)
    context.assertRestored(caller.did)
    const buyer = (await context.chain.findDid(caller.did))?.masterAddress
    const findExpiry = await openExpiry(context, buyer)
    const objects: unknown[] = []
    for await (const object of context.objects.list(caller.did)) objects.push(listed(object, await findExpiry(object)))
    const warning = buyer && (await warn(context, reply, buyer))
    const facts = { Address: buyer ?? '', Storage: 'mefs', Object: objects, Objects: objects }
    return warning === undefined ? facts : { ...facts, Warning: warning }
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
    await deleteObject(context, object)
    return { Status: 'Success', state: 'success' }
  })

  app.get<{ Params: { cid: string } }>('/mefs/status/:cid', async (request) => {
    const { manifest, owner, stored } = await findReadable(context, await readCall(request), request.params.cid)
    const parts = await context.storage.status(manifest, { owner })
    const ends = stored ? await endsOf(context, stored) : {}
    return { cid: manifest.cid, name: manifest.name, parts, ...ends }
  })
}

/** When objects of a DID go, in unix seconds: with their quota and its grace, and where they need none, with what the gateway pays. */
async function openExpiry(
  context: GatewayContext,
  buyer: Address | undefined,
): Promise<(object: StoredObject) => Promise<number>> {
  const ends = buyer && (await context.quota.lasting.openEnds(buyer))
  return async (object) => {
    const end = await ends?.(objectKey(object.id))
    return end === undefined ? await orderEndOf(context, object) : Number(end)
  }
}

/** When an object goes, and when the order ends that the gateway renews until then. */
async function endsOf(context: GatewayContext, object: StoredObject): Promise<{ expire: number; orderEnd: number }> {
  const buyer = (await context.chain.findDid(object.did))?.masterAddress
  const findExpiry = await openExpiry(context, buyer)
  return { expire: await findExpiry(object), orderEnd: await orderEndOf(context, object) }
}

/** When the first order ends that pays for its pieces, in unix seconds; 0 where nobody pays, or nothing is known. */
async function orderEndOf({ orders }: GatewayContext, { orderIds }: StoredObject): Promise<number> {
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
