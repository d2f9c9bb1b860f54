import { MemoError } from '@memo/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { authFieldsFrom, type FieldSource, findCount } from '../auth/fields.ts'
import { type Caller, evidenceOf } from '../auth/sessions.ts'
import { buyerOf } from '../buyer.ts'
import type { GatewayContext } from '../context.ts'
import { ApiError, apiErrorFrom } from '../errors.ts'
import { contentTypeOf, objectNameOf } from '../names.ts'
import { createPayloadCheck, type PayloadCheck } from '../payload.ts'
import type { UploadQuota } from '../quota/quota.ts'
import { findVoucher } from '../quota/vouchers.ts'
import { warnOwner } from '../quota-warning.ts'
import { disconnectSignal } from '../request.ts'
import { ID_KEY, type StoredObject } from '../store/objects.ts'
import { MAX_FORM_BYTES, readUploadForm, type UploadForm } from '../upload-form.ts'

/** `POST /mefs/`: stores a file and answers once it is durable (`spec/gateway.md` 3). */
export function uploadRoutes(app: FastifyInstance, context: GatewayContext): void {
  const upload = async (request: FastifyRequest, reply: FastifyReply) => {
    const gone = disconnectSignal(reply)
    let form: UploadForm | undefined
    try {
      form = await readUploadForm(request.raw)
      const { did, manifest } = await storeForm(context, request, form, gone)
      await warnOwner(context, reply, did)
      return { cid: manifest.cid, Mid: manifest.cid }
    } catch (thrown) {
      form?.file.drop()
      request.raw.unpipe()
      throw await withWhatIsMissing(context, apiErrorFrom(thrown))
    }
  }
  app.post('/mefs/', upload)
  app.post('/mefs', upload)
}

async function storeForm(
  context: GatewayContext,
  request: FastifyRequest,
  form: UploadForm,
  gone: AbortSignal,
): Promise<StoredObject> {
  const sources = [form.fields, request.query as FieldSource]
  const fields = authFieldsFrom(sources, request.headers)
  const caller = await context.sessions.authenticate(fields)
  context.assertRestored(caller.did)
  context.assertAlone()
  if (!caller.payload) throw new ApiError(516, 'an upload signs the hash of its file as payload')
  const check = await createPayloadCheck(caller.payload, fields.payloadHash)
  const voucher = findVoucher(sources, request.headers)
  const buyer = await buyerOf(context, caller.did)
  const quota = await context.quota.beginUpload(buyer, voucher, leastLengthOf(request))
  try {
    return await context.uploads.pass(
      gone,
      async () => await put(context, request, { form, caller, check, quota, gone }),
    )
  } finally {
    quota.release()
  }
}

/** How long the file of an upload is at the least, as far as its head says; what comes beyond it is seen as it comes. */
function leastLengthOf({ headers }: FastifyRequest): number {
  const said = headers['x-memo-length']
  if (typeof said === 'string') {
    const length = findCount(said)
    if (length === undefined) throw new ApiError(516, 'X-Memo-Length is the number of bytes of the file')
    return length
  }
  return Math.max(0, (findCount(headers['content-length']) ?? 0) - MAX_FORM_BYTES)
}

type Upload = {
  readonly form: UploadForm
  readonly caller: Caller
  readonly check: PayloadCheck
  readonly quota: UploadQuota
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal
}

async function put(context: GatewayContext, request: FastifyRequest, upload: Upload): Promise<StoredObject> {
  const { form, caller, check, quota, gone } = upload
  const { did, session } = caller
  const name = objectNameOf(form.fields.name ?? form.fileName)
  const id = await context.objects.reserve(did)
  const scope = new AbortController()
  const leave = () => scope.abort(gone.reason)
  gone.addEventListener('abort', leave, { once: true })
  let isCommitting = false
  let object: StoredObject
  try {
    gone.throwIfAborted()
    const stored = await context.storage.put(check.watch(quota.watch(form.file.bytes)), {
      did,
      name,
      contentType: contentTypeOf(name, form.contentType),
      isPublic: isTrue(form.fields.public ?? (request.query as FieldSource).public),
      policy: context.policy,
      // The owner, by the key that logged in, and the gateway itself.
      readers: [session.publicKey, context.publicKey],
      evidence: evidenceOf(session),
      metadata: { [ID_KEY]: String(id) },
      signal: scope.signal,
      beforeCommit: async ({ cid }) => {
        await form.ended
        check.assertMatches(cid)
        await quota.count(id)
        gone.throwIfAborted()
        // From here on keepers may know the object: what is begun is brought to its end, whoever still listens.
        gone.removeEventListener('abort', leave)
        isCommitting = true
      },
    })
    object = await context.objects.add(did, stored, id)
  } catch (thrown) {
    // An entry that was handed over may become durable later: its mark stays for the next start.
    await settle(context, id, async () => await quota.fail(isCommitting))
    if (!isCommitting) await context.objects.release(id)
    throw thrown
  } finally {
    gone.removeEventListener('abort', leave)
  }
  await settle(context, id, async () => await quota.settle(object.id))
  return object
}

/** The upload has ended as it has, whatever becomes of the mark of its charge: the next start settles it. */
async function settle(context: GatewayContext, id: number, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    context.log({ type: 'charge-unsettled', level: 'warn', message: `upload ${id} stays marked: ${thrown.message}` })
  }
}

/** Where the network could not take the object, the answer says which of its nodes are missing. */
async function withWhatIsMissing<E extends MemoError>(context: GatewayContext, error: E): Promise<E | ApiError> {
  if (!(error instanceof ApiError) || error.status !== 503) return error
  const missing = await context.readiness.listMissing()
  return missing.length === 0 ? error : new ApiError(503, [error.detail, ...missing].join('; '), error)
}

function isTrue(value: unknown): boolean {
  return value === 'true' || value === '1' || value === true
}
