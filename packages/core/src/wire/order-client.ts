import {
  type AmendmentTerms,
  amendmentDigest,
  type MoneyContracts,
  type OrderTerms,
  orderDigest,
  ordersVerifierOf,
  type SetChange,
  type SetCommitment,
  setCommitmentDigest,
} from '../billing/index.ts'
import { type Address, equalBytes, findBytesFromHex, hex32, hexFromBytes, utf8 } from '../bytes/index.ts'
import { assert, RemoteError } from '../errors/index.ts'
import { findSignerAddress } from '../keys/index.ts'
import type { BadAnswerError } from './http.ts'
import {
  amendmentTermsToJson,
  type CosignedCommitment,
  type Earnings,
  findCosignedCommitmentFromJson,
  findEarningsFromJson,
  findOrderPieceFromJson,
  findQuoteFromJson,
  findUint64,
  type OrderPiece,
  orderTermsToJson,
  type Quote,
  recordOf,
  setCommitmentToJson,
  setPieceToJson,
} from './money-codec.ts'

/** Pieces that one commitment adds and removes at the most (`spec/wire.md` 10). */
export const MAX_SET_CHANGES = 4_096
/** Body of a commitment: its changes at their longest, with some to spare. */
export const MAX_COMMITMENT_BYTES = 524_288
/** Pieces of an order in one answer. */
export const ORDER_PIECES_PAGE = 1_000

type CallOptions = { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined }

/** What a commitment is sent with. */
export type CommitRequest = SetChange & {
  readonly commitment: SetCommitment
  /** The user's, over the commitment. */
  readonly signature: Uint8Array
}

/** Where a provider's last commitment stands, when it refuses the next. */
export type CommitmentHead = { readonly seq: bigint; readonly setRoot: Uint8Array }

/** What a user and a provider settle between them, beside the pieces themselves (`spec/wire.md` 8 to 11). */
export type OrderClient = {
  quote(options?: CallOptions): Promise<Quote>
  /** The provider's signature over an order whose user is the client's account. Errors: `OrderRefusedError`. */
  signOrder(terms: OrderTerms, options?: CallOptions): Promise<Uint8Array>
  /** The provider's signature over a change of an order of this account. Errors: `OrderRefusedError`. */
  signAmendment(terms: AmendmentTerms, options?: CallOptions): Promise<Uint8Array>
  /**
   * Has the provider sign what the user has signed, with what it adds to and takes from the set of `seq` − 1. Repeating
   * it repeats the answer. Errors: `CommitmentMismatchError`, whose details {@link findCommitmentHead} reads.
   */
  commitSet(request: CommitRequest, options?: CallOptions): Promise<CosignedCommitment>
  /** The newest commitment of an order, checked to be the provider's; `user` is who signed it beside. */
  getCommitment(
    orderId: bigint,
    options?: CallOptions,
  ): Promise<(CosignedCommitment & { readonly user: Address }) | undefined>
  /** What the provider has earned; told to its own key alone. `settle` has it collect first what is due. */
  earnings(options?: CallOptions & { readonly settle?: boolean | undefined }): Promise<Earnings>
  /** Pieces under an order of this account, by root, after `after`; as many as one answer takes. */
  listOrderPieces(orderId: bigint, after?: Uint8Array, options?: CallOptions): Promise<readonly OrderPiece[]>
}

/** How the calls reach the provider. */
export type OrderCalls = {
  readonly provider: Address
  readonly money: MoneyContracts | undefined
  readonly account: Address | undefined
  call(
    request: {
      readonly method: string
      readonly path: string
      readonly body?: Uint8Array
      readonly signed?: boolean
      readonly maxBytes?: number
    },
    options: CallOptions,
  ): Promise<Readonly<Record<string, unknown>>>
  bad(what: string): BadAnswerError
}

/** Settling waits for blocks. */
const SETTLE_TIMEOUT_MS = 120_000
const MAX_PAGE_BYTES = 262_144
const ROOT = /^0x[0-9a-f]{64}$/

export function createOrderClient({ provider, money, account, call, bad }: OrderCalls): OrderClient {
  const verifierOf = (what: string) => {
    assert(money, `the contracts of orders, for ${what}`)
    return ordersVerifierOf(money)
  }
  const post = async (path: string, body: unknown, options: CallOptions) =>
    await call({ method: 'POST', path, body: utf8(JSON.stringify(body)), signed: true }, options)
  /** The provider's signature in an answer, over the digest that this side computed. */
  const signatureIn = (answer: Readonly<Record<string, unknown>>, digest: Uint8Array): Uint8Array => {
    const signature = findBytesFromHex(answer.signature, 65)
    if (!signature || findSignerAddress(digest, signature) !== provider) throw bad('without its own signature')
    return signature
  }

  return {
    async quote(options = {}) {
      const quote = findQuoteFromJson(await call({ method: 'GET', path: '/quote' }, options))
      if (quote?.provider !== provider) throw bad('no quote, or that of another node')
      return quote
    },
    async signOrder(terms, options = {}) {
      assert(terms.user === account && terms.provider === provider, 'an order between this account and this provider')
      const digest = orderDigest(verifierOf('an order'), terms)
      return signatureIn(await post('/orders', { terms: orderTermsToJson(terms) }, options), digest)
    },
    async signAmendment(terms, options = {}) {
      const digest = amendmentDigest(verifierOf('an amendment'), terms)
      const path = `/orders/${terms.orderId}/amendments`
      return signatureIn(await post(path, { terms: amendmentTermsToJson(terms) }, options), digest)
    },
    async commitSet({ commitment, signature, added, removed }, options = {}) {
      assert(added.length + removed.length <= MAX_SET_CHANGES, `at most ${MAX_SET_CHANGES} changes in one commitment`)
      const digest = setCommitmentDigest(verifierOf('a commitment'), commitment)
      const body = {
        commitment: setCommitmentToJson(commitment),
        signature: hexFromBytes(signature),
        added: added.map(setPieceToJson),
        removed: removed.map(hexFromBytes),
      }
      const providerSignature = signatureIn(await post('/commitments', body, options), digest)
      return { commitment, userSignature: signature, providerSignature }
    },
    async getCommitment(orderId, options = {}) {
      const verifier = verifierOf('a commitment')
      const answer = await orUndefined(call({ method: 'GET', path: `/commitments/${orderId}` }, options))
      if (!answer) return undefined
      const cosigned = findCosignedCommitmentFromJson(answer)
      if (cosigned?.commitment.orderId !== orderId) throw bad('no commitment, or that of another order')
      const digest = setCommitmentDigest(verifier, cosigned.commitment)
      const user = findSignerAddress(digest, cosigned.userSignature)
      const isSigned = findSignerAddress(digest, cosigned.providerSignature) === provider
      if (!user || !isSigned) throw bad('a commitment that was not signed by both')
      return { ...cosigned, user }
    },
    async earnings({ settle = false, ...options } = {}) {
      const request = settle ? { method: 'POST', path: '/earnings/settle' } : { method: 'GET', path: '/earnings' }
      const timeoutMs = options.timeoutMs ?? (settle ? SETTLE_TIMEOUT_MS : undefined)
      const earnings = findEarningsFromJson(await call({ ...request, signed: true }, { ...options, timeoutMs }))
      if (!earnings) throw bad('no earnings')
      return earnings
    },
    async listOrderPieces(orderId, after, options = {}) {
      const path = `/orders/${orderId}/pieces${after ? `?after=${hex32(after)}` : ''}`
      const answer = await call({ method: 'GET', path, signed: true, maxBytes: MAX_PAGE_BYTES }, options)
      const pieces = Array.isArray(answer.pieces) ? answer.pieces.map(findOrderPieceFromJson) : []
      const found = pieces.filter((piece) => piece !== undefined)
      const roots = found.map(({ root }) => hex32(root))
      const isInOrder = roots.every((root, i) => root > (roots[i - 1] ?? (after ? hex32(after) : '')))
      const isPage = found.length === pieces.length && found.length <= ORDER_PIECES_PAGE && isInOrder
      if (!Array.isArray(answer.pieces) || !isPage) throw bad('no page of pieces in the order of their roots')
      return found
    },
  }
}

/** Parses the details of a `CommitmentMismatchError`; undefined when they are none. */
export function findCommitmentHead(details: unknown): CommitmentHead | undefined {
  const { seq, setRoot } = recordOf(details)
  const number = findUint64(seq)
  const root = ROOT.test(`${setRoot}`) ? findBytesFromHex(setRoot, 32) : undefined
  return number === undefined || !root ? undefined : { seq: number, setRoot: root }
}

/** Whether two commitments say the same. */
export function isSameCommitment(a: SetCommitment, b: SetCommitment): boolean {
  const isSameNumbers = a.orderId === b.orderId && a.seq === b.seq && a.usedBytes === b.usedBytes
  return isSameNumbers && a.fromEpoch === b.fromEpoch && equalBytes(a.setRoot, b.setRoot)
}

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (thrown) {
    if (thrown instanceof RemoteError && thrown.name === 'NotFoundError') return undefined
    throw thrown
  }
}
