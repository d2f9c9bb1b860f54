import {
  type Address,
  type Clock,
  equalBytes,
  findBytesFromHex,
  type IndexStore,
  MemoError,
  NotFoundError,
  PieceCorruptError,
  type PieceStore,
  RECEIPT_LIFE_SECONDS,
  type ReceiptTerms,
  type UsedNonce,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import { ForbiddenError } from '../server/errors.ts'
import { createKeyedLock, type KeyedLock } from '../server/keyed-lock.ts'
import { createPieceBook, type PieceBook, type PieceRecord } from './piece-book.ts'
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

/** The pieces that a provider answers for: bytes and records change together, one change of a piece at a time. */
export type Custody = {
  readonly book: PieceBook
  /** Serialises changes of one piece, by root. */
  readonly lock: KeyedLock
  readonly pieceCount: number
  /** Counts what is on record. Called once, before anything else. */
  load(): Promise<void>
  /** Keeps what arrived; the record is durable when it resolves, so that a receipt may be signed. */
  accept(upload: ReceivedUpload, root: string): Promise<ReceiptTerms>
  /** The terms that `account` was promised before. Errors: {@link NotFoundError}, {@link RootMismatchError}. */
  getPromise(account: Address, root: string, sizeBytes: number): Promise<ReceiptTerms>
  /** Ends `account`'s claim; the last one takes the bytes along. False when there is no such piece. */
  release(account: Address, root: string, used: UsedNonce): Promise<boolean>
  /** Ends every claim, unless the record is another by now. False when it is. */
  drop(record: PieceRecord): Promise<boolean>
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
  readonly clock: Clock
  readonly log: EventSink
}

const LOAD_PAGE = 1_000

export function createCustody(options: CustodyOptions): Custody {
  const { pieces, space, clock } = options
  const book = createPieceBook(options.index)
  const lock = createKeyedLock()
  let pieceCount = 0

  /** Bytes that are known to be bad must not win over good ones: the store keeps what it has. */
  const makeRoom = async (record: PieceRecord | undefined) => {
    if (record && record.state !== 'held') await pieces.delete(record.root)
  }
  /** The record first: bytes without a record are swept up later, a record without bytes would look like a loss. */
  const forget = async ({ root, sizeBytes }: PieceRecord, used?: UsedNonce) => {
    await book.remove(root, used)
    pieceCount--
    space.letGo(sizeBytes)
    await pieces.delete(root)
  }
  const examine: Custody['examine'] = (root, why, look) =>
    lock.run(root, async () => {
      const record = await book.find(root)
      if (!record) return
      const state = await look(record)
      if (state === undefined || state === record.state) return
      await book.put({ ...record, state })
      const level = state === 'held' ? 'info' : 'error'
      const message = `piece ${root} is ${state === 'held' ? 'whole again' : state}: ${why}`
      options.log({ type: `piece-${state}`, level, message, root, sizeBytes: record.sizeBytes })
    })
  return {
    book,
    lock,
    get pieceCount() {
      return pieceCount
    },
    async load() {
      for await (const record of listRecords(book)) {
        pieceCount++
        space.hold(record.sizeBytes)
      }
    },
    accept: (upload, root) =>
      lock.run(root, async () => {
        const { account, orderId } = upload.terms
        const { sizeBytes } = upload.digest
        const before = await book.find(root)
        await makeRoom(before)
        const isNew = !before
        if (isNew) space.hold(sizeBytes)
        try {
          await upload.commit()
          const expiry = Math.floor(clock.nowMs() / 1000) + RECEIPT_LIFE_SECONDS
          const owners = { ...before?.owners, [account]: { orderId, expiry } }
          await book.put({ ...before, root, sizeBytes, state: 'held', owners })
          if (isNew) pieceCount++
          return { orderId, root: upload.digest.root, sizeBytes, expiry }
        } catch (thrown) {
          if (isNew) space.letGo(sizeBytes)
          throw thrown
        }
      }),
    async getPromise(account, root, sizeBytes) {
      const record = await book.find(root)
      const promise = record?.owners[account]
      if (!record || !promise) throw new NotFoundError('there is no such upload of this account')
      if (record.sizeBytes !== sizeBytes) throw new RootMismatchError({ root, sizeBytes: record.sizeBytes })
      assertReadable(record)
      return { ...promise, root: rootBytes(root), sizeBytes }
    },
    drop: (record) =>
      lock.run(record.root, async () => {
        const now = await book.find(record.root)
        if (!now || JSON.stringify(now.owners) !== JSON.stringify(record.owners)) return false
        await forget(now)
        return true
      }),
    release: (account, root, used) =>
      lock.run(root, async () => {
        const record = await book.find(root)
        if (!record) return false
        const { [account]: own, ...others } = record.owners
        if (!own) throw new ForbiddenError('only an account that uploaded the piece may give it up')
        if (Object.keys(others).length > 0) {
          await book.put({ ...record, owners: others }, used)
          return true
        }
        await forget(record, used)
        return true
      }),
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
