import type { QuotaInfo, QuotaKind } from '@memo/chain'
import {
  type Address,
  type ByteStream,
  createTurns,
  hexFromBytes,
  type IndexStore,
  MemoError,
  maxOf,
  minOf,
  type Randomness,
  type Turns,
} from '@memo/core'
import { ApiError } from '../errors.ts'
import { paidRoom, withoutCharge } from './account.ts'
import { type Charges, openCharges, type Taken } from './charges.ts'
import { createLasting, findWarning, type Lasting, type Warning } from './lasting.ts'
import { type Hold, type Ledger, openLedger, withQuotaCharge } from './ledger.ts'
import type { Market } from './market.ts'
import { createVoucherDesk, type GivenVoucher, type VoucherDesk } from './vouchers.ts'

/** What a gateway gives for nothing. */
export type QuotaLimits = {
  /** Trial bytes of each buyer that are stored at a time. */
  readonly trialSpaceBytes: number
  /** Trial bytes of each buyer that are read in all. */
  readonly trialTrafficBytes: number
  /** What is stored beyond the trial is kept for so long after its quota has ended. */
  readonly graceSeconds?: number | undefined
  /** A block under so many others stays. */
  readonly cashDepthBlocks?: number | undefined
}

/** An upload as far as quota goes. Ends with one of `settle` and `fail`, if it ever began, and with `release`. */
export type UploadQuota = {
  /** The same bytes; ends with {@link ApiError} 518 where they are more than the owner may store. */
  watch(file: ByteStream): ByteStream
  /** Counts what has streamed by for object `id`, durably, before anybody can see it. */
  count(id: number): Promise<void>
  /** The upload became object `id`, which may be an older one with the same bytes. */
  settle(id: number): Promise<void>
  /** It became nothing; or, where its entry was handed over, may yet become something. */
  fail(isHandedOver: boolean): Promise<void>
  /** Lets go what was set aside; must be called in the end. */
  release(): void
}

/** A download as far as quota goes. */
export type DownloadQuota = {
  watch(bytes: ByteStream): ByteStream
  /** Gives back what was not sent; all of it where the answer never began. */
  end(hasBegun: boolean): Promise<void>
}

/** What is left of a kind, for `GET /mefs/space` and `/traffic`. */
export type QuotaStatus = {
  readonly info: QuotaInfo
  /** Bytes under the running nonce, those of transfers under way included. */
  readonly used: bigint
  /** Bytes that vouchers which are cashed have paid for, and that are not used. */
  readonly prepaid: bigint
  readonly voucherSize: bigint
  readonly trialBytes: bigint
  readonly trialUsed: bigint
}

/** Who may store and read how much (`spec/gateway.md` 12 to 15). */
export type Quota = {
  readonly market: Market
  readonly ledger: Ledger
  readonly desk: VoucherDesk
  readonly turns: Turns
  readonly lasting: Lasting
  /** Takes a voucher outside a transfer where it is good, and then what is over under it. */
  offerVoucher(buyer: Address, kind: QuotaKind, voucher: GivenVoucher): Promise<void>
  status(buyer: Address, kind: QuotaKind): Promise<QuotaStatus>
  /** Lets an upload in. `leastBytes`: how long its file is at the least. Errors: {@link ApiError} 518. */
  beginUpload(buyer: Address, voucher: GivenVoucher | undefined, leastBytes: number): Promise<UploadQuota>
  /** Lets a download of `length` bytes in, and counts them. Errors: {@link ApiError} 518. */
  beginDownload(buyer: Address, voucher: GivenVoucher | undefined, length: number): Promise<DownloadQuota>
  /** An object is about to be deleted. */
  beginDeletion(id: number): Promise<void>
  /** It is: what it took is given back. */
  endDeletion(id: number): Promise<void>
  /** Settles what a crash left open; `exists` tells of an object. Called once, when the table of objects is complete. */
  recover(exists: (id: number) => Promise<boolean>): Promise<void>
}

const ID_DIGITS = 12
const GRACE_SECONDS = 30 * 86_400
const DEPTH_BLOCKS = 64
const FLOW = 'flow-'
const FLOW_BYTES = 16

/** Quota over a store that one gateway uses at a time; what is marked in it now is settled by `recover`. */
export async function createQuota(ports: {
  readonly store: IndexStore
  readonly market: Market
  readonly random: Randomness
  readonly nowMs: () => number
  readonly limits: QuotaLimits
}): Promise<Quota> {
  const { store, market, random, nowMs, limits } = ports
  const ledger = openLedger(store)
  const charges = openCharges(store, ledger)
  const turns = createTurns()
  const desk = createVoucherDesk({ market, ledger, turns, nowMs })
  const { graceSeconds = GRACE_SECONDS, cashDepthBlocks: depthBlocks = DEPTH_BLOCKS } = limits
  const trialBytes = BigInt(limits.trialSpaceBytes)
  const lasting = createLasting({ store, market, ledger, desk, charges, trialBytes, graceSeconds, depthBlocks })
  const marked = await charges.listMarked()
  const trialLimits = { space: BigInt(limits.trialSpaceBytes), traffic: BigInt(limits.trialTrafficBytes) }

  const enter = async (
    buyer: Address,
    trialKind: QuotaKind,
    kinds: readonly QuotaKind[],
    voucher: GivenVoucher | undefined,
  ): Promise<Entered> => {
    const { payKind = trialKind, refusal } = await offer(desk, buyer, kinds, voucher)
    // What is stored already comes before what is to be stored.
    const over = trialKind === 'space' ? await lasting.takeOver(buyer) : undefined
    const { isUsable, expire: until } = await desk.look(buyer, payKind)
    const terms = {
      buyer,
      trialKind,
      trialLimit: trialLimits[trialKind],
      payKind: isUsable && !over?.has(payKind) ? payKind : undefined,
    }
    return { buyer, trialKind, payKind, until, refusal, hold: await ledger.hold(terms) }
  }
  const take = async ({ buyer, trialKind, payKind, refusal, hold }: Entered, bytes: bigint): Promise<void> => {
    const missing = hold.take(bytes)
    if (missing === 0n) return
    const warning = trialKind === 'space' ? await findWarning(lasting, buyer) : undefined
    const over = sumOver(warning, payKind)
    const why = refusal ?? (await shortage({ market, ledger }, { buyer, kind: payKind, missing, over }))
    throw warning ? new ApiError(518, `${why.detail}; ${warning.text}`, why, why.headers) : why
  }

  return {
    market,
    ledger,
    desk,
    turns,
    lasting,
    async offerVoucher(buyer, kind, voucher) {
      await offer(desk, buyer, [kind], voucher)
      await lasting.takeOver(buyer)
    },
    async status(buyer, kind) {
      const info = await market.quotaOf(kind, buyer)
      await desk.look(buyer, kind)
      const { quota, held } = await ledger.read(buyer)
      const beyond = quota[kind].paidUsed + held[kind].paid - quota[kind].cashedBytes
      return {
        info,
        used: maxOf(0n, beyond),
        prepaid: maxOf(0n, -beyond),
        voucherSize: quota[kind].voucher?.size ?? 0n,
        trialBytes: trialLimits[kind],
        trialUsed: quota[kind].trialUsed + held[kind].trial,
      }
    },
    async beginUpload(buyer, voucher, leastBytes) {
      const entered = await enter(buyer, 'space', ['space', 'traffic'], voucher)
      try {
        await take(entered, BigInt(leastBytes))
      } catch (thrown) {
        entered.hold.release()
        throw thrown
      }
      return createUpload(charges, entered, async (bytes) => await take(entered, bytes))
    },
    async beginDownload(buyer, voucher, length) {
      const entered = await enter(buyer, 'traffic', ['traffic'], voucher)
      try {
        await take(entered, BigInt(length))
        const id = `${FLOW}${hexFromBytes(random.bytes(FLOW_BYTES))}`
        const taken = await countHold(charges, entered, id)
        return createDownload(ledger, charges, id, taken)
      } finally {
        entered.hold.release()
      }
    },
    beginDeletion: async (id) => await charges.mark(objectKey(id)),
    endDeletion: async (id) => await charges.giveBack(objectKey(id)),
    async recover(exists) {
      for (const id of marked) await charges.settle(id, !id.startsWith(FLOW) && (await exists(Number(id))))
    },
  }
}

type Entered = {
  readonly buyer: Address
  readonly trialKind: QuotaKind
  readonly payKind: QuotaKind
  /** When the quota ends that pays. */
  readonly until: bigint
  /** Why the voucher that came was not taken. */
  readonly refusal: ApiError | undefined
  readonly hold: Hold
}

/**
 * Takes a voucher. That one is refused matters only to whom trial and earlier vouchers do not suffice: the original's
 * clients send one with every call.
 */
async function offer(
  desk: VoucherDesk,
  buyer: Address,
  kinds: readonly QuotaKind[],
  voucher: GivenVoucher | undefined,
): Promise<{ readonly payKind?: QuotaKind; readonly refusal?: ApiError }> {
  try {
    return voucher ? { payKind: await desk.accept(buyer, kinds, voucher) } : {}
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 518) return { refusal: thrown }
    throw thrown
  }
}

async function countHold(charges: Charges, entered: Entered, id: string): Promise<Taken> {
  const { buyer, trialKind, payKind, until, hold } = entered
  const charge = await hold.count((counted) => {
    const lasts = trialKind === 'space' && counted.paid > 0n ? { until } : {}
    return charges.record(id, { ...counted, buyer, trialKind, payKind, ...lasts })
  })
  return { ...charge, buyer, trialKind, payKind }
}

function createUpload(charges: Charges, entered: Entered, take: (bytes: bigint) => Promise<void>): UploadQuota {
  const { hold } = entered
  let seen = 0n
  let counted: string | undefined
  return {
    async *watch(file) {
      for await (const bytes of file) {
        seen += BigInt(bytes.length)
        if (seen > hold.bytes) await take(seen - hold.bytes)
        yield bytes
      }
    },
    async count(id) {
      hold.shrink(seen)
      const key = objectKey(id)
      await countHold(charges, entered, key)
      counted = key
    },
    async settle(id) {
      if (counted === undefined) return
      const key = objectKey(id)
      // The same bytes again are the same object, which has its charge, unless it is older than the ledger.
      if (key !== counted && (await charges.find(key))) {
        await charges.giveBack(counted)
        await charges.settle(key, true)
      } else await charges.keep(key, counted)
    },
    async fail(isHandedOver) {
      if (counted === undefined) return
      if (isHandedOver) await charges.doubt(counted)
      else await charges.giveBack(counted)
    },
    release: () => hold.release(),
  }
}

function createDownload(ledger: Ledger, charges: Charges, id: string, taken: Taken): DownloadQuota {
  let sent = 0n
  return {
    async *watch(source) {
      for await (const bytes of source) {
        sent += BigInt(bytes.length)
        yield bytes
      }
    },
    async end(hasBegun) {
      const paidFor = hasBegun ? sent : 0n
      const trial = minOf(taken.trial, paidFor)
      const paid = paidFor - trial
      const unsent = { trial: taken.trial - trial, paid: maxOf(0n, taken.paid - paid), nonce: taken.nonce }
      await ledger.update(
        taken.buyer,
        (quota) => withQuotaCharge(quota, taken, unsent, withoutCharge),
        () => charges.removal(id),
      )
    },
  }
}

/** What to do about missing bytes, in words and in headers. */
async function shortage(
  { market, ledger }: { readonly market: Market; readonly ledger: Ledger },
  { buyer, kind, missing, over }: Shortage,
): Promise<ApiError> {
  const { quota, held } = await ledger.read(buyer)
  const account = quota[kind]
  const overdrawn = maxOf(0n, held[kind].paid - paidRoom(account))
  const isEnded = await hasEnded(market, buyer, kind)
  // What was signed under a quota that is over counts for nothing under the next.
  const size = (isEnded ? 0n : (account.voucher?.size ?? 0n) + overdrawn) + over + missing
  const headers = {
    'x-memo-missing-bytes': `${missing}`,
    'x-memo-voucher-kind': kind,
    'x-memo-voucher-size': `${size}`,
  }
  const says = `${missing} bytes of ${kind} are missing beyond the trial of this gateway`
  return new ApiError(518, `${says}; ${await remedy(market, buyer, kind, size, isEnded)}`, undefined, headers)
}

type Shortage = {
  readonly buyer: Address
  readonly kind: QuotaKind
  readonly missing: bigint
  /** Bytes that are in grace: a voucher pays them first. */
  readonly over: bigint
}

function sumOver(warning: Warning | undefined, kind: QuotaKind): bigint {
  const own = warning?.endings.filter((ending) => ending.isOver && ending.kind === kind) ?? []
  return own.reduce((sum, { bytes }) => sum + bytes, 0n)
}

/** Whether what was bought is over by the chain's time; not where that does not answer. */
async function hasEnded(market: Market, buyer: Address, kind: QuotaKind): Promise<boolean> {
  try {
    const { expire } = await market.quotaOf(kind, buyer)
    return expire > 0n && expire <= ((await market.timeAt(0)) ?? 0n)
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return false
  }
}

async function remedy(
  market: Market,
  buyer: Address,
  kind: QuotaKind,
  size: bigint,
  isEnded: boolean,
): Promise<string> {
  try {
    const seller = await market.seller()
    if (seller !== market.account) return `this gateway takes no vouchers: the market's seller is ${seller}`
    const { sizeByte, freeByte, nonce } = await market.quotaOf(kind, buyer)
    const short = isEnded ? size : size - sizeByte - freeByte
    if (short > 0n) return `\`memo buy ${kind} ${short}\` buys them for ${buyer}`
    return `sign a voucher over ${size} bytes under nonce ${nonce} and send it as size and sign`
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return `\`memo buy ${kind} ${size}\` buys them (the chain does not answer now)`
  }
}

/** How quota names an object. */
export function objectKey(id: number): string {
  return String(id).padStart(ID_DIGITS, '0')
}
