import type { Address, Chain, Clock } from '@memo/core'
import {
  BadInputError,
  type ByteStream,
  bytesResponse,
  concatBytes,
  createPieceHasher,
  createRequestVerifier,
  equalBytes,
  errorResponse,
  findBytesFromHex,
  type Handler,
  hex32,
  hexFromBytes,
  jsonResponse,
  type Network,
  NotFoundError,
  type PieceDigest,
  parseJson,
  RemoteError,
  readBody,
  receiptToJson,
  type Signer,
  signReceipt,
  VOUCHER_HEADER,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { createWireOrders, type WireOrders } from './wire-orders.ts'

/** Ways in which a {@link WireProvider} misbehaves; all can be changed while it runs. */
export type ProviderFaults = {
  /** Says so when an upload begins. */
  refuseUpload?: string | undefined
  /** Says so when the whole piece has arrived. */
  refuseStored?: string | undefined
  /** Answers an upload with another root than it received. */
  lieAboutRoot?: boolean
  refuseCommit?: boolean
  /** Signs receipts with this key. */
  receiptSigner?: Signer | undefined
  receiptSeconds?: number
  /** Flips a bit of every stretch that is read. */
  corruptReads?: boolean
  refuseReads?: boolean
  /** Says of what it is asked to delete that whoever asks has not stored it. */
  disownsPieces?: boolean
  /** Called before each strip is taken. */
  onBytes?: ((bytes: number) => Promise<void>) | undefined
}

type HeldPiece = { readonly bytes: Uint8Array; readonly digest: PieceDigest; readonly orderId: number }

/** The provider's side of `spec/wire.md` 4 with all pieces in memory: for tests of what clients do about faults. */
export type WireProvider = {
  readonly handler: Handler
  readonly faults: ProviderFaults
  /** By root, 64 hex digits. */
  readonly pieces: ReadonlyMap<string, HeldPiece>
  /** What it knows of money; undefined where it was made without a chain. */
  readonly orders: WireOrders | undefined
  /** Paths of the requests so far. */
  readonly requests: string[]
  dropPiece(root: string): void
}

const DAY_SECONDS = 86_400
const MAX_BODY_BYTES = 65_536
const MAX_MONEY_BYTES = 524_288

export function createWireProvider(options: {
  readonly network: Network
  readonly signer: Signer
  readonly clock: Clock
  /** Where there are orders; without one it takes no money. */
  readonly chain?: Chain | undefined
}): WireProvider {
  const { network, signer, clock, chain } = options
  const orders = chain && createWireOrders({ chain, signer })
  const verifier = createRequestVerifier({ network, audience: signer.address, clock })
  const pieces = new Map<string, HeldPiece>()
  const uploads = new Map<string, HeldPiece>()
  const requests: string[] = []
  const faults: ProviderFaults = {}

  const upload = async (request: WireRequest, query: URLSearchParams) => {
    const account = verifier.verify(request, 'stream')
    const orderId = Number(query.get('order'))
    await orders?.admit(account, orderId, Number(query.get('max')))
    if (faults.refuseUpload) throw new BadInputError(faults.refuseUpload, { blame: 'provider' })
    const parts: Uint8Array[] = []
    const hasher = createPieceHasher()
    let length = 0
    for await (const bytes of (request.body ?? []) as ByteStream) {
      await faults.onBytes?.(bytes.length)
      parts.push(bytes)
      hasher.update(bytes)
      length += bytes.length
      if (length > Number(query.get('max'))) throw new BadInputError('more than was said')
    }
    if (faults.refuseStored) throw new BadInputError(faults.refuseStored, { blame: 'provider' })
    const digest = hasher.finish()
    uploads.set(query.get('id') ?? '', { bytes: concatBytes(...parts), digest, orderId })
    const root = digest.root.slice()
    if (faults.lieAboutRoot) root[0]! ^= 1
    return jsonResponse(200, { root: hexFromBytes(root), sizeBytes: digest.sizeBytes })
  }
  /** What is held under another order comes under this one. */
  const takeOver = async (
    account: Address,
    { root, sizeBytes, orderId = 0 }: { readonly root: string; readonly sizeBytes: number; readonly orderId?: number },
  ): Promise<HeldPiece | undefined> => {
    const held = orderId > 0 ? pieces.get(root.slice(2)) : undefined
    if (!held) return undefined
    await orders?.admit(account, orderId, sizeBytes)
    return { ...held, orderId }
  }
  const commit = async (request: WireRequest, id: string) => {
    const body = await readBody(request, MAX_BODY_BYTES)
    const account = verifier.verify(request, body)
    if (faults.refuseCommit) throw new BadInputError('not today', { blame: 'provider' })
    const said = parseJson(body) as { root: string; sizeBytes: number; orderId?: number }
    const piece = uploads.get(id) ?? (await takeOver(account, said))
    if (!piece) throw new NotFoundError('no such upload')
    const { root, sizeBytes } = piece.digest
    const isSame = said.sizeBytes === sizeBytes && equalBytes(findBytesFromHex(said.root) ?? root.slice(1), root)
    if (!isSame) throw new BadInputError('another root')
    pieces.set(hex32(root), piece)
    hold(piece)
    const expiry = Math.floor(clock.nowMs() / 1000) + (faults.receiptSeconds ?? DAY_SECONDS)
    const receipt = await signReceipt(
      network,
      { orderId: piece.orderId, root, sizeBytes, expiry },
      faults.receiptSigner ?? signer,
    )
    return jsonResponse(200, { receipt: receiptToJson({ ...receipt, provider: signer.address }) })
  }
  const read = (request: WireRequest, root: string, what: string | undefined): WireResponse => {
    const piece = pieces.get(root)
    if (!piece) throw new NotFoundError('no such piece')
    if (faults.refuseReads) throw new BadInputError('no reads today', { blame: 'provider' })
    const voucher = request.headers[VOUCHER_HEADER]
    if (what === 'units') {
      orders?.charge(voucher, piece.digest.units.length)
      return bytesResponse(200, piece.digest.units.slice())
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const bytes = from === undefined ? piece.bytes.slice() : piece.bytes.slice(Number(from), Number(to) + 1)
    if (request.method === 'GET') orders?.charge(voucher, bytes.length)
    if (faults.corruptReads && request.method === 'GET') bytes[0]! ^= 1
    return bytesResponse(from === undefined ? 200 : 206, bytes)
  }
  const hold = ({ orderId, digest }: HeldPiece) => {
    if (!orders || orderId === 0) return
    const roots = orders.held.get(BigInt(orderId)) ?? new Map<string, number>()
    orders.held.set(BigInt(orderId), roots.set(hex32(digest.root), digest.sizeBytes))
  }
  const money = async (
    side: WireOrders,
    request: WireRequest,
    path: readonly string[],
    query: URLSearchParams,
  ): Promise<WireResponse> => {
    const [noun, id = '0'] = path
    if (noun === 'quote') return await side.quote()
    if (noun === 'commitments' && request.method === 'GET') return side.newest(BigInt(id))
    const body = await readBody(request, MAX_MONEY_BYTES)
    const account = verifier.verify(request, body)
    if (noun === 'commitments') return await side.commit(account, parseJson(body))
    if (noun === 'orders' && request.method === 'POST') return await side.sign(account, path, parseJson(body))
    if (noun === 'orders') return side.list(BigInt(id), query.get('after'))
    throw new NotFoundError('no such path')
  }
  const answer = async (request: WireRequest): Promise<WireResponse> => {
    const { pathname, searchParams } = new URL(request.url, 'http://here')
    requests.push(`${request.method} ${pathname}`)
    const [, noun, id = '', what] = pathname.split('/')
    if (request.method === 'POST' && noun === 'uploads') {
      return what === 'commit' ? await commit(request, id) : await upload(request, searchParams)
    }
    if (noun === 'pieces' && request.method === 'DELETE') {
      verifier.verify(request, new Uint8Array(0))
      if (faults.disownsPieces) throw notStored()
      for (const roots of orders?.held.values() ?? []) roots.delete(id)
      return jsonResponse(200, { deleted: pieces.delete(id) })
    }
    if (noun === 'pieces') return read(request, id, what)
    if (orders) return await money(orders, request, pathname.split('/').slice(1), searchParams)
    throw new NotFoundError('no such path')
  }
  return {
    handler: async (request) => await answer(request).catch(errorResponse),
    faults,
    pieces,
    orders,
    requests,
    dropPiece: (root) => void pieces.delete(root),
  }
}

function notStored(): RemoteError {
  return new RemoteError({ error: { name: 'ForbiddenError', message: 'never stored', blame: 'user', retry: 'never' } })
}
