import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { authFieldsFrom, type FieldSource } from '../auth/fields.ts'
import { type Caller, evidenceOf } from '../auth/sessions.ts'
import type { GatewayContext } from '../context.ts'
import { ApiError } from '../errors.ts'
import { contentTypeOf, objectNameOf } from '../names.ts'
import { createPayloadCheck } from '../payload.ts'
import { disconnectSignal } from '../request.ts'
import { readUploadForm, type UploadForm } from '../upload-form.ts'

/** `POST /mefs/`: stores a file and answers once it is durable (`spec/gateway.md` 3). */
export function uploadRoutes(app: FastifyInstance, context: GatewayContext): void {
  const upload = async (request: FastifyRequest, reply: FastifyReply) => {
    const signal = disconnectSignal(reply)
    const form = await readUploadForm(request.raw)
    try {
      return await storeForm(context, request, form, signal)
    } catch (thrown) {
      form.file.destroy()
      request.raw.unpipe()
      request.raw.resume() // the rest is read and dropped, so that the client gets to see the answer
      throw thrown
    }
  }
  app.post('/mefs/', upload)
  app.post('/mefs', upload)
}

async function storeForm(
  context: GatewayContext,
  request: FastifyRequest,
  form: UploadForm,
  signal: AbortSignal,
): Promise<{ cid: string; Mid: string }> {
  const fields = authFieldsFrom([form.fields, request.query as FieldSource], request.headers)
  const caller = await context.sessions.authenticate(fields)
  if (!caller.payload) throw new ApiError(516, 'an upload signs the hash of its file as payload')
  const check = await createPayloadCheck(caller.payload, fields.payloadHash)
  const name = objectNameOf(form.fields.name ?? form.fileName)
  const isPublic = isTrue(form.fields.public ?? (request.query as FieldSource).public)

  const stored = await context.storage.put(check.watch(form.file), {
    did: caller.did,
    name,
    contentType: contentTypeOf(name, form.contentType),
    isPublic,
    policy: context.policy,
    readers: readersOf(context, caller),
    evidence: evidenceOf(caller.session),
    signal,
    beforeCommit: async ({ cid }) => {
      await form.ended
      check.assertMatches(cid)
    },
  })
  await context.objects.add({ did: caller.did, id: stored.seq, manifest: stored.manifest })
  return { cid: stored.cid, Mid: stored.cid }
}

/** The owner, by the key that logged in, and the gateway itself. */
function readersOf(context: GatewayContext, caller: Caller): Uint8Array[] {
  return [caller.session.publicKey, context.publicKey]
}

function isTrue(value: unknown): boolean {
  return value === 'true' || value === '1' || value === true
}
