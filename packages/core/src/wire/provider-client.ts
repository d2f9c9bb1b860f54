import {
  type Address,
  type ByteStream,
  equalBytes,
  findAddress,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  isCount,
  utf8,
} from '../bytes/index.ts'
import { assert } from '../errors/index.ts'
import {
  areUnitsAt,
  areUnitsOf,
  hashUnits,
  PieceCorruptError,
  UNIT_BYTES,
  unitRangeOf,
  unitsLengthOf,
} from '../piece/index.ts'
import { type ClientPorts, type ExchangeRequest, exchange, type Peer } from './exchange.ts'
import { BadAnswerError, errorOfAnswer, JSON_TYPE, parseJsonAnswer, readAnswer } from './http.ts'
import { recordOf } from './money-codec.ts'
import { createOrderClient, type OrderClient } from './order-client.ts'
import { findReceiptFromJson, isReceipt, type Receipt } from './receipt.ts'
import { VOUCHER_HEADER } from './voucher.ts'

/** An exchange that carries a request and a short answer. */
export const CONTROL_TIMEOUT_MS = 10_000
/** An exchange that carries up to a strip of bytes. */
export const STRIP_TIMEOUT_MS = 20_000
/** An exchange that carries a whole piece. */
export const PIECE_TIMEOUT_MS = 120_000
const MAX_JSON_BYTES = 65_536

/** What a provider says about itself. */
export type ProviderInfo = { readonly address: string; readonly freeBytes: number; readonly pieces: number }

type CallOptions = { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined }

/** `voucher`: how a read is paid, the text of a voucher (`encodeVoucher`), the same until a newer one is signed. */
type ReadOptions = CallOptions & {
  readonly voucher?: string | undefined
  /** Gives the memory in which the bytes may come back. */
  readonly memory?: ExchangeRequest['memory']
}

/** Speaks to one provider; believes nothing that it can check. */
export type ProviderClient = OrderClient & {
  readonly address: Address
  info(options?: CallOptions): Promise<ProviderInfo>
  /** Streams a piece; it is not kept before {@link ProviderClient.commit}. Returns root and size as received. */
  upload(
    uploadId: Uint8Array,
    body: Uint8Array | ByteStream,
    terms: { readonly maxBytes: number; readonly orderId: number },
    options?: CallOptions,
  ): Promise<{ readonly root: Uint8Array; readonly sizeBytes: number }>
  /**
   * Makes the provider keep the upload for good; returns its checked receipt. With `orderId` and an id that was never uploaded, a
   * piece that this account holds there under another order comes under that one as well.
   */
  commit(
    uploadId: Uint8Array,
    piece: { readonly root: Uint8Array; readonly sizeBytes: number; readonly orderId?: number },
    options?: CallOptions,
  ): Promise<Receipt>
  /** Size of a piece, or undefined when the provider does not hold it. */
  findSize(root: Uint8Array, options?: CallOptions): Promise<number | undefined>
  /** Unit nodes of a piece, checked against its root. Errors: {@link PieceCorruptError}. */
  readUnits(root: Uint8Array, sizeBytes: number, options?: ReadOptions): Promise<Uint8Array>
  /**
   * Bytes of a piece, checked against verified `units`; a piece of one unit needs none, since its root follows from its
   * bytes. Errors: {@link PieceCorruptError}; `PaymentRequiredError`, whose details `findPaymentDue` reads.
   */
  read(
    piece: { readonly root: Uint8Array; readonly sizeBytes: number; readonly units: Uint8Array | undefined },
    range: { readonly offset: number; readonly length: number },
    options?: ReadOptions,
  ): Promise<Uint8Array>
  /** Gives up a piece that this account uploaded. False when there was none. */
  delete(root: Uint8Array, options?: CallOptions): Promise<boolean>
}

/** A client for the provider `peer` (`spec/wire.md` 4). */
export function createProviderClient(ports: ClientPorts, peer: Omit<Peer, 'role'>): ProviderClient {
  const provider: Peer = { ...peer, role: 'provider' }
  const call = async (request: Omit<ExchangeRequest, 'timeoutMs'>, most: number, options: CallOptions, ms: number) =>
    await exchange(
      ports,
      provider,
      { ...request, timeoutMs: options.timeoutMs ?? ms, signal: options.signal },
      async (response) => await readAnswer(response, most, 'provider'),
    )
  const callJson = async (request: Omit<ExchangeRequest, 'timeoutMs'>, options: CallOptions, ms: number) => {
    const answer = parseJsonAnswer(await call(request, MAX_JSON_BYTES, options, ms), 'provider')
    return (answer ?? {}) as Readonly<Record<string, unknown>>
  }
  const bad = (what: string) =>
    new BadAnswerError(`provider ${provider.address} answered ${what}`, {
      blame: 'provider',
      retry: 'now',
      details: { provider: provider.address },
    })

  const orders = createOrderClient({
    provider: provider.address,
    money: ports.money,
    account: ports.signer?.address,
    async call({ maxBytes = MAX_JSON_BYTES, ...request }, options) {
      const headers = request.body ? { 'content-type': JSON_TYPE } : {}
      const answer = await call({ ...request, headers }, maxBytes, options, CONTROL_TIMEOUT_MS)
      return recordOf(parseJsonAnswer(answer, 'provider'))
    },
    bad,
  })

  return {
    ...orders,
    address: provider.address,
    async info(options = {}) {
      const answer = await callJson({ method: 'GET', path: '/info' }, options, CONTROL_TIMEOUT_MS)
      const { address, freeBytes, pieces } = answer
      if (findAddress(address) !== provider.address) throw bad('with the address of another node')
      if (!isCount(freeBytes) || !isCount(pieces)) throw bad('without its free bytes or its pieces')
      return { address: provider.address, freeBytes, pieces }
    },
    async upload(uploadId, body, terms, options = {}) {
      const path = `/uploads?id=${hex32(uploadId)}&order=${terms.orderId}&max=${terms.maxBytes}`
      const request = { method: 'POST', path, body, signed: true, streams: true }
      const { root, sizeBytes } = await callJson(request, options, PIECE_TIMEOUT_MS)
      const received = findBytesFromHex(root, 32)
      if (!received || !isCount(sizeBytes)) throw bad('an upload without root or size')
      return { root: received, sizeBytes }
    },
    async commit(uploadId, piece, options = {}) {
      const { sizeBytes, orderId } = piece
      const body = utf8(JSON.stringify({ root: hexFromBytes(piece.root), sizeBytes, orderId }))
      const path = `/uploads/${hex32(uploadId)}/commit`
      const request = { method: 'POST', path, body, signed: true, headers: { 'content-type': JSON_TYPE } }
      const receipt = findReceiptFromJson((await callJson(request, options, CONTROL_TIMEOUT_MS)).receipt)
      const isOurs =
        receipt?.provider === provider.address &&
        receipt.sizeBytes === piece.sizeBytes &&
        equalBytes(receipt.root, piece.root) &&
        receipt.expiry * 1_000 > ports.clock.nowMs() &&
        isReceipt(ports.network, receipt)
      if (!isOurs) throw bad('a commit without a valid receipt')
      return receipt
    },
    async findSize(root, options = {}) {
      const request = { method: 'HEAD', path: `/pieces/${hex32(root)}` }
      const timeoutMs = options.timeoutMs ?? CONTROL_TIMEOUT_MS
      return await exchange(ports, provider, { ...request, timeoutMs, signal: options.signal }, async (response) => {
        if (response.status !== 200) {
          const error = await errorOfAnswer(response, 'provider')
          if (response.status === 404) return undefined
          throw error
        }
        await readAnswer(response, 0, 'provider')
        const size = Number(response.headers['content-length'])
        if (!response.headers['content-length'] || !isCount(size)) throw bad('a piece without a size')
        return size
      })
    },
    async readUnits(root, sizeBytes, options = {}) {
      const request = { method: 'GET', path: `/pieces/${hex32(root)}/units`, headers: voucherHeader(options) }
      const units = await call(request, unitsLengthOf(sizeBytes), options, CONTROL_TIMEOUT_MS)
      if (!areUnitsOf(root, sizeBytes, units)) throw corrupt(provider, root, 'unit nodes')
      return units
    },
    async read(piece, range, options = {}) {
      if (range.length === 0) return new Uint8Array(0)
      assert(piece.units || piece.sizeBytes <= UNIT_BYTES, 'the unit nodes of a piece of several units')
      const whole = unitRangeOf(piece.sizeBytes, range.offset, range.length)
      const span = `bytes=${whole.offset}-${whole.offset + whole.length - 1}`
      const headers = { range: span, ...voucherHeader(options) }
      const request = { method: 'GET', path: `/pieces/${hex32(piece.root)}`, headers, memory: options.memory }
      const answer = await call(request, whole.length, options, STRIP_TIMEOUT_MS)
      const { units, data } = ports.hashUnits
        ? await ports.hashUnits(answer)
        : { units: hashUnits(answer), data: answer }
      const isPiece = piece.units
        ? areUnitsAt(piece.units, whole.offset, units)
        : areUnitsOf(piece.root, piece.sizeBytes, units)
      if (data.length !== whole.length || !isPiece) {
        throw corrupt(provider, piece.root, `bytes ${whole.offset}–${whole.offset + whole.length - 1}`)
      }
      const at = range.offset - whole.offset
      return data.subarray(at, at + range.length)
    },
    async delete(root, options = {}) {
      const request = { method: 'DELETE', path: `/pieces/${hex32(root)}`, signed: true }
      return (await callJson(request, options, CONTROL_TIMEOUT_MS)).deleted === true
    },
  }
}

function voucherHeader({ voucher }: ReadOptions): Record<string, string> {
  return voucher === undefined ? {} : { [VOUCHER_HEADER]: voucher }
}

function corrupt(provider: Peer, root: Uint8Array, what: string): PieceCorruptError {
  const details = { provider: provider.address, root: hexFromBytes(root) }
  return new PieceCorruptError(`provider ${provider.address} gave ${what} that are not those of the piece`, details)
}
