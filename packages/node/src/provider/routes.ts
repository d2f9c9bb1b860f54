import {
  type Address,
  BadInputError,
  type Chain,
  createTurns,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  jsonResponse,
  parseJson,
  type ReceiptTerms,
  type RequestVerifier,
  readBody,
  receiptToJson,
  type Signer,
  signReceipt,
  usedNonceOf,
  VOUCHER_HEADER,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { ForbiddenError, NotServingError } from '../server/errors.ts'
import type { Call, Route } from '../server/router.ts'
import { assertArrived, type Custody } from './custody.ts'
import { MAX_CONTROL_BODY_BYTES, MAX_PIECE_BYTES } from './limits.ts'
import type { OrderDesk } from './orders.ts'
import type { PieceReads } from './piece-reads.ts'
import type { Room } from './room.ts'
import type { SpaceLedger } from './space.ts'
import type { Uploads, UploadTerms } from './uploads.ts'

export type ProviderRoutesOptions = {
  readonly chain: Chain
  readonly signer: Signer
  readonly room: Room
  readonly desk: OrderDesk
  readonly space: SpaceLedger
  readonly uploads: Uploads
  readonly custody: Custody
  readonly reads: PieceReads
  readonly verifier: RequestVerifier
}

const HASH = /^[0-9a-f]{64}$/
const COUNT = /^\d{1,15}$/

/** What a provider answers (`spec/wire.md` 4). */
export function createProviderRoutes(options: ProviderRoutesOptions): readonly Route[] {
  const { chain, signer, room, desk, space, uploads, custody, reads, verifier } = options
  /** One commit of an upload after another, so that a repeated one meets the result of the first. */
  const inTurn = createTurns()

  const info = async (): Promise<WireResponse> => {
    const found = await room.find()
    const freeBytes = found ? space.freeBytes(found.facts) : 0
    return jsonResponse(200, { address: signer.address, freeBytes, pieces: custody.pieceCount })
  }
  const upload = async ({ request, query }: Call): Promise<WireResponse> => {
    const account = verifier.verify(request, 'stream')
    const terms = readTerms(account, query)
    await assertActiveUser(chain, account)
    const facts = terms.orderId === 0 ? await room.findUnsold() : await room.findSold()
    if (!facts) throw new NotServingError('provider', 'the chain does not count it as an active provider')
    const reserve = await desk.admitUpload(terms, request.signal)
    const digest = await uploads.receive(terms, request.body, { facts, reserve }, request.signal)
    return jsonResponse(200, { root: hexFromBytes(digest.root), sizeBytes: digest.sizeBytes })
  }
  const commit = async ({ request, params }: Call): Promise<WireResponse> => {
    const { account, body } = await readSigned(verifier, request)
    const id = params[0] ?? ''
    const piece = readPieceId(body)
    const terms = await inTurn(`${account}/${id}`, () => keep(account, id, piece, request.signal))
    const receipt = await signReceipt(chain.network, terms, signer)
    return jsonResponse(200, { receipt: receiptToJson(receipt) })
  }
  /** The terms of the receipt: of what arrived, or those that the account was given before. */
  const keep = async (
    account: Address,
    id: string,
    piece: PieceId,
    signal: AbortSignal | undefined,
  ): Promise<ReceiptTerms> => {
    const root = hex32(piece.root)
    const arrived = uploads.find(account, id)
    if (!arrived && piece.orderId > 0) return await takeOver(account, id, piece, signal)
    if (!arrived) return await custody.getPromise(account, root, piece.sizeBytes)
    assertArrived(arrived, piece)
    const expiry = await desk.getReceiptExpiry(account, arrived.terms.orderId)
    return await custody.accept(arrived, root, expiry)
  }
  /** What the account holds under another order comes under this one as well, without being sent (`spec/provider.md` 18). */
  const takeOver = async (
    account: Address,
    id: string,
    { root, sizeBytes, orderId }: PieceId,
    signal: AbortSignal | undefined,
  ): Promise<ReceiptTerms> => {
    await assertActiveUser(chain, account)
    const reserve = await desk.admitUpload({ account, id, orderId, maxBytes: sizeBytes }, signal)
    const expiry = await desk.getReceiptExpiry(account, orderId)
    const hold = reserve()
    try {
      return await custody.takeOver(account, hex32(root), sizeBytes, { orderId, expiry })
    } finally {
      hold.release()
    }
  }
  const release = async ({ request, params }: Call): Promise<WireResponse> => {
    const { account } = await readSigned(verifier, request)
    const deleted = await custody.release(account, params[0] ?? '', usedNonceOf(request))
    return jsonResponse(200, { deleted })
  }
  const root = ({ params }: Call): string => params[0] ?? ''

  return [
    { method: 'GET', path: /^\/info$/, answer: info },
    { method: 'POST', path: /^\/uploads$/, answer: upload },
    { method: 'POST', path: /^\/uploads\/([0-9a-f]{64})\/commit$/, answer: commit },
    {
      method: 'GET',
      path: /^\/pieces\/([0-9a-f]{64})$/,
      answer: (call) => {
        const { headers, signal } = call.request
        return reads.get(root(call), headers.range, headers[VOUCHER_HEADER], signal)
      },
    },
    { method: 'HEAD', path: /^\/pieces\/([0-9a-f]{64})$/, answer: (call) => reads.head(root(call)) },
    { method: 'DELETE', path: /^\/pieces\/([0-9a-f]{64})$/, answer: release },
    {
      method: 'GET',
      path: /^\/pieces\/([0-9a-f]{64})\/units$/,
      answer: (call) => reads.units(root(call), call.request.headers[VOUCHER_HEADER]),
    },
    {
      method: 'GET',
      path: /^\/pieces\/([0-9a-f]{64})\/proof$/,
      answer: (call) => reads.proof(root(call), call.query.get('leaf')),
    },
  ]
}

/** `orderId` is 0 where the commit names none. */
type PieceId = { readonly root: Uint8Array; readonly sizeBytes: number; readonly orderId: number }

/** A control request: its whole body and who signed it. */
async function readSigned(
  verifier: RequestVerifier,
  request: WireRequest,
): Promise<{ account: Address; body: Uint8Array }> {
  const body = await readBody(request, MAX_CONTROL_BODY_BYTES)
  return { account: verifier.verify(request, body), body }
}

function readTerms(account: Address, query: URLSearchParams): UploadTerms {
  const id = query.get('id') ?? ''
  const order = query.get('order') ?? ''
  const max = query.get('max') ?? ''
  if (!HASH.test(id)) throw new BadInputError('an upload id is 64 lower-case hex digits')
  if (!COUNT.test(order)) throw new BadInputError('an order is a whole number')
  const maxBytes = COUNT.test(max) ? Number(max) : 0
  if (maxBytes < 1 || maxBytes > MAX_PIECE_BYTES) {
    throw new BadInputError(`a piece has 1 to ${MAX_PIECE_BYTES} bytes`, { details: { max } })
  }
  return { account, id, orderId: Number(order), maxBytes }
}

function readPieceId(body: Uint8Array): PieceId {
  const { root, sizeBytes, orderId = 0 } = (parseJson(body) ?? {}) as Record<string, unknown>
  const bytes = findBytesFromHex(root, 32)
  if (!bytes || !isSize(sizeBytes) || !isSize(orderId)) throw new BadInputError('a commit names root and sizeBytes')
  return { root: bytes, sizeBytes, orderId }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Errors: {@link ForbiddenError}. */
export async function assertActiveUser(chain: Chain, address: Address): Promise<void> {
  const account = await chain.findAccount(address)
  if (account?.role === 'user' && account.state === 'active') return
  throw new ForbiddenError(`${address} is not an active user of this network`, {
    fix: 'Register the account as a user on the chain.',
    details: { address, role: account?.role ?? 'none', state: account?.state ?? 'none' },
  })
}
