import {
  type Address,
  BadInputError,
  type Chain,
  type Clock,
  createTurns,
  findVoucher,
  isVoucher,
  MemoError,
  maxOf,
  minOf,
  type PaymentDue,
  type ReadAllowanceInfo,
  type ReadVoucher,
  type SignedVoucher,
} from '@memo/core'
import { BusyError } from '../server/errors.ts'
import type { OrderReader } from '../server/order-reader.ts'
import { createHourlyBucket } from './hourly-bucket.ts'
import type { ProviderLimits } from './limits.ts'
import { type PaymentProblem, PaymentRequiredError } from './money-errors.ts'
import type { VoucherRow, VoucherRows } from './voucher-rows.ts'

/** Bytes that are about to be sent. */
export type Charge = {
  /** Takes back what was charged and not sent. */
  giveBack(bytes: number): void
}

/** Who pays for what is read (`spec/provider.md` 19 and 20). */
export type ReadPayments = {
  /** Charges a read to the payer of a voucher, or to what is read unpaid. Errors: {@link PaymentRequiredError}. */
  charge(voucher: string | undefined, bytes: number): Promise<Charge>
  /** Resolves when a voucher has come that is not durable. Rejects when `signal` is aborted. */
  waitForNews(signal: AbortSignal): Promise<void>
  /** Makes durable what vouchers came since the last time. */
  flush(): Promise<void>
  /**
   * What the chain has paid for a voucher meanwhile. The row is dropped once its allowance has been closed for
   * `paymentDepthBlocks`; with `isRewound` all that was paid is waited for anew.
   */
  refresh(row: VoucherRow, isRewound?: boolean): Promise<VoucherRow | undefined>
}

export type ReadPaymentsOptions = {
  readonly chain: Chain
  readonly clock: Clock
  readonly self: Address
  readonly reader: OrderReader
  readonly rows: VoucherRows
  /** The newest block, not older than what was read before. */
  readonly getBlockNumber: () => Promise<number>
  /** Whether no key signs for an account; where nobody can say, a bad signature is just that. */
  readonly isContract: ((account: Address) => Promise<boolean>) | undefined
  readonly limits: Pick<
    ProviderLimits,
    | 'readWindowBytes'
    | 'unpaidReadBytesPerHour'
    | 'unknownPayersPerHour'
    | 'contractChecksPerHour'
    | 'allowanceCacheMs'
    | 'paymentDepthBlocks'
  >
}

/** What one payer reads under one order. */
type ReadAccount = {
  readonly key: string
  signed: SignedVoucher
  text: string
  /** Under this allowance, and what was not paid of the one before. */
  bytesServed: bigint
  /** Until when what was served and not paid was forgiven as the window allows. */
  forgivenToMs: number
  allowance: ReadAllowanceInfo
  allowanceAtMs: number
  heldSinceMs: number
  /** How deep in the chain lies what was paid. */
  settling: Settling
  isDirty: boolean
}

/** What the last look at the chain found, beside the newest allowance that was read. */
type Settling = Pick<VoucherRow, 'bytesPaid' | 'bytesSettled' | 'seenAtBlock' | 'isVoid'>

/** An account before its first voucher. */
const NEW: Pick<ReadAccount, 'bytesServed' | 'forgivenToMs' | 'heldSinceMs' | 'settling' | 'isDirty'> = {
  settling: { bytesPaid: 0n, bytesSettled: 0n, seenAtBlock: undefined, isVoid: false },
  bytesServed: 0n,
  forgivenToMs: 0,
  heldSinceMs: 0,
  isDirty: false,
}
/** Payers that are remembered; of more, the one that read longest ago is forgotten, not its voucher. */
const MAX_ACCOUNTS = 10_000
/** A window that is not paid is forgiven in so long: what breaks off on its way is sent here and never counted there. */
const FORGIVE_MS = 86_400_000

export function createReadPayments(options: ReadPaymentsOptions): ReadPayments {
  const { chain, clock, self, reader, rows, limits } = options
  const unpaid = createHourlyBucket(clock, limits.unpaidReadBytesPerHour)
  const strangers = createHourlyBucket(clock, limits.unknownPayersPerHour)
  const contractChecks = createHourlyBucket(clock, limits.contractChecksPerHour)
  const accounts = new Map<string, ReadAccount>()
  /** Newest vouchers by their text: one that is repeated is not checked again. */
  const byText = new Map<string, ReadAccount>()
  const inTurn = createTurns()
  let tellNews: () => void = () => undefined

  const readAllowance = async ({ orderId, payer }: ReadVoucher) => ({
    allowance: await chain.getReadAllowance(orderId, payer),
    allowanceAtMs: clock.nowMs(),
  })
  const isFresh = ({ allowanceAtMs }: ReadAccount) => {
    const ageMs = clock.nowMs() - allowanceAtMs
    return ageMs >= 0 && ageMs < limits.allowanceCacheMs
  }
  const remember = (account: ReadAccount) => {
    accounts.delete(account.key) // and added again: the one longest unused comes first
    accounts.set(account.key, account)
    for (const [key, oldest] of accounts) {
      if (accounts.size <= MAX_ACCOUNTS) return
      if (oldest.isDirty || oldest === account) continue
      accounts.delete(key)
      byText.delete(oldest.text)
    }
  }
  const restore = async (key: string, { orderId, payer }: ReadVoucher): Promise<ReadAccount | undefined> => {
    const row = await rows.find(Number(orderId), payer)
    const signed = row && findVoucher(row.text)
    if (!row || !signed) return undefined
    const { text, heldSinceMs, bytesRead } = row
    const read = await readAllowance(signed.voucher)
    // What was served beyond the voucher is not remembered over a restart: the window bounds it.
    const account = {
      ...NEW,
      key,
      signed,
      text,
      bytesServed: bytesRead,
      ...read,
      heldSinceMs,
      settling: settlingOf(row),
    }
    byText.set(text, account)
    remember(account)
    return account
  }
  /** The account of a voucher that is not the newest one that is known. */
  const accept = async (text: string, signed: SignedVoucher): Promise<ReadAccount> => {
    const { voucher } = signed
    const key = `${voucher.orderId}/${voucher.payer}`
    const order = await reader.find(Number(voucher.orderId))
    if (order?.provider !== self) throw refused('other-order', 'the voucher names no order with this provider')
    const before = accounts.get(key) ?? (await restore(key, voucher))
    const isKnown = before && before.allowance.seq === voucher.seq && before.allowance.bytesAllowed >= voucher.bytesRead
    const { allowance, allowanceAtMs } = before && isKnown && isFresh(before) ? before : await readAllowance(voucher)
    if (allowance.seq !== voucher.seq) {
      throw refused('closed', `the voucher is of allowance ${voucher.seq}, and ${allowance.seq} is open`, {
        seq: `${allowance.seq}`,
      })
    }
    if (allowance.bytesAllowed === 0n || allowance.bytesAllowed < voucher.bytesRead) {
      throw refused('allowance', `the payer has locked money for ${allowance.bytesAllowed} bytes only`, {
        bytesAllowed: `${allowance.bytesAllowed}`,
      })
    }
    const last = before?.signed.voucher
    if (before && last?.seq === voucher.seq && last.bytesRead >= voucher.bytesRead) {
      Object.assign(before, { allowance, allowanceAtMs })
      return before // an older voucher says who reads; it takes back nothing
    }
    const isNext = last !== undefined && last.seq !== voucher.seq
    const wasHeld = last !== undefined && !isNext && last.bytesRead > allowance.bytesPaid
    const account: ReadAccount = before ?? { key, signed, text, ...NEW, allowance, allowanceAtMs }
    byText.delete(account.text)
    // What was read under an allowance that is closed, and never paid, counts against the next one.
    if (isNext) {
      account.bytesServed = maxOf(0n, account.bytesServed - last.bytesRead)
      account.settling = NEW.settling
    }
    if (!wasHeld) account.heldSinceMs = clock.nowMs()
    // In place: reads that are under way count on the same account.
    Object.assign(account, { signed, text, allowance, allowanceAtMs, isDirty: true })
    tellNews()
    byText.set(text, account)
    remember(account)
    return account
  }
  const refusedSignature = async (payer: Address): Promise<PaymentRequiredError> => {
    if (options.isContract && contractChecks.take(1) && (await isContract(payer))) {
      const fix = 'Lock the money from the account of a key, and let that sign.'
      const message = `${payer} is a contract, which could take its signature back before the voucher is redeemed`
      return new PaymentRequiredError('contract', message, { fix })
    }
    return refused('voucher', `the voucher is not signed by ${payer} for this network`)
  }
  const isContract = async (payer: Address): Promise<boolean> => {
    try {
      return (await options.isContract?.(payer)) ?? false
    } catch (thrown) {
      if (!(thrown instanceof MemoError)) throw thrown
      return false // it is refused anyhow; while the chain is silent, with fewer words
    }
  }
  const find = async (text: string): Promise<ReadAccount> => {
    const known = byText.get(text)
    if (known) return known
    const signed = findVoucher(text)
    if (!signed) throw new BadInputError('the header memo-voucher holds no voucher')
    const { orderId, payer } = signed.voucher
    if (orderId > BigInt(Number.MAX_SAFE_INTEGER) || !isVoucher(chain.money, signed)) {
      throw await refusedSignature(payer)
    }
    const key = `${orderId}/${payer}`
    const isKnown = accounts.has(key)
    if (!isKnown && !strangers.take(1)) throw new BusyError('provider', 'too many vouchers of nobody were shown to it')
    const account = await inTurn(key, async () => byText.get(text) ?? (await accept(text, signed)))
    if (!isKnown) strangers.giveBack(1)
    return account
  }
  const limitOf = ({ signed, allowance }: ReadAccount): bigint => {
    const { bytesRead } = signed.voucher
    // What is being closed is served as far as it is paid: later vouchers might come too late.
    if (allowance.closingBlock !== 0n) return bytesRead
    return minOf(bytesRead + BigInt(limits.readWindowBytes), allowance.bytesAllowed)
  }
  const forgive = (account: ReadAccount) => {
    const nowMs = clock.nowMs()
    const sinceMs = Math.min(Math.max(0, nowMs - account.forgivenToMs), FORGIVE_MS)
    const bytes = BigInt(Math.floor((sinceMs / FORGIVE_MS) * limits.readWindowBytes))
    const debt = account.bytesServed - account.signed.voucher.bytesRead
    // Less than a byte waits for the next time, or many requests would forgive nothing.
    if (bytes === 0n && sinceMs > 0 && debt > 0n) return
    account.forgivenToMs = nowMs
    if (debt > 0n) account.bytesServed -= minOf(bytes, debt)
  }
  const chargePaid = async (text: string, bytes: number): Promise<Charge> => {
    const account = await find(text)
    forgive(account)
    const isOver = () => account.bytesServed + BigInt(bytes) > limitOf(account)
    const isOther = account.allowance.seq !== account.signed.voucher.seq
    if (isOver() || isOther || !isFresh(account)) {
      const read = await readAllowance(account.signed.voucher)
      if (read.allowance.seq !== account.signed.voucher.seq) throw refused('closed', 'the allowance was closed')
      Object.assign(account, read)
    }
    const { voucher } = account.signed
    if (isOver()) {
      const due = dueOf(account)
      const isLocked = account.allowance.bytesAllowed <= account.bytesServed + BigInt(bytes)
      const message = `${due.bytesServed} bytes were served and ${due.bytesPaid} are paid; ${bytes} more are asked for`
      throw new PaymentRequiredError(isLocked ? 'allowance' : 'window', message, {
        fix: isLocked ? 'Lock more for reading under this order, and sign a newer voucher.' : 'Sign a newer voucher.',
        due,
        details: { neededBytes: bytes, bytesAllowed: `${account.allowance.bytesAllowed}` },
      })
    }
    account.bytesServed += BigInt(bytes)
    return {
      giveBack(unsent) {
        // After the next allowance has begun, the sum is another one.
        if (account.signed.voucher.seq === voucher.seq) account.bytesServed -= BigInt(unsent)
      },
    }
  }
  const chargeUnpaid = (bytes: number): Charge => {
    if (unpaid.take(bytes)) return { giveBack: (unsent) => unpaid.giveBack(unsent) }
    throw new PaymentRequiredError('unpaid', 'this provider has served as much unpaid as it does in an hour', {
      fix: 'Read against a voucher, from another provider, or later.',
      details: { neededBytes: bytes, leftBytes: unpaid.left },
    })
  }

  /** A row as the chain shows it at `block`: what is paid or closed there counts for good once it lies deep enough. */
  const afterLook = (row: VoucherRow, allowance: ReadAllowanceInfo, block: number, isRewound: boolean): VoucherRow => {
    // Facts of another allowance say nothing of this voucher.
    const isVoid = allowance.seq > row.seq
    const facts =
      allowance.seq === row.seq ? factsOf(allowance) : { ...factsOfRow(row), bytesPaid: isVoid ? row.bytesPaid : 0n }
    const isSame = facts.bytesPaid === row.bytesPaid && isVoid === row.isVoid && !isRewound
    const seenAtBlock = (isSame ? row.seenAtBlock : undefined) ?? block
    const isDeep = block - seenAtBlock >= limits.paymentDepthBlocks
    const known = isRewound ? 0n : minOf(row.bytesSettled, facts.bytesPaid)
    return { ...row, ...facts, isVoid, seenAtBlock, bytesSettled: isDeep ? facts.bytesPaid : known }
  }
  const flush = async () => {
    const dirty = [...accounts.values()].filter(({ isDirty }) => isDirty)
    const texts = dirty.map(({ text }) => text)
    await rows.put(dirty.map(rowOf))
    // What came while it was written waits for the next time.
    for (const [i, account] of dirty.entries()) if (account.text === texts[i]) account.isDirty = false
  }

  return {
    async charge(voucher, bytes) {
      if (voucher === undefined) return chargeUnpaid(bytes)
      try {
        return await chargePaid(voucher, bytes)
      } catch (thrown) {
        // Nobody’s reads end because this provider’s chain does not answer.
        if (thrown instanceof MemoError && thrown.blame === 'chain') return chargeUnpaid(bytes)
        throw thrown
      }
    },
    async waitForNews(signal) {
      signal.throwIfAborted()
      if ([...accounts.values()].some(({ isDirty }) => isDirty)) return
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(signal.reason)
        signal.addEventListener('abort', abort, { once: true })
        tellNews = () => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
      })
    },
    flush,
    async refresh(row, isRewound = false) {
      return await inTurn(`${row.orderId}/${row.payer}`, async () => {
        const allowance = await chain.getReadAllowance(BigInt(row.orderId), row.payer)
        // Asked afterwards: what the allowance shows is in this block or an earlier one.
        const block = await options.getBlockNumber()
        await flush()
        const newest = await rows.find(row.orderId, row.payer)
        if (!newest) return undefined
        const next = afterLook(newest, allowance, block, isRewound)
        const account = accounts.get(`${row.orderId}/${row.payer}`)
        if (account) {
          const isOwn = account.signed.voucher.seq === allowance.seq
          Object.assign(account, isOwn ? { allowance, allowanceAtMs: clock.nowMs() } : {}, {
            settling: settlingOf(next),
          })
        }
        if (next.isVoid && block - (next.seenAtBlock ?? block) >= limits.paymentDepthBlocks) {
          await rows.remove(newest)
          return undefined
        }
        if (isNews(newest, next)) await rows.put([next])
        return next
      })
    },
  }
}

function rowOf({ signed, text, allowance, heldSinceMs, settling }: ReadAccount): VoucherRow {
  const { orderId, payer, seq, bytesRead } = signed.voucher
  const facts = factsOf(allowance)
  // What was paid and not looked at from above is of unknown depth.
  const seenAtBlock = facts.bytesPaid === settling.bytesPaid ? settling.seenAtBlock : undefined
  return { orderId: Number(orderId), payer, text, seq, bytesRead, heldSinceMs, ...settling, ...facts, seenAtBlock }
}

function settlingOf({ bytesPaid, bytesSettled, seenAtBlock, isVoid }: VoucherRow): Settling {
  return { bytesPaid, bytesSettled, seenAtBlock, isVoid }
}

function isNews(before: VoucherRow, { bytesPaid, bytesSettled, seenAtBlock, isVoid, isClosing }: VoucherRow): boolean {
  return (
    before.bytesPaid !== bytesPaid ||
    before.bytesSettled !== bytesSettled ||
    before.seenAtBlock !== seenAtBlock ||
    before.isVoid !== isVoid ||
    before.isClosing !== isClosing
  )
}

function factsOf({ bytesPaid, priceAttoPerByte, closingBlock }: ReadAllowanceInfo) {
  return { bytesPaid, priceAttoPerByte, isClosing: closingBlock !== 0n }
}

function factsOfRow({ bytesPaid, priceAttoPerByte, isClosing }: VoucherRow) {
  return { bytesPaid, priceAttoPerByte, isClosing }
}

function dueOf({ signed, bytesServed }: ReadAccount): PaymentDue {
  const { orderId, payer, bytesRead } = signed.voucher
  return { orderId, payer, bytesServed, bytesPaid: bytesRead }
}

function refused(
  reason: PaymentProblem,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): PaymentRequiredError {
  const fix = 'Sign a voucher for an order with this provider and an allowance that is open.'
  return new PaymentRequiredError(reason, message, { fix, details })
}
