import { originalVoucherHash, type QuotaInfo, type QuotaKind, quotaVoucherDigest } from '@memo/chain'
import { type Address, findBytesFromHex, findSignerAddress, type Turns } from '@memo/core'
import type { FieldSource } from '../auth/fields.ts'
import { ApiError } from '../errors.ts'
import { type QuotaAccount, usedUnderNonce, withNonce } from './account.ts'
import type { BuyerQuota, Ledger } from './ledger.ts'
import type { Market } from './market.ts'
import { findSize } from './numbers.ts'

/** A voucher as a request carried it. */
export type GivenVoucher = { readonly size: bigint; readonly signature: Uint8Array }

const SIZE_HEADER = 'x-memo-size'
const SIGN_HEADER = 'x-memo-sign'

/**
 * The voucher of a request, from its body, form, query or headers; undefined where there is none. Errors:
 * {@link ApiError} 518 for one that cannot be.
 */
export function findVoucher(sources: readonly FieldSource[], headers: FieldSource): GivenVoucher | undefined {
  const find = (name: string, header: string) =>
    [...sources.map((source) => source[name]), headers[header]].find((value) => value !== undefined && value !== '')
  const sign = find('sign', SIGN_HEADER)
  if (sign === undefined) return undefined
  const size = findSize(find('size', SIZE_HEADER))
  const signature = findBytesFromHex(sign, 65)
  if (size === undefined) throw new ApiError(518, 'the size of a voucher is a whole number of bytes in 64 bits')
  if (!signature) {
    const text =
      'the signature of a voucher is 65 bytes as 0x and hex digits, made by a key: a contract could take its own back'
    throw new ApiError(518, text)
  }
  return { size, signature }
}

/** A buyer's account, and what he signed for. */
export type VoucherLook = {
  readonly account: QuotaAccount
  readonly isUsable: boolean
  /** When the quota ends, in unix seconds; 0 where the chain was not asked. */
  readonly expire: bigint
}

/** What vouchers are checked and kept with. */
export type VoucherDesk = {
  /**
   * Keeps a voucher of the buyer for one of `kinds`, durably, if it is the best under its nonce; returns which kind it
   * is for. Errors: {@link ApiError} 518 for one that could not be cashed, or that does not cover what was used.
   */
  accept(buyer: Address, kinds: readonly QuotaKind[], voucher: GivenVoucher): Promise<QuotaKind>
  /** The buyer's account under the nonce of now, and whether what he signed for can be used now. */
  look(buyer: Address, kind: QuotaKind): Promise<VoucherLook>
  /**
   * Brings the account to the nonce that the chain shows. Only in the turn of {@link deskKey}. Errors: RpcUnreachable, RpcRefused
   * where the chain does not tell now how a nonce ended; then nothing is changed.
   */
  sync(buyer: Address, kind: QuotaKind, info: QuotaInfo): Promise<QuotaAccount>
}

export function deskKey(buyer: Address, kind: QuotaKind): string {
  return `${kind} ${buyer}`
}

export function createVoucherDesk(ports: {
  readonly market: Market
  readonly ledger: Ledger
  readonly turns: Turns
  readonly nowMs: () => number
}): VoucherDesk {
  const { market, ledger, turns, nowMs } = ports
  /** By the chain's time, by which the contract ends it: the machine's clock may stand anywhere. */
  const isExpired = async ({ expire }: QuotaInfo) => expire <= ((await market.timeAt(0)) ?? 0n)

  const sync = async (buyer: Address, kind: QuotaKind, info: QuotaInfo): Promise<QuotaAccount> => {
    const known = (await ledger.read(buyer)).quota[kind]
    if (info.nonce <= known.nonce) return known
    // What was under way may be what moved the nonce, or have come too late: a quota that was ended paid for nothing.
    const isPaid = known.isCashing && (await market.endOf(kind, buyer, known.nonce)) === 'cashed'
    const quota = await ledger.update(buyer, (before) => {
      if (before[kind].nonce !== known.nonce) return before
      return { ...before, [kind]: withNonce({ ...before[kind], isCashing: isPaid }, info.nonce) }
    })
    return quota[kind]
  }
  /** The kind for which the buyer signed, with what the chain says of it now. */
  const findKind = async (buyer: Address, kinds: readonly QuotaKind[], voucher: GivenVoucher) => {
    for (const freshness of [undefined, 'fresh'] as const) {
      for (const kind of kinds) {
        const info = await market.quotaOf(kind, buyer, freshness)
        const isShort = voucher.size > info.sizeByte + info.freeByte || (await isExpired(info))
        // He may have bought some a moment ago.
        if (isShort && freshness === undefined) continue
        if (signersOf(market, kind, buyer, info.nonce, voucher).includes(buyer)) return { kind, info }
      }
    }
    return undefined
  }
  return {
    sync,
    async look(buyer, kind) {
      const { quota } = await ledger.read(buyer)
      // Who never signed anything costs the chain no question.
      if (!quota[kind].voucher && quota[kind].cashedBytes === 0n)
        return { account: quota[kind], isUsable: false, expire: 0n }
      const info = await market.quotaOf(kind, buyer)
      const { expire } = info
      if (info.nonce > quota[kind].nonce) {
        // A transaction of ours that was just mined is settled by whoever sent it.
        const account = await turns(deskKey(buyer, kind), async () => await sync(buyer, kind, info))
        return { account, isUsable: !(await isExpired(info)), expire }
      }
      return { account: quota[kind], isUsable: !(await isExpired(info)), expire }
    },
    async accept(buyer, kinds, voucher) {
      const seller = await market.seller()
      if (seller !== market.account) {
        throw new ApiError(518, `this gateway takes no vouchers: the market's seller is ${seller}, not its account`)
      }
      const found = await findKind(buyer, kinds, voucher)
      if (!found) {
        const names = kinds.map((kind) => `${kind} (${market.payAddressOf(kind)})`).join(' or ')
        throw new ApiError(
          518,
          `the voucher is not signed by ${buyer} over ${voucher.size} bytes of ${names} under the nonce of now, for the seller ${seller}`,
        )
      }
      const { kind, info } = found
      const bought = info.sizeByte + info.freeByte
      if (await isExpired(info))
        throw new ApiError(518, `the ${kind} of ${buyer} has expired; \`memo buy ${kind}\` buys more`)
      if (voucher.size > bought) {
        const fix = `\`memo buy ${kind} ${voucher.size - bought}\` buys what is missing`
        throw new ApiError(518, `the voucher is over ${voucher.size} bytes of ${kind}, ${buyer} has ${bought}; ${fix}`)
      }
      // In turn with the cashier: what comes under a nonce that is being cashed would be void at once.
      await turns(deskKey(buyer, kind), async () => {
        const account = await sync(buyer, kind, info)
        if (account.nonce !== info.nonce) {
          throw new ApiError(
            518,
            `the voucher is for nonce ${info.nonce}, which was cashed; the next one is ${account.nonce}`,
          )
        }
        const kept = account.voucher
        if (account.isCashing && kept && voucher.size > kept.size) {
          // What the chain pays is what was sent to it; a larger voucher would be void as soon as that is in a block.
          throw new ApiError(
            518,
            `a voucher over ${kept.size} bytes is being cashed; sign another under the next nonce`,
          )
        }
        const used = usedUnderNonce(account)
        if (voucher.size < used) {
          throw new ApiError(
            518,
            `the voucher is over ${voucher.size} bytes of ${kind}, and ${used} are used already`,
            undefined,
            {
              'x-memo-voucher-kind': kind,
              'x-memo-voucher-size': `${used}`,
            },
          )
        }
        await ledger.update(buyer, (quota) => withVoucher(quota, kind, voucher, Number(info.expire), nowMs()))
      })
      return kind
    },
  }
}

function withVoucher(
  quota: BuyerQuota,
  kind: QuotaKind,
  { size, signature }: GivenVoucher,
  expire: number,
  nowMs: number,
): BuyerQuota {
  const account = quota[kind]
  if (account.voucher && account.voucher.size >= size) return quota
  const voucher = { size, signature, expire, sinceMs: account.voucher?.sinceMs ?? nowMs }
  return { ...quota, [kind]: { ...account, voucher } }
}

/** Whoever made the signature, were it of either form (`spec/space-market.md` 7). */
function signersOf(
  market: Market,
  kind: QuotaKind,
  buyer: Address,
  nonce: bigint,
  { size, signature }: GivenVoucher,
): (Address | undefined)[] {
  const payAddress = market.payAddressOf(kind)
  const voucher = { buyer, seller: market.account, nonce, sizeByte: size }
  const verifier = { chainId: market.chainId, verifyingContract: payAddress }
  return [
    findSignerAddress(quotaVoucherDigest(verifier, voucher), signature),
    findSignerAddress(originalVoucherHash(payAddress, voucher), signature),
  ]
}
