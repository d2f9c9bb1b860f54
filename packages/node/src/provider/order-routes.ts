import {
  type Address,
  BadInputError,
  type CommitRequest,
  cosignedCommitmentToJson,
  earningsToJson,
  findAmendmentTermsFromJson,
  findBytesFromHex,
  findOrderTermsFromJson,
  findSetCommitmentFromJson,
  findSetPieceFromJson,
  hex32,
  hexFromBytes,
  jsonResponse,
  MAX_COMMITMENT_BYTES,
  MAX_SET_CHANGES,
  orderPieceToJson,
  parseJson,
  quoteToJson,
  type RequestVerifier,
  readBody,
  recordOf,
  type SetPiece,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { ForbiddenError, NotServingError } from '../server/errors.ts'
import type { Call, Route } from '../server/router.ts'
import type { Commitments } from './commitments.ts'
import { MAX_CONTROL_BODY_BYTES } from './limits.ts'
import type { OrderDesk } from './orders.ts'
import type { Treasury } from './treasury.ts'

export type OrderRoutesOptions = {
  readonly self: Address
  readonly verifier: RequestVerifier
  readonly desk: OrderDesk
  readonly commitments: Commitments
  /** Undefined where nothing collects. */
  readonly treasury: Treasury | undefined
  /** Errors: ForbiddenError unless the account is an active user. */
  readonly assertActiveUser: (account: Address) => Promise<void>
  /** Aborted when the provider stops. */
  readonly signal: AbortSignal
}

/** Numbers of orders that this provider can count with. */
const ORDER_ID = /^[1-9]\d{0,14}$/
const HASH = /^[0-9a-f]{64}$/

/** What a provider answers about money (`spec/wire.md` 8 to 11 and 13). */
export function createOrderRoutes(options: OrderRoutesOptions): readonly Route[] {
  const { self, verifier, desk, commitments, treasury } = options

  const readSigned = async (request: WireRequest, maxBytes: number) => {
    const body = await readBody(request, maxBytes)
    const account = verifier.verify(request, body)
    return { account, body: recordOf(body.length === 0 ? undefined : parseJson(body)) }
  }
  const order = async ({ request }: Call): Promise<WireResponse> => {
    const { account, body } = await readSigned(request, MAX_CONTROL_BODY_BYTES)
    const terms = findOrderTermsFromJson(body.terms, account)
    if (!terms) throw new BadInputError('the body holds no terms of an order')
    await options.assertActiveUser(account)
    return jsonResponse(200, { signature: hexFromBytes(await desk.signOrder(account, terms)) })
  }
  const amendment = async ({ request, params }: Call): Promise<WireResponse> => {
    const { account, body } = await readSigned(request, MAX_CONTROL_BODY_BYTES)
    const terms = findAmendmentTermsFromJson(body.terms)
    const orderId = readOrderId(params[0])
    if (terms?.orderId !== BigInt(orderId)) throw new BadInputError('the body holds no change of this order')
    await options.assertActiveUser(account)
    return jsonResponse(200, { signature: hexFromBytes(await desk.signAmendment(account, terms)) })
  }
  const commit = async ({ request }: Call): Promise<WireResponse> => {
    const { account, body } = await readSigned(request, MAX_COMMITMENT_BYTES)
    const cosigned = await commitments.commit(account, readCommitRequest(body))
    return jsonResponse(200, { signature: hexFromBytes(cosigned.providerSignature) })
  }
  const newest = async ({ params }: Call): Promise<WireResponse> =>
    jsonResponse(200, cosignedCommitmentToJson(await commitments.getNewest(readOrderId(params[0]))))
  const pieces = async ({ request, params, query }: Call): Promise<WireResponse> => {
    const { account } = await readSigned(request, 0)
    const after = query.get('after') ?? undefined
    if (after !== undefined && !HASH.test(after)) throw new BadInputError('a root is 64 lower-case hex digits')
    const page = await commitments.listPieces(account, readOrderId(params[0]), after)
    return jsonResponse(200, { pieces: page.map(orderPieceToJson) })
  }
  const earnings = async ({ request }: Call, isSettling: boolean): Promise<WireResponse> => {
    const { account } = await readSigned(request, 0)
    if (account !== self) throw new ForbiddenError('what a provider has earned is told to its own key alone')
    if (!treasury) throw new NotServingError('provider', 'it collects no money')
    if (isSettling) await treasury.collect(options.signal, true)
    return jsonResponse(200, earningsToJson(await treasury.getEarnings()))
  }
  const quote = async (): Promise<WireResponse> => jsonResponse(200, quoteToJson(await desk.quote()))

  return [
    { method: 'GET', path: /^\/quote$/, answer: quote },
    { method: 'POST', path: /^\/orders$/, answer: order },
    { method: 'POST', path: /^\/orders\/(\d+)\/amendments$/, answer: amendment },
    { method: 'GET', path: /^\/orders\/(\d+)\/pieces$/, answer: pieces },
    { method: 'POST', path: /^\/commitments$/, answer: commit },
    { method: 'GET', path: /^\/commitments\/(\d+)$/, answer: newest },
    { method: 'GET', path: /^\/earnings$/, answer: (call) => earnings(call, false) },
    { method: 'POST', path: /^\/earnings\/settle$/, answer: (call) => earnings(call, true) },
  ]
}

function readOrderId(text: string | undefined): number {
  if (!ORDER_ID.test(text ?? '')) throw new BadInputError('an order has a number from 1')
  return Number(text)
}

function readCommitRequest(body: Readonly<Record<string, unknown>>): CommitRequest {
  const commitment = findSetCommitmentFromJson(body.commitment)
  const signature = findBytesFromHex(body.signature, 65)
  if (!commitment || !signature) throw new BadInputError('the body holds no commitment with a signature')
  readOrderId(`${commitment.orderId}`)
  const [added, removed] = [body.added, body.removed]
  if (!Array.isArray(added) || !Array.isArray(removed)) throw new BadInputError('a commitment says what it changes')
  if (added.length + removed.length > MAX_SET_CHANGES) {
    throw new BadInputError(`a commitment changes ${MAX_SET_CHANGES} pieces at the most`)
  }
  const request = {
    commitment,
    signature,
    added: added.map((value) => orBad(findSetPieceFromJson(value))),
    removed: removed.map((value) => orBad(findBytesFromHex(value, 32))),
  }
  assertOnce(request.added, request.removed)
  return request
}

function orBad<T>(value: T | undefined): T {
  if (value === undefined) throw new BadInputError('a change of a set names pieces by root and size')
  return value
}

function assertOnce(added: readonly SetPiece[], removed: readonly Uint8Array[]): void {
  const roots = [...added.map(({ root }) => hex32(root)), ...removed.map(hex32)]
  if (new Set(roots).size !== roots.length) throw new BadInputError('a commitment names a piece twice')
}
