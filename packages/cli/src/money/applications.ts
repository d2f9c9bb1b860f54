import { listGrants, type MemoChain, type QuotaKind } from '@memo/chain'
import { type Address, isCount, isTime, NotFoundError } from '@memo/core'
import { BadGatewayAnswerError } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { formatBytes, formatTable } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { findTarget, type Payer } from './account.ts'
import { gatewayOf } from './apply.ts'
import { sizeOf } from './buy.ts'
import { accountOf, callGateway } from './gateway.ts'
import { assertReason, openGranter, sendGrant } from './grants.ts'
import type { PayingOptions } from './pay.ts'

export type ApplicationsOptions = PayingOptions & { readonly gateway?: string; readonly all?: boolean }
export type DecisionOptions = ApplicationsOptions & { readonly reason: string; readonly size?: string }

/** An application as a gateway keeps it. */
type Application = {
  readonly id: number
  readonly type: QuotaKind
  readonly did: string
  readonly evidence: string
  readonly sizeBytes: number
  /** Unix seconds. */
  readonly createdAt: number
  readonly state: string
  readonly reason?: string
  readonly tx?: string
}

const MAX_PAGES = 1_000
/** Of what strangers wrote. */
const MAX_SHOWN_CHARS = 200
const TX = /^0x[0-9a-f]{64}$/

/** `memo admin applications`: who asked a gateway for free space or traffic, and what became of it. */
export const applications: Verb<ApplicationsOptions> = async (context, options) => {
  const { output } = context
  const endpoint = gatewayOf(options)
  const payer = await openGranter(options)
  const all = await listApplications(context, endpoint, payer)
  const shown = options.all ? all : all.filter(({ state }) => state === 'open' || state === 'granting')
  for (const application of shown) output.event({ event: 'application', ...application })
  const rows = shown.map((one) => [
    `${one.id}`,
    new Date(one.createdAt * 1_000).toISOString().slice(0, 10),
    formatBytes(one.sizeBytes),
    one.type,
    one.state,
    one.did,
    one.evidence.slice(0, MAX_SHOWN_CHARS),
  ])
  const header = ['id', 'since', 'size', '', 'state', 'DID', 'evidence']
  const text = shown.length > 0 ? formatTable([header, ...rows]) : 'no application waits for a decision'
  output.data(text, { event: 'applications', shown: shown.length, all: all.length, gateway: endpoint })
  return undefined
}

/** `memo admin grant ID`: grants on chain with one’s own key, then has the gateway record it. */
export const grant: Verb<DecisionOptions> = async (context, options, [idText = '']) => {
  const id = idFrom(idText)
  const endpoint = gatewayOf(options)
  const payer = await openGranter(options)
  const application = await getApplication(context, endpoint, payer, id)
  const { type: kind, did, evidence } = application
  const target = await findTarget(payer.chain, did)
  const account = await accountOf(endpoint, context.runtime.signal)
  // The chain then says which application a grant was for: one that was sent and not recorded is found again.
  const mark = `(application ${id} of ${account})`
  const look = { to: target.address, mark }
  let done = await findGrant(payer.chain, look)
  if (!done) {
    const sizeByte = options.size === undefined ? application.sizeBytes : sizeOf(options.size)
    const wanted = { kind, target, sizeByte, reason: `${options.reason} ${mark}` }
    const intent = { verb: 'admin grant', mark, sizeByte: `${sizeByte}`, to: target.address }
    const more = [['evidence', evidence.slice(0, MAX_SHOWN_CHARS)] as const]
    const beforeSending = async () => {
      await decide(context, endpoint, payer, { id, what: 'claim', body: {} })
      // Whoever had claimed it before may have sent it meanwhile.
      const other = await findGrant(payer.chain, look)
      if (other) throw alreadyGranted(id, other)
    }
    const outcome = await sendGrant(context, options, payer, wanted, { intent, more, beforeSending })
    if (!outcome.result) return outcome.code
    done = { tx: outcome.result.hash, sizeByte, reason: wanted.reason, granter: payer.address }
  }
  const { tx, sizeByte, reason, granter } = done
  if (granter !== payer.address)
    context.output.progress(`${granter} has granted it before: that is recorded, nothing is sent`)
  await decide(context, endpoint, payer, { id, what: 'grant', body: { sizeBytes: sizeByte, reason, tx } })
  const json = { event: 'granted', id, kind, sizeByte, to: target.address, did, reason, tx, granter }
  context.output.data(`${tx}  application ${id} is granted`, json)
  return undefined
}

/** `memo admin refuse ID`. */
export const refuse: Verb<DecisionOptions> = async (context, options, [idText = '']) => {
  const id = idFrom(idText)
  const { reason } = options
  assertReason(reason)
  const endpoint = gatewayOf(options)
  const payer = await openGranter(options)
  await decide(context, endpoint, payer, { id, what: 'refuse', body: { reason } })
  context.output.data(`application ${id} is refused`, { event: 'refused', id, reason })
  return undefined
}

async function listApplications(context: Context, endpoint: string, payer: Payer): Promise<Application[]> {
  const { signal } = context.runtime
  const signer = { network: payer.chain.network, secretKey: payer.secretKey }
  const all: Application[] = []
  let after: number | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = after === undefined ? '/applications' : `/applications?after=${after}`
    const answer = await callGateway(endpoint, { method: 'GET', path, signer, signal })
    if (!Array.isArray(answer.applications)) throw new BadGatewayAnswerError('no list of applications')
    all.push(...answer.applications.map(applicationFrom))
    if (!isCount(answer.next)) break
    after = answer.next
  }
  return all
}

/** Errors: NotFoundError, UsageError for one that is decided. */
async function getApplication(context: Context, endpoint: string, payer: Payer, id: number): Promise<Application> {
  const found = (await listApplications(context, endpoint, payer)).find((application) => application.id === id)
  if (!found) {
    throw new NotFoundError(`there is no application ${id}`, { fix: 'Look with: memo admin applications' })
  }
  if (found.state === 'granted' || found.state === 'refused') {
    throw new UsageError(`application ${id} is ${found.state}`, 'Look with: memo admin applications --all')
  }
  return found
}

async function decide(
  context: Context,
  endpoint: string,
  payer: Payer,
  decision: {
    readonly id: number
    readonly what: 'claim' | 'grant' | 'refuse'
    readonly body: Readonly<Record<string, unknown>>
  },
): Promise<void> {
  await callGateway(endpoint, {
    method: 'POST',
    path: `/applications/${decision.id}/${decision.what}`,
    body: decision.body,
    signer: { network: payer.chain.network, secretKey: payer.secretKey },
    signal: context.runtime.signal,
  })
}

type Granted = { readonly tx: string; readonly sizeByte: number; readonly reason: string; readonly granter: Address }

function alreadyGranted(id: number, { granter, tx }: Granted): UsageError {
  const fix = `Run the same command again: it records that one. Or look: memo admin applications --all`
  return new UsageError(`application ${id} has been granted by ${granter} in ${tx}; nothing was sent`, fix)
}

/** What any administrator granted to this account for the application with this mark; undefined where nothing was. */
async function findGrant(
  chain: MemoChain,
  { to, mark }: { readonly to: Address; readonly mark: string },
): Promise<Granted | undefined> {
  const { client, addresses } = chain
  const grants = await listGrants(client, { addresses, to })
  const found = grants.find(({ reason }) => reason.endsWith(mark))
  if (!found) return undefined
  const { hash, sizeByte, reason, granter } = found
  return { tx: hash, sizeByte: Number(sizeByte), reason, granter }
}

function applicationFrom(plain: unknown): Application {
  const { id, type, did, evidence, sizeBytes, createdAt, state, reason, tx } = (plain ?? {}) as Record<string, unknown>
  const isKind = type === 'space' || type === 'traffic'
  const isWhole = isCount(id) && isCount(sizeBytes) && isTime(createdAt) && isKind
  if (!isWhole || typeof did !== 'string' || typeof evidence !== 'string' || typeof state !== 'string') {
    throw new BadGatewayAnswerError('a malformed application')
  }
  return {
    ...{ id, type, did, evidence, sizeBytes, createdAt, state },
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof tx === 'string' && TX.test(tx) ? { tx } : {}),
  }
}

function idFrom(text: string): number {
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text)
  throw new UsageError(`${text} is not the number of an application`, 'Look with: memo admin applications')
}
