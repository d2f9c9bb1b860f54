import { originalVoucherHash, type QuotaKind } from '@memo/chain'
import { type Address, findAddress, hexFromBytes } from '@memo/core'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { findAdmin } from '../admin.ts'
import { askerOf } from '../asker.ts'
import type { FieldSource } from '../auth/fields.ts'
import type { GatewayContext } from '../context.ts'
import { asContractError } from '../contract-error.ts'
import { ApiError } from '../errors.ts'
import { bigJson, findSize } from '../quota/numbers.ts'
import { findVoucher } from '../quota/vouchers.ts'
import { warn } from '../quota-warning.ts'
import { readCall } from '../request.ts'

const KINDS: readonly QuotaKind[] = ['space', 'traffic']
/** What clients of several generations call the two. */
const KIND_NAMES: Readonly<Record<string, QuotaKind>> = {
  store: 'space',
  space: 'space',
  read: 'traffic',
  traffic: 'traffic',
}
const MAX_AMOUNT_DIGITS = 39
const HASH = /^0x[0-9a-fA-F]{64}$/

/** Quota: what is left, what vouchers sign, and how more is bought (`spec/gateway.md` 16). */
export function quotaRoutes(app: FastifyInstance, context: GatewayContext): void {
  for (const kind of KINDS) {
    const Kind = kind === 'space' ? 'Space' : 'Traffic'
    app.get(`/mefs/${kind}`, async (request, reply) => {
      const call = await readCall(request)
      const { account } = await askerOf(context, request, call)
      const voucher = findVoucher(call.sources, request.headers)
      if (voucher) await context.quota.offerVoucher(account, kind, voucher)
      const warning = await warn(context, reply, account)
      return await sendJson(reply, await statusOf(context, account, kind, warning))
    })
    const hash = async (buyer: Address, fields: FieldSource) =>
      await hashOf(context, buyer, kind, sizeFrom(fields, 'a voucher says how many bytes it is over as size'))
    restricted(app, context, `/mefs/${kind}hash`, hash)
    if (kind === 'traffic') restricted(app, context, '/traffichash', hash)
    restricted(app, context, `/mefs/buy${kind}`, async (buyer, fields) => {
      const size = sizeFrom(fields, 'a purchase says how many bytes it is of as size')
      if (size === 0n) throw new ApiError(518, 'a purchase is of a byte at the least')
      return await purchaseOf(context, buyer, kind, size)
    })
    app.get(`/mefs/get${Kind}Price`, async (_request, reply) => {
      return await sendJson(reply, (await context.quota.market.priceOf(kind)).toString())
    })
    app.get(`/mefs/cash${kind}`, async (request, reply) => {
      const call = await readCall(request)
      await findAdmin(context, request, call)
      const address = findAddress(call.fields.address)
      if (!address) throw new ApiError(517, 'address is null')
      const tx = await asContractError(async () => await context.cashier.cash(kind, address))
      if (tx === undefined) throw new ApiError(518, `there is no voucher of ${address} for ${kind}`)
      return await sendJson(reply, JSON.stringify(tx))
    })
  }

  restricted(app, context, '/mefs/approve', async (buyer, fields) => {
    const kind = kindFrom(fields)
    const text = String(fields.size ?? fields.value ?? '')
    if (!/^[0-9]+$/.test(text) || text.length > MAX_AMOUNT_DIGITS) {
      throw new ApiError(518, 'an approval says how many attomemo it is over as size')
    }
    const { market } = context.quota
    const tx = await asContractError(async () => await market.prepareApproval(kind, buyer, BigInt(text)))
    return bigJson({ tx, kind: 'approve', unsigned: true })
  })
  restricted(app, context, '/mefs/allowance', async (buyer, fields) =>
    (await context.quota.market.allowanceOf(kindFrom(fields), buyer)).toString(),
  )
  restricted(app, context, '/mefs/balance', async (buyer) =>
    JSON.stringify({ Address: buyer, Balance: (await context.quota.market.balanceOf(buyer)).toString() }),
  )
  app.get<{ Querystring: { receipt?: string } }>('/mefs/receipt', async (request, reply) => {
    const hash = request.query.receipt ?? ''
    if (!HASH.test(hash)) throw new ApiError(519, 'a receipt is asked for by the hash of its transaction')
    const status = await context.quota.market.receiptOf(hash as `0x${string}`)
    if (status !== 'success') throw new ApiError(519, status ?? `no block has the transaction ${hash}`)
    return await sendJson(reply, '"success"')
  })
}

/** A route for a buyer: the account itself, or the owner of a DID, whose buyer its master key is; answers JSON text. */
function restricted(
  app: FastifyInstance,
  context: GatewayContext,
  url: string,
  answer: (buyer: Address, fields: FieldSource) => Promise<string>,
): void {
  app.get(url, async (request, reply) => {
    const call = await readCall(request)
    const { account } = await askerOf(context, request, call)
    return await sendJson(reply, await answer(account, call.fields))
  })
}

async function sendJson(reply: FastifyReply, json: string): Promise<FastifyReply> {
  return await reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(json)
}

async function statusOf(
  { quota }: GatewayContext,
  buyer: Address,
  kind: QuotaKind,
  warning: string | undefined,
): Promise<string> {
  const { info, used, prepaid, voucherSize, trialBytes, trialUsed } = await quota.status(buyer, kind)
  return bigJson({
    Nonce: info.nonce,
    Balance: info.balanceAtto,
    SizeByte: info.sizeByte,
    FreeByte: info.freeByte,
    Expire: info.expire,
    Used: used,
    Signed: voucherSize,
    Prepaid: prepaid,
    TrialByte: trialBytes,
    TrialUsed: trialUsed,
    ...(warning === undefined ? {} : { Warning: warning }),
  })
}

/** What a buyer signs: the original's hash, and beside it what the form of EIP-712 is made of. */
async function hashOf({ quota }: GatewayContext, buyer: Address, kind: QuotaKind, size: bigint): Promise<string> {
  const { market } = quota
  const [seller, { nonce }] = await Promise.all([market.seller(), market.quotaOf(kind, buyer)])
  const payAddress = market.payAddressOf(kind)
  const hash = hexFromBytes(originalVoucherHash(payAddress, { nonce, sizeByte: size, seller }))
  const names = { PayAddr: payAddress, Seller: seller, Buyer: buyer }
  return bigJson({ hash, ...names, SizeByte: size, Nonce: nonce, ChainId: market.chainId })
}

async function purchaseOf({ quota }: GatewayContext, buyer: Address, kind: QuotaKind, size: bigint): Promise<string> {
  const { market } = quota
  return await asContractError(async () => {
    const [price, allowance, tx] = await Promise.all([
      market.priceOf(kind),
      market.allowanceOf(kind, buyer),
      market.preparePurchase(kind, buyer, size),
    ])
    // As texts: sums of money are beyond 2^53 here, and these keys are ours.
    return bigJson({ tx, kind: `buy${kind}`, unsigned: true, cost: `${price * size}`, allowance: `${allowance}` })
  })
}

function sizeFrom({ size }: FieldSource, otherwise: string): bigint {
  const bytes = findSize(size)
  if (bytes === undefined) throw new ApiError(518, otherwise)
  return bytes
}

function kindFrom({ type }: FieldSource): QuotaKind {
  const kind = typeof type === 'string' && Object.hasOwn(KIND_NAMES, type) ? KIND_NAMES[type] : undefined
  if (!kind) throw new ApiError(518, 'type is store or read')
  return kind
}
