import {
  type Address,
  createTurns,
  equalBytes,
  findBytesFromHex,
  type IndexChange,
  type IndexStore,
  MemoError,
  NotFoundError,
  PieceCorruptError,
  type PieceStore,
  type ReceiptTerms,
  type Turns,
  type UsedNonce,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import { ForbiddenError } from '../server/errors.ts'
import { accountKeyOf, type ByteAccounts, createByteAccounts } from './byte-accounts.ts'
import { createOrderRows, type OrderRow, type OrderRows } from './order-rows.ts'
import { type Beside, type Claim, createPieceBook, type PieceBook, type PieceRecord } from './piece-book.ts'
import type { SpaceLedger } from './space.ts'
import type { ReceivedUpload } from './uploads.ts'

/** What a commit names is not what arrived. */
export class RootMismatchError extends MemoError {
  override readonly name: string = 'RootMismatchError'
  constructor(details: Readonly<Record<string, unknown>>) {
    super('the bytes that arrived have another root or size than the commit says', {
      blame: 'user',
      retry: 'now',
      fix: 'Upload the piece again and commit what was sent.',
      details,
    })
  }
}

/** The provider gave a receipt for this piece and has it no more. */
export class PieceLostError extends MemoError {
  override readonly name: string = 'PieceLostError'
  constructor(root: string) {
    super(`this provider lost the piece ${root}`, {
      blame: 'provider',
      retry: 'now',
      fix: 'Read the piece from another provider.',
      details: { root },
    })
  }
}

/** Root and size of a piece. */
export type PieceId = { readonly root: Uint8Array; readonly sizeBytes: number }

/** What is remembered by order. Who changes rows of an order, or reads them to change, takes its turn. */
export type OrderState = {
  readonly rows: OrderRows
  readonly accounts: ByteAccounts
  readonly inTurn: Turns
}

/** The pieces that a provider answers for: bytes and records change together, one change of a piece at a time. */
export type Custody = {
  readonly book: PieceBook
  /** Serialises changes of one piece, by root. */
  readonly inTurn: Turns
  readonly orders: OrderState
  readonly pieceCount: number
  /** Counts what is on record. Called once, before anything else. */
  load(): Promise<void>
  /** Keeps what arrived; the record is durable when it resolves, so that a receipt may be signed until `expiry`. */
  accept(upload: ReceivedUpload, root: string, expiry: number): Promise<ReceiptTerms>
  /** The terms that `account` was promised before. Errors: {@link NotFoundError}, {@link RootMismatchError}. */
  getPromise(account: Address, root: string, sizeBytes: number): Promise<ReceiptTerms>
  /** A piece that `account` holds already is from now on under an order of it as well. Errors: as above; those of bad pieces. */
  takeOver(
    account: Address,
    root: string,
    sizeBytes: number,
    under: Pick<Claim, 'orderId' | 'expiry'>,
  ): Promise<ReceiptTerms>
  /**
   * Gives up what `account` claims: at once where there is no order; under one its space is free at once, and the claim
   * ends later (`spec/provider.md` 17). The last claim takes the bytes along. False when there is no such piece.
   */
  release(account: Address, root: string, used: UsedNonce): Promise<boolean>
  /** Ends the claims without an order, unless the record is another by now. False when it is. */
  dropUnpaid(record: PieceRecord): Promise<boolean>
  /** Ends the claim under an order, while `mayEnd` still says so of its row. False when it does not. */
  endOrderClaim(orderId: number, root: string, mayEnd: (row: OrderRow) => boolean): Promise<boolean>
  /** A piece that can be read. Errors: {@link NotFoundError}, {@link PieceCorruptError}, {@link PieceLostError}. */
  getReadable(root: string): Promise<PieceRecord>
  /** Notes what became of a piece; tells the operator when that is news. */
  mark(root: string, state: PieceRecord['state'], why: string): Promise<void>
  /** As {@link Custody.mark} with what `look` finds, while nobody changes the piece; undefined changes nothing. */
  examine(
    root: string,
    why: string,
    look: (record: PieceRecord) => Promise<PieceRecord['state'] | undefined>,
  ): Promise<void>
}

export type CustodyOptions = {
  readonly pieces: PieceStore
  readonly index: IndexStore
  readonly space: SpaceLedger
  readonly log: EventSink
}

const LOAD_PAGE = 1_000

export function createCustody(options: CustodyOptions): Custody {
  const { pieces, space } = options
  const book = createPieceBook(options.index)
  const inTurn = createTurns()
  const orders: OrderState = {
    rows: createOrderRows(options.index),
    accounts: createByteAccounts(),
    inTurn: createTurns(),
  }
  const { rows, accounts } = orders
  let pieceCount = 0

  /** Bytes that are known to be bad must not win over good ones: the store keeps what it has. */
  const makeRoom = async (record: PieceRecord | undefined) => {
    if (record && record.state !== 'held') await pieces.delete(record.root)
  }
  const examine: Custody['examine'] = (root, why, look) =>
    inTurn(root, async () => {
      const record = await book.find(root)
      if (!record) return
      const state = await look(record)
      if (state === undefined || state === record.state) return
      await book.put({ ...record, state })
      const level = state === 'held' ? 'info' : 'error'
      const message = `piece ${root} is ${state === 'held' ? 'whole again' : state}: ${why}`
      options.log({ type: `piece-${state}`, level, message, root, sizeBytes: record.sizeBytes })
    })
  /**
   * Leaves a piece with the claims that have not ended; without any it goes. The record first: bytes without a record are
   * swept up later, a record without bytes would look like a loss.
   */
  const endClaims = async (record: PieceRecord, ended: readonly Claim[], left: readonly Claim[], beside: Beside) => {
    const { root, sizeBytes } = record
    if (left.length > 0) await book.put({ ...record, claims: left }, beside)
    else await book.remove(root, beside)
    for (const claim of ended) {
      if (claim.isReleased) accounts.keep(accountKeyOf(claim), -sizeBytes)
      else accounts.subtract(accountKeyOf(claim), sizeBytes)
    }
    if (left.length > 0) return
    pieceCount--
    space.letGo(sizeBytes)
    await pieces.delete(root)
  }
  /** Holds the locks of all these orders, in their order, so that two that wait for each other cannot be. */
  const withOrders = async <T>(orderIds: readonly number[], work: () => Promise<T>): Promise<T> => {
    const [first, ...others] = orderIds.filter((orderId) => orderId !== 0).sort((a, b) => a - b)
    return first === undefined ? await work() : await orders.inTurn(`${first}`, () => withOrders(others, work))
  }
  const acceptLocked = async (upload: ReceivedUpload, root: string, expiry: number): Promise<ReceiptTerms> => {
    const { account, orderId } = upload.terms
    const before = await book.find(root)
    await makeRoom(before)
    const piece = { root, sizeBytes: upload.digest.sizeBytes }
    return await claimLocked(before, piece, { account, orderId, expiry }, async () => await upload.commit())
  }
  /** Adds a claim on a piece whose bytes `keep` makes durable, or replaces the one of the same account under the same order. */
  const claimLocked = async (
    before: PieceRecord | undefined,
    { root, sizeBytes }: Pick<PieceRecord, 'root' | 'sizeBytes'>,
    claim: Claim,
    keep: () => Promise<void>,
  ): Promise<ReceiptTerms> => {
    const { account, orderId, expiry } = claim
    const others = before?.claims.filter((each) => each.account !== account || each.orderId !== orderId) ?? []
    const known = before?.claims.find((each) => each.account === account && each.orderId === orderId)
    const isCounted = known !== undefined && !known.isReleased
    if (!before) space.hold(sizeBytes)
    if (!isCounted) accounts.add(accountKeyOf(claim), sizeBytes)
    try {
      await keep()
      const changes = orderId === 0 ? [] : await rowChanges(orderId, root, { sizeBytes, isHeld: true })
      // What is paid for now need not be counted as unpaid any more.
      const unpaid = orderId === 0 ? undefined : others.find((each) => each.account === account && each.orderId === 0)
      const claims = [...others.filter((each) => each !== unpaid), claim]
      await book.put({ ...before, root, sizeBytes, state: 'held', claims }, { changes })
      if (unpaid) accounts.subtract(accountKeyOf(unpaid), sizeBytes)
      if (known?.isReleased) accounts.keep(accountKeyOf(claim), -sizeBytes)
      if (!before) pieceCount++
      return { orderId, root: rootBytes(root), sizeBytes, expiry }
    } catch (thrown) {
      if (!before) space.letGo(sizeBytes)
      if (!isCounted) accounts.subtract(accountKeyOf(claim), sizeBytes)
      throw thrown
    }
  }
  const takeOverLocked = async (sizeBytes: number, root: string, claim: Claim): Promise<ReceiptTerms> => {
    const record = await book.find(root)
    const own = record?.claims.filter((each) => each.account === claim.account && !each.isReleased) ?? []
    if (!record || own.length === 0) throw new NotFoundError('this account holds no such piece here')
    if (record.sizeBytes !== sizeBytes) throw new RootMismatchError({ root, sizeBytes: record.sizeBytes })
    assertReadable(record)
    return await claimLocked(record, record, claim, async () => undefined)
  }
  /** The row of a piece with what becomes of it, and the order's own record where it has none yet. */
  const rowChanges = async (
    orderId: number,
    root: string,
    next: Pick<OrderRow, 'sizeBytes' | 'isHeld'>,
  ): Promise<readonly IndexChange[]> => {
    const row = await rows.find(orderId, root)
    const changes = rows.changes(orderId, { root, isCommitted: row?.isCommitted ?? false, ...next })
    const known = await rows.findOrder(orderId)
    return known ? changes : [...changes, rows.orderChange({ orderId })]
  }
  const releaseLocked = async (record: PieceRecord, account: Address, used: UsedNonce): Promise<void> => {
    const { root, sizeBytes } = record
    const own = record.claims.filter((claim) => claim.account === account && !claim.isReleased)
    const changes: IndexChange[] = []
    for (const { orderId } of own) {
      if (orderId !== 0) changes.push(...(await rowChanges(orderId, root, { sizeBytes, isHeld: false })))
    }
    const claims = record.claims.flatMap((claim) => {
      if (!own.includes(claim)) return [claim]
      return claim.orderId === 0 ? [] : [{ ...claim, isReleased: true }]
    })
    await endClaims(record, own, claims, { used, changes })
    for (const claim of own) if (claim.orderId !== 0) accounts.keep(accountKeyOf(claim), sizeBytes)
  }
  return {
    book,
    inTurn,
    orders,
    get pieceCount() {
      return pieceCount
    },
    async load() {
      for await (const record of listRecords(book)) {
        pieceCount++
        space.hold(record.sizeBytes)
        for (const claim of record.claims) {
          if (claim.isReleased) accounts.keep(accountKeyOf(claim), record.sizeBytes)
          else accounts.add(accountKeyOf(claim), record.sizeBytes)
        }
      }
    },
    accept: (upload, root, expiry) =>
      inTurn(root, () => withOrders([upload.terms.orderId], () => acceptLocked(upload, root, expiry))),
    async getPromise(account, root, sizeBytes) {
      const record = await book.find(root)
      const claim = record?.claims.findLast((each) => each.account === account && !each.isReleased)
      if (!record || !claim) throw new NotFoundError('there is no such upload of this account')
      if (record.sizeBytes !== sizeBytes) throw new RootMismatchError({ root, sizeBytes: record.sizeBytes })
      assertReadable(record)
      return { orderId: claim.orderId, expiry: claim.expiry, root: rootBytes(root), sizeBytes }
    },
    takeOver: (account, root, sizeBytes, { orderId, expiry }) =>
      inTurn(root, () => withOrders([orderId], () => takeOverLocked(sizeBytes, root, { account, orderId, expiry }))),
    dropUnpaid: (record) =>
      inTurn(record.root, async () => {
        const now = await book.find(record.root)
        if (!now || JSON.stringify(now.claims) !== JSON.stringify(record.claims)) return false
        const unpaid = now.claims.filter(({ orderId }) => orderId === 0)
        const paid = now.claims.filter(({ orderId }) => orderId !== 0)
        if (unpaid.length === 0) return false
        await endClaims(now, unpaid, paid, {})
        return true
      }),
    release: (account, root, used) =>
      inTurn(root, async () => {
        const record = await book.find(root)
        if (!record) return false
        const own = record.claims.filter((claim) => claim.account === account)
        if (own.length === 0) throw new ForbiddenError('only an account that uploaded the piece may give it up')
        if (own.every(({ isReleased }) => isReleased)) return false
        const orderIds = own.map(({ orderId }) => orderId)
        await withOrders(orderIds, () => releaseLocked(record, account, used))
        return true
      }),
    endOrderClaim: (orderId, root, mayEnd) =>
      inTurn(root, () =>
        withOrders([orderId], async () => {
          const row = await rows.find(orderId, root)
          if (!row || !mayEnd(row)) return false
          const record = await book.find(root)
          const changes = rows.dropChanges(orderId, root)
          if (!record) await rows.apply(changes)
          else {
            const ended = record.claims.filter((claim) => claim.orderId === orderId)
            const left = record.claims.filter((claim) => claim.orderId !== orderId)
            await endClaims(record, ended, left, { changes })
          }
          return true
        }),
      ),
    async getReadable(root) {
      const record = await book.find(root)
      if (!record) throw new NotFoundError(`this provider does not hold the piece ${root}`)
      assertReadable(record)
      return record
    },
    mark: (root, state, why) => examine(root, why, async () => state),
    examine,
  }
}

/** Whether a commit names what arrived. Errors: {@link RootMismatchError}. */
export function assertArrived(upload: ReceivedUpload, named: PieceId): void {
  const { root, sizeBytes } = upload.digest
  if (!equalBytes(root, named.root) || sizeBytes !== named.sizeBytes) {
    throw new RootMismatchError({ receivedBytes: sizeBytes, committedBytes: named.sizeBytes })
  }
}

/** All records, by root. */
export async function* listRecords(book: PieceBook): AsyncGenerator<PieceRecord> {
  let after: string | undefined
  for (;;) {
    const page = await book.list(after, LOAD_PAGE)
    yield* page
    if (page.length < LOAD_PAGE) return
    after = page.at(-1)?.root
  }
}

function assertReadable(record: PieceRecord): void {
  const { root, state } = record
  if (state === 'lost') throw new PieceLostError(root)
  if (state === 'corrupt') throw new PieceCorruptError(`this provider’s copy of the piece ${root} is damaged`, { root })
}

function rootBytes(root: string): Uint8Array {
  return findBytesFromHex(`0x${root}`, 32) ?? new Uint8Array(32)
}
