import { grantQuota, type MemoChain, type QuotaKind } from '@memo/chain'
import { spaceMarketAbi } from '@memo/contracts'
import { type Address, isCount, NotFoundError } from '@memo/core'
import { BadGatewayAnswerError } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { formatBytes, formatTable } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { findTarget, type Payer } from './account.ts'
import { gatewayOf } from './apply.ts'
import { sizeOf } from './buy.ts'
import { readEvents } from './events.ts'
import { assertReason, openGranter } from './free.ts'
import { callGateway } from './gateway.ts'
import { assertGranter } from './granters.ts'
import { type PayingOptions, pay } from './pay.ts'

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
    printable(one.evidence),
  ])
  const header = ['id', 'since', 'size', '', 'state', 'DID', 'evidence']
  const text = shown.length > 0 ? formatTable([header, ...rows]) : 'no application waits for a decision'
  output.data(text, { event: 'applications', shown: shown.length, all: all.length, gateway: endpoint })
  return undefined
}

/** `memo admin grant ID`: grants on chain with one’s own key, then has the gateway record it. */
export const grant: Verb<DecisionOptions> = async (context, options, [idText = '']) => {
  const { output, runtime } = context
  const id = idFrom(idText)
  const endpoint = gatewayOf(options)
  const payer = await openGranter(options)
  const { chain } = payer
  const application = await getApplication(context, endpoint, payer, id)
  const { type: kind, did } = application
  const wanted = options.size === undefined ? application.sizeBytes : sizeOf(options.size)
  const { address: to } = await findTarget(chain, did)
  // The chain then says which application a grant was for: one that was sent and not recorded is found again.
  const reason = `${options.reason} (application ${id})`
  assertReason(reason)
  await assertGranter(chain, payer.address)
  let done = await findGrant(chain, { to, admin: payer.address, reason })
  if (!done) {
    const sizeByte = wanted
    const outcome = await pay(
      context,
      options,
      payer,
      {
        intent: { verb: 'admin grant', id: `${id}`, gateway: endpoint, sizeByte: `${sizeByte}`, to },
        what: `grant ${formatBytes(sizeByte)} of ${kind}`,
        costAtto: 0n,
        rows: [
          ['you grant', `${formatBytes(sizeByte)} of ${kind}, for nothing`],
          ['as', payer.address],
          ['to', did],
          ['evidence', printable(application.evidence)],
          ['reason', reason],
        ],
        question: 'Grant it?',
        json: { id, kind, sizeByte, to, did, reason, admin: payer.address },
      },
      async ({ client, addresses }) => {
        return await grantQuota(client, {
          addresses,
          kind,
          to,
          sizeByte: BigInt(sizeByte),
          reason,
          signal: runtime.signal,
        })
      },
    )
    if (!outcome.result) return outcome.code
    done = { tx: outcome.result.hash, sizeByte }
  }
  const { tx, sizeByte } = done
  const body = { sizeBytes: sizeByte, reason, tx }
  await decide(context, endpoint, payer, { id, what: 'grant', body })
  output.data(`${tx}  application ${id} is granted`, { event: 'granted', id, kind, sizeByte, to, did, reason, tx })
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
    readonly what: 'grant' | 'refuse'
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

/** What this administrator granted to this account for this reason; undefined where nothing was. */
async function findGrant(
  chain: MemoChain,
  { to, admin, reason }: { readonly to: Address; readonly admin: Address; readonly reason: string },
): Promise<{ readonly tx: string; readonly sizeByte: number } | undefined> {
  const { client, addresses } = chain
  const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi, eventName: 'FreeGranted' } as const
  const grants = await readEvents(chain, async (fromBlock, toBlock) => {
    return await client.rpc.getContractEvents({ ...contract, args: { to, admin }, fromBlock, toBlock, strict: true })
  })
  const found = grants.find(({ args }) => args.reason === reason)
  return found && { tx: found.transactionHash, sizeByte: Number(found.args.sizeByte) }
}

function applicationFrom(plain: unknown): Application {
  const { id, type, did, evidence, sizeBytes, createdAt, state, reason, tx } = (plain ?? {}) as Record<string, unknown>
  const isKind = type === 'space' || type === 'traffic'
  const isWhole = isCount(id) && isCount(sizeBytes) && isCount(createdAt) && isKind
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

/** Strangers wrote it: nothing in it moves the cursor. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  return text.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '?').slice(0, 200)
}
