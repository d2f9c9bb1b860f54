import type { OutgoingHttpHeaders } from 'node:http'
import { canonicalCid, type Manifest } from '@memo/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import parseRange from 'range-parser'
import { buyerOf } from '../buyer.ts'
import type { GatewayContext } from '../context.ts'
import { ApiError } from '../errors.ts'
import { contentTypeOf, dispositionOf, objectNameOf } from '../names.ts'
import type { DownloadQuota } from '../quota/quota.ts'
import { findVoucher } from '../quota/vouchers.ts'
import { type Call, disconnectSignal, dropRest, readCall } from '../request.ts'
import { sendBody } from '../send-body.ts'
import { startedStream } from '../started-stream.ts'
import type { StoredObject } from '../store/objects.ts'

const FOREVER = 'public, max-age=29030400, immutable'
const PRIVATE = 'private, no-store'

/** An object that the caller may read, and the DID whose it is. */
export type ReadableObject = {
  readonly manifest: Manifest
  readonly owner: string
  /** Where this gateway wrote it. */
  readonly stored?: StoredObject | undefined
}

/** `GET` and `HEAD /mefs/{cid}` (`spec/gateway.md` 4). */
export function downloadRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.route<{ Params: { cid: string } }>({
    method: ['GET', 'HEAD'],
    url: '/mefs/:cid',
    handler: async (request, reply) => {
      const call = await readCall(request)
      const object = await findReadable(context, call, request.params.cid)
      const { manifest, owner } = object
      const etag = `"${manifest.cid}"`
      describe(reply, manifest, etag)
      if (matchesEtag(request.headers['if-none-match'], etag)) return await reply.code(304).send()

      const range = rangeOf(request, manifest, etag)
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${manifest.sizeBytes}`)
        throw new ApiError(416, `the object has ${manifest.sizeBytes} bytes`)
      }
      const { offset, length } = range ?? { offset: 0, length: manifest.sizeBytes }
      if (range) reply.code(206).header('content-range', `bytes ${offset}-${offset + length - 1}/${manifest.sizeBytes}`)
      reply.header('content-length', length)
      if (request.method === 'HEAD') return await reply.send()

      const quota = await chargeRead(context, request, call, object, length)
      let hasBegun = false
      const end = () => quota && context.background(async () => await quota.end(hasBegun))
      // Who went away while it was counted closes nothing any more.
      if (reply.raw.closed || reply.raw.destroyed) {
        end()
        return reply.hijack()
      }
      reply.raw.once('close', end)
      const options = { ...(range ? { offset, length } : {}), owner, signal: disconnectSignal(reply) }
      const bytes = context.storage.read(manifest, options)
      const body = await startedStream(quota ? quota.watch(bytes) : bytes)
      hasBegun = true
      dropRest(request, reply)
      reply.raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders)
      reply.hijack()
      await sendBody(reply.raw, body, (block) => context.storage.giveBack(block))
    },
  })
}

/**
 * The object that the caller may read under `cid`: a public one, or with a restricted call one of the caller's own.
 * Errors: {@link ApiError} 404 alike for what is not there and what is another's; 517 for what is no CID.
 */
export async function findReadable(
  context: GatewayContext,
  { auth }: Pick<Call, 'auth'>,
  text: string,
): Promise<ReadableObject> {
  const cid = canonicalCid(text)
  if (auth.did !== undefined) {
    const caller = await context.sessions.authenticate(auth)
    context.assertRestored(caller.did)
    const own = await context.objects.findOwned(caller.did, cid)
    if (own) return { manifest: own.manifest, owner: own.did, stored: own }
  }
  const stored = await context.objects.findPublic(cid)
  const found = stored ?? (await context.storage.findPublicObject(cid))
  if (!found?.manifest)
    throw new ApiError(404, `no object ${cid} that you may read; private ones need their owner’s signed call`)
  return { manifest: found.manifest, owner: found.did, stored }
}

/** Counts the bytes of a read against its owner's traffic, or what is read unpaid; undefined where there are none (`spec/gateway.md` 14). */
async function chargeRead(
  context: GatewayContext,
  request: FastifyRequest,
  { sources }: Call,
  { manifest, owner }: ReadableObject,
  length: number,
): Promise<DownloadQuota | undefined> {
  if (length === 0) return undefined
  if (manifest.isPublic && !context.isPublicReadCharged) return context.publicReads.begin(manifest, length)
  // Whoever reads a public object brings no voucher of its owner.
  const voucher = manifest.isPublic ? undefined : findVoucher(sources, request.headers)
  return await context.quota.beginDownload(await buyerOf(context, owner), voucher, length)
}

function describe(reply: FastifyReply, manifest: Manifest, etag: string): void {
  const name = objectNameOf(manifest.name) // other writers may have named it otherwise than this gateway would
  reply.headers({
    'content-type': contentTypeOf(name, manifest.contentType),
    'content-disposition': dispositionOf(name),
    'cache-control': manifest.isPublic ? FOREVER : PRIVATE,
    etag,
    'last-modified': new Date(manifest.createdAt * 1000).toUTCString(),
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  })
}

/** The one range asked for; several, other units or a stale `If-Range` mean the whole object. */
function rangeOf(
  request: FastifyRequest,
  manifest: Manifest,
  etag: string,
): { readonly offset: number; readonly length: number } | 'unsatisfiable' | undefined {
  const header = request.headers.range
  const ifRange = request.headers['if-range']
  if (header === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined
  // The last n bytes of fewer than n are all of them (RFC 9110, 14.1.2).
  const suffix = /^bytes=-([0-9]+)$/.exec(header)?.[1]
  if (suffix !== undefined && manifest.sizeBytes > 0 && Number(suffix) >= manifest.sizeBytes) {
    return { offset: 0, length: manifest.sizeBytes }
  }
  const ranges = parseRange(manifest.sizeBytes, header)
  if (ranges === -1) return 'unsatisfiable'
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1 || !ranges[0]) return undefined
  return { offset: ranges[0].start, length: ranges[0].end - ranges[0].start + 1 }
}

function matchesEtag(header: string | undefined, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(etag) || tags.includes('*')
}
