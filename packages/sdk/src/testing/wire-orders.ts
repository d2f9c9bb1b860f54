import {
  type Account,
  type Address,
  type AmendmentTerms,
  amendmentDigest,
  BadInputError,
  type Chain,
  type CosignedCommitment,
  cosignedCommitmentToJson,
  createSetTree,
  equalBytes,
  findAmendmentTermsFromJson,
  findBytesFromHex,
  findOrderTermsFromJson,
  findSetCommitmentFromJson,
  findSetPieceFromJson,
  findVoucher,
  hex32,
  hexFromBytes,
  isSameCommitment,
  isVoucher,
  jsonResponse,
  NotFoundError,
  orderDigest,
  orderPieceToJson,
  ordersVerifierOf,
  quoteToJson,
  RemoteError,
  type SetTree,
  type Signer,
  setCommitmentDigest,
  type WireResponse,
} from '@memo/core'

/** Ways in which the money side of a {@link WireOrders} misbehaves; all can be changed while it runs. */
export type OrderFaults = {
  /** Refuses to sign orders and amendments, saying so. */
  refuseOrders?: string | undefined
  /** Adds so much to the price that it quotes. */
  overcharge?: bigint
  /** Signs with this key instead of its own. */
  signWith?: Signer | undefined
  /** Signs a commitment, and breaks before it answers. */
  losesAnswer?: boolean
  /** Lists no pieces, whatever it holds. */
  hidePieces?: boolean
  /** Lists pieces that nobody stored, without end. */
  inventsPieces?: boolean
  /** Serves so many bytes beyond the newest voucher, and none without one. */
  windowBytes?: number | undefined
  maxOrderEpochs?: number | undefined
}

/** The provider's side of orders, commitments and vouchers (`spec/wire.md` 8 to 12), as far as clients see it. */
export type WireOrders = {
  readonly faults: OrderFaults
  /** Pieces by order, 64 hex digits, with their sizes. */
  readonly held: Map<bigint, Map<string, number>>
  /** The newest commitment of each order. */
  readonly commitments: Map<bigint, CosignedCommitment>
  /** Bytes that the newest voucher of each order says. */
  readonly paid: Map<bigint, bigint>
  /** Bytes served against vouchers, of each order. */
  readonly served: Map<bigint, bigint>
  quote(): Promise<WireResponse>
  sign(account: Address, path: readonly string[], body: unknown): Promise<WireResponse>
  commit(account: Address, body: unknown): Promise<WireResponse>
  newest(orderId: bigint): WireResponse
  list(orderId: bigint, after: string | null): WireResponse
  /** Checks that an upload has room under its order. */
  admit(account: Address, orderId: number, maxBytes: number): Promise<void>
  /** Charges a read. */
  charge(voucher: string | undefined, bytes: number): void
}

const PAGE = 1_000
const MAX_ORDER_EPOCHS = 1_000_000

export function createWireOrders({ chain, signer }: { readonly chain: Chain; readonly signer: Signer }): WireOrders {
  const verifier = ordersVerifierOf(chain.money)
  const faults: OrderFaults = {}
  const held: WireOrders['held'] = new Map()
  const commitments: WireOrders['commitments'] = new Map()
  const trees = new Map<bigint, SetTree>()
  const paid: WireOrders['paid'] = new Map()
  const served: WireOrders['served'] = new Map()
  const account = async () => (await chain.findAccount(signer.address)) as Account
  const signed = async (digest: Uint8Array) =>
    jsonResponse(200, { signature: hexFromBytes(await (faults.signWith ?? signer).signDigest(digest)) })
  const treeOf = (orderId: bigint) => trees.get(orderId) ?? createSetTree()
  const usedBytes = (orderId: bigint) => [...(held.get(orderId)?.values() ?? [])].reduce((sum, size) => sum + size, 0)

  return {
    faults,
    held,
    commitments,
    paid,
    served,
    async quote() {
      const { storagePriceAttoPerGiBSecond, retrievalPriceAttoPerByte } = await account()
      const quote = {
        provider: signer.address,
        priceAttoPerGiBSecond: storagePriceAttoPerGiBSecond + (faults.overcharge ?? 0n),
        retrievalPriceAttoPerByte,
        freeBytes: 2 ** 40,
        maxOrderEpochs: faults.maxOrderEpochs ?? MAX_ORDER_EPOCHS,
        readWindowBytes: 2 ** 26,
      }
      return jsonResponse(200, quoteToJson(quote))
    },
    async sign(user, path, body) {
      if (faults.refuseOrders) throw refusal('OrderRefusedError', faults.refuseOrders)
      const { terms } = body as { terms: unknown }
      if (path.length === 1) {
        const order = findOrderTermsFromJson(terms, user)
        if (!order) throw new BadInputError('no order')
        return await signed(orderDigest(verifier, order))
      }
      const amendment: AmendmentTerms | undefined = findAmendmentTermsFromJson(terms)
      if (!amendment) throw new BadInputError('no amendment')
      return await signed(amendmentDigest(verifier, amendment))
    },
    async commit(_, body) {
      const { commitment: said, signature, added, removed } = body as Record<string, unknown>
      const commitment = findSetCommitmentFromJson(said)
      const userSignature = findBytesFromHex(signature, 65)
      if (!commitment || !userSignature) throw new BadInputError('no commitment')
      const { orderId } = commitment
      const newest = commitments.get(orderId)
      if (!newest || !isSameCommitment(newest.commitment, commitment)) {
        const head = { seq: `${newest?.commitment.seq ?? 0n}`, setRoot: hexFromBytes(treeOf(orderId).setRoot) }
        const mismatch = (why: string) => refusal('CommitmentMismatchError', why, head)
        if (commitment.seq !== (newest?.commitment.seq ?? 0n) + 1n) throw mismatch('another is next')
        const pieces = (added as unknown[]).map((one) => findSetPieceFromJson(one)!)
        const isHeld = pieces.every(({ root, sizeBytes }) => held.get(orderId)?.get(hex32(root)) === sizeBytes)
        if (!isHeld) throw mismatch('not held')
        const roots = (removed as unknown[]).map((one) => findBytesFromHex(one, 32)!)
        const next = treeOf(orderId).apply({ added: pieces, removed: roots })
        if (!equalBytes(next.setRoot, commitment.setRoot)) throw mismatch('another root')
        trees.set(orderId, next)
        const providerSignature = await signer.signDigest(setCommitmentDigest(verifier, commitment))
        commitments.set(orderId, { commitment, userSignature, providerSignature })
      }
      if (faults.losesAnswer) throw new BadInputError('the line broke', { blame: 'provider', retry: 'now' })
      return await signed(setCommitmentDigest(verifier, commitment))
    },
    newest(orderId) {
      const newest = commitments.get(orderId)
      if (!newest) throw new NotFoundError('no commitment')
      return jsonResponse(200, cosignedCommitmentToJson(newest))
    },
    list(orderId, after) {
      const tree = treeOf(orderId)
      if (faults.inventsPieces) {
        const next = (BigInt(`0x${after ?? '0'}`) + 1n).toString(16).padStart(64, '0')
        const root = findBytesFromHex(`0x${next}`, 32)!
        return jsonResponse(200, { pieces: [orderPieceToJson({ root, sizeBytes: 1, committed: false })] })
      }
      const roots = new Map(held.get(orderId))
      for (const { root, sizeBytes } of tree.pieces()) roots.set(hex32(root), sizeBytes)
      const page = [...roots]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .filter(([root]) => after === null || root > after)
        .slice(0, faults.hidePieces ? 0 : PAGE)
      const pieces = page.map(([hex, sizeBytes]) => {
        const root = findBytesFromHex(`0x${hex}`, 32)!
        return orderPieceToJson({ root, sizeBytes, committed: tree.findSize(root) !== undefined })
      })
      return jsonResponse(200, { pieces })
    },
    async admit(user, orderId, maxBytes) {
      if (orderId === 0) return
      const order = await chain.findOrder(BigInt(orderId))
      const size = Number(order?.segments.at(-1)?.sizeBytes ?? 0n)
      const isOurs = order?.user === user && order.provider === signer.address
      if (isOurs && usedBytes(BigInt(orderId)) + maxBytes <= size) return
      const details = isOurs ? { usedBytes: usedBytes(BigInt(orderId)) } : {}
      throw refusal('OrderRefusedError', isOurs ? 'the order is full' : 'no such order', details)
    },
    charge(text, bytes) {
      const signedVoucher = text === undefined ? undefined : findVoucher(text)
      if (signedVoucher && !isVoucher(chain.money, signedVoucher)) throw refusal('PaymentRequiredError', 'not signed')
      if (!signedVoucher) {
        if (faults.windowBytes !== undefined) throw refusal('PaymentRequiredError', 'nothing is served unpaid')
        return
      }
      const { orderId, bytesRead, payer } = signedVoucher.voucher
      const bytesPaid = [paid.get(orderId) ?? 0n, bytesRead].reduce((a, b) => (a > b ? a : b))
      paid.set(orderId, bytesPaid)
      const bytesServed = (served.get(orderId) ?? 0n) + BigInt(bytes)
      if (bytesServed > bytesPaid + BigInt(faults.windowBytes ?? Number.MAX_SAFE_INTEGER)) {
        const due = { orderId: `${orderId}`, payer, bytesServed: `${bytesServed}`, bytesPaid: `${bytesPaid}` }
        throw refusal('PaymentRequiredError', 'more was served than is paid', due)
      }
      served.set(orderId, bytesServed)
    },
  }
}

function refusal(name: string, message: string, details: Readonly<Record<string, unknown>> = {}): RemoteError {
  return new RemoteError({ error: { name, message, blame: 'user', retry: 'now', details } })
}
