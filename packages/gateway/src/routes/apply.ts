import type { QuotaKind } from '@memo/chain'
import { type Address, createTurns, type HashcashPurpose, isCount, utf8 } from '@memo/core'
import { findMemoDid, type MemoDid } from '@memo/did'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findAdmin } from '../admin.ts'
import type { Application } from '../apply/applications.ts'
import { creationFrom, holderOf, relayCreation } from '../apply/relay.ts'
import { askerOf } from '../asker.ts'
import { type FieldSource, findCount } from '../auth/fields.ts'
import { isKeyOf } from '../auth/keys.ts'
import { buyerOf } from '../buyer.ts'
import type { GatewayContext } from '../context.ts'
import { asContractError } from '../contract-error.ts'
import { ApiError, LoginRefusedError } from '../errors.ts'
import { type Call, readCall } from '../request.ts'

const PAGE = 100
const MAX_EVIDENCE_CHARS = 2_048
/** What the contract takes as the reason of a grant (`spec/space-market.md` 9). */
const MAX_REASON_BYTES = 256
const HASH = /^0x[0-9a-f]{64}$/
const KINDS: ReadonlySet<unknown> = new Set<QuotaKind>(['space', 'traffic'])
const PURPOSES: ReadonlySet<unknown> = new Set<HashcashPurpose>(['apply', 'did'])

/** What a gateway does for people who have nothing yet: DIDs and free bytes (`spec/gateway.md` 17, 20). */
export function applyRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { applications, stamps, didLimit, applicationLimit } = context.apply
  const inTurn = createTurns()

  app.get<{ Querystring: FieldSource }>('/hashcash', async ({ query: { purpose, subject } }) => {
    if (!PURPOSES.has(purpose)) throw new ApiError(516, 'purpose is apply or did')
    return { ...(await stamps.issue(purpose as HashcashPurpose, didFrom(subject))), bits: stamps.bits }
  })

  app.post('/did', async (request) => {
    const { fields } = await readCall(request)
    const did = didFrom(fields.did)
    const creation = creationFrom(did, fields)
    holderOf(creation)
    await stamps.use('did', did, fields.stamp)
    // One at a time for a DID: of many at once only the first would be taken.
    const relay = async () => await relayCreation(context.contracts, creation, () => didLimit.take())
    const tx = await asContractError(async () => await inTurn(did, relay))
    if (tx !== undefined) context.log({ type: 'did-relayed', level: 'info', message: `paid for ${did}`, did, tx })
    return { did, tx: tx ?? null }
  })

  app.post('/applications', async (request) => {
    const call = await readCall(request)
    const { fields } = call
    const did = await applicantOf(context, request, call)
    const application = { did, ...askedFrom(fields) }
    await stamps.use('apply', did, fields.stamp)
    applicationLimit.take()
    const { id } = await applications.add(application)
    context.log({ type: 'application', level: 'info', message: `application ${id} of ${did} waits`, id, did })
    return { id }
  })

  app.get('/applications', async (request) => {
    const call = await readCall(request)
    await findAdmin(context, request, call)
    const after = call.fields.after === undefined ? 0 : findCount(String(call.fields.after))
    if (after === undefined) throw new ApiError(516, 'after is the id of the last application of the page before')
    const page = await applications.list(after, PAGE)
    const next = page.length === PAGE ? page.at(-1)?.id : undefined
    return { applications: page, ...(next === undefined ? {} : { next }) }
  })

  app.post<{ Params: { id: string } }>('/applications/:id/claim', async (request) => {
    const call = await readCall(request)
    const by = await findAdmin(context, request, call)
    return await applications.claim(findCount(request.params.id) ?? 0, by)
  })

  app.post<{ Params: { id: string } }>('/applications/:id/grant', async (request) => {
    const call = await readCall(request)
    const decidedBy = await findAdmin(context, request, call)
    const application = await applications.get(findCount(request.params.id) ?? 0)
    const reason = reasonFrom(call.fields)
    const asked = call.fields.sizeBytes ?? application.sizeBytes
    if (!isCount(asked, 1)) throw new ApiError(518, 'sizeBytes is a whole number of bytes from 1')
    const grant = { grantedBytes: `${asked}`, reason, decidedBy }
    const { tx } = call.fields
    if (tx === undefined) return await grantHere(context, application, grant)
    if (typeof tx !== 'string' || !HASH.test(tx))
      throw new ApiError(519, 'tx is the hash of the transaction that granted')
    await assertGranted(context, application, { tx: tx as `0x${string}`, grantedBytes: grant.grantedBytes })
    return await applications.decide(application.id, ['open', 'granting'], { ...grant, state: 'granted', tx })
  })

  app.post<{ Params: { id: string } }>('/applications/:id/refuse', async (request) => {
    const call = await readCall(request)
    const decidedBy = await findAdmin(context, request, call)
    const { id } = await applications.get(findCount(request.params.id) ?? 0)
    return await applications.decide(id, ['open', 'granting'], {
      state: 'refused',
      reason: reasonFrom(call.fields),
      decidedBy,
      by: decidedBy,
    })
  })
}

/** The DID that applies: that of a restricted call, else the one that is named, which the account that asks must hold. */
async function applicantOf(context: GatewayContext, request: FastifyRequest, call: Call): Promise<MemoDid> {
  const asker = await askerOf(context, request, call)
  if (asker.did) return asker.did
  const did = didFrom(call.fields.did)
  const isKey = await isKeyOf(context.chain, did, asker.account)
  if (!isKey) throw new LoginRefusedError(`failed to verify identity: ${did}`)
  return did
}

type Grant = { readonly grantedBytes: string; readonly reason: string; readonly decidedBy: string }

/**
 * Grants with the gateway's own account. What is cut off in between stays `granting`: nobody sends it again, and whoever
 * finds its transaction on the chain records it.
 */
async function grantHere(context: GatewayContext, { id, type, did }: Application, grant: Grant): Promise<Application> {
  const { applications } = context.apply
  const { market } = context.quota
  if (!(await market.isGranter(context.account))) {
    throw new ApiError(
      518,
      'this gateway may not grant; send the grant with your own key and give its transaction as tx',
    )
  }
  await applications.decide(id, ['open'], { ...grant, state: 'granting', by: grant.decidedBy })
  let tx: string
  try {
    const reason = markedReason(grant.reason, id, context.account)
    tx = await asContractError(async () => await market.grant(type, did, BigInt(grant.grantedBytes), reason))
  } catch (thrown) {
    const isRefused = thrown instanceof ApiError && thrown.status === 519
    if (isRefused) await applications.decide(id, ['granting'], { state: 'open' })
    throw thrown
  }
  return await applications.decide(id, ['granting'], { ...grant, state: 'granted', tx })
}

/** What the chain records says which application it was for, where that fits, so that whoever looks finds it. */
function markedReason(reason: string, id: number, gateway: Address): string {
  const marked = `${reason} (application ${id} of ${gateway})`
  return utf8(marked).length <= MAX_REASON_BYTES ? marked : reason
}

/** Errors: {@link ApiError} 519 where the transaction did not grant what it is said to have granted. */
async function assertGranted(
  context: GatewayContext,
  { type, did }: Application,
  { tx, grantedBytes }: { readonly tx: `0x${string}`; readonly grantedBytes: string },
): Promise<void> {
  const [to, grants] = [await buyerOf(context, did), await context.quota.market.grantsOf(tx)]
  if (!grants) throw new ApiError(519, `no block has the transaction ${tx}`)
  const isThere = grants.some(
    (grant) => grant.kind === type && grant.to === to && grant.sizeByte === BigInt(grantedBytes),
  )
  if (!isThere)
    throw new ApiError(519, `the transaction ${tx} did not grant ${grantedBytes} bytes of ${type} to ${did}`)
}

function askedFrom({ type, evidence, sizeBytes }: FieldSource): Pick<Application, 'type' | 'evidence' | 'sizeBytes'> {
  if (!KINDS.has(type)) throw new ApiError(518, 'type is space or traffic')
  if (!isCount(sizeBytes, 1)) throw new ApiError(518, 'sizeBytes is a whole number of bytes from 1')
  const isUrl = typeof evidence === 'string' && evidence.length <= MAX_EVIDENCE_CHARS && URL.canParse(evidence)
  if (!isUrl || !/^https?:$/.test(new URL(evidence).protocol)) {
    throw new ApiError(518, `evidence is an http or https URL of at most ${MAX_EVIDENCE_CHARS} characters`)
  }
  return { type: type as QuotaKind, evidence, sizeBytes }
}

function reasonFrom({ reason }: FieldSource): string {
  const length = typeof reason === 'string' ? utf8(reason).length : 0
  if (typeof reason === 'string' && length > 0 && length <= MAX_REASON_BYTES) return reason
  throw new ApiError(518, `a decision says its reason, in at most ${MAX_REASON_BYTES} bytes`)
}

function didFrom(text: unknown): MemoDid {
  const did = findMemoDid(text)
  if (!did) throw new ApiError(517, 'a Memo DID is did:memo: followed by 64 hex digits')
  return did
}
