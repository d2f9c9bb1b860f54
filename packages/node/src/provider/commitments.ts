import {
  type Address,
  BadInputError,
  type Chain,
  type CommitmentHead,
  type CommitRequest,
  type CosignedCommitment,
  createSetTree,
  findBytesFromHex,
  findSignerAddress,
  hex32,
  hexFromBytes,
  type IndexChange,
  isSameCommitment,
  NotFoundError,
  ORDER_PIECES_PAGE,
  type OrderPiece,
  ordersVerifierOf,
  type SetCommitment,
  type SetTree,
  type Signer,
  setCommitmentDigest,
} from '@memo/core'
import { ForbiddenError } from '../server/errors.ts'
import type { OrderReader } from '../server/order-reader.ts'
import type { Custody } from './custody.ts'
import { CommitmentMismatchError, OrderRefusedError } from './money-errors.ts'
import type { OrderRow } from './order-rows.ts'
import { type OrderDesk, sizeOf } from './orders.ts'

/** What user and provider agree to be held under each order (`spec/provider.md` 16). */
export type Commitments = {
  /**
   * Signs what the user has signed, once it is known to be so and durable; repeating the newest repeats the answer.
   * Errors: {@link CommitmentMismatchError}, OrderRefusedError, BadInputError.
   */
  commit(account: Address, request: CommitRequest): Promise<CosignedCommitment>
  /** Errors: NotFoundError. */
  getNewest(orderId: number): Promise<CosignedCommitment>
  /** Pieces under an order of `account`, by root, after `after`. Errors: NotFoundError, {@link ForbiddenError}. */
  listPieces(account: Address, orderId: number, after: string | undefined): Promise<readonly OrderPiece[]>
}

export type CommitmentsOptions = {
  readonly chain: Chain
  readonly signer: Signer
  readonly custody: Custody
  readonly desk: OrderDesk
  readonly reader: OrderReader
}

/** Pieces of the sets that are kept in memory; of more, the set longest unused is made anew when it is needed. */
const MAX_CACHED_PIECES = 1_000_000
const LOAD_PAGE = 1_000
/** Pieces that are named in an error at the most. */
const MAX_NAMED = 100
/** A commitment may begin so many epochs before or after the one that this provider sees: their views differ by blocks. */
const EPOCHS_BACK = 1n
const EPOCHS_AHEAD = 2n

export function createCommitments({ chain, signer, custody, desk, reader }: CommitmentsOptions): Commitments {
  const { rows, inTurn } = custody.orders
  const verifier = ordersVerifierOf(chain.money)
  const trees = createTreeCache()

  const getTree = async (orderId: number): Promise<SetTree> => {
    const known = trees.find(orderId)
    if (known) return known
    const pieces: { root: Uint8Array; sizeBytes: number }[] = []
    for (let after: string | undefined; ; ) {
      const page = await rows.list(orderId, after, LOAD_PAGE)
      for (const { root, sizeBytes, isCommitted } of page) {
        if (isCommitted) pieces.push({ root: rootBytes(root), sizeBytes })
      }
      after = page.at(-1)?.root
      if (page.length < LOAD_PAGE) break
    }
    return trees.keep(orderId, createSetTree(pieces))
  }
  /** Whether the piece may be added to a set: a provider does not sign for what it has lost. */
  const isWhole = async ({ root, isHeld }: OrderRow): Promise<boolean> =>
    isHeld && (await custody.book.find(root))?.state === 'held'
  /** Rows of the pieces that are to be added, each held by the provider as the user says. */
  const findAdded = async (orderId: number, request: CommitRequest, head: CommitmentHead): Promise<OrderRow[]> => {
    const found: OrderRow[] = []
    const missing: string[] = []
    for (const { root, sizeBytes } of request.added) {
      const row = await rows.find(orderId, hex32(root))
      if (row && !row.isCommitted && row.sizeBytes === sizeBytes && (await isWhole(row))) found.push(row)
      else missing.push(hexFromBytes(root))
    }
    if (missing.length === 0) return found
    const message = `${missing.length} pieces that the commitment adds are not held under order ${orderId}, or are in it`
    throw new CommitmentMismatchError(message, head, { missing: missing.slice(0, MAX_NAMED) })
  }
  const findRemoved = async (orderId: number, request: CommitRequest, head: CommitmentHead): Promise<OrderRow[]> => {
    const found: OrderRow[] = []
    for (const root of request.removed) {
      const row = await rows.find(orderId, hex32(root))
      if (row?.isCommitted) found.push(row)
      else throw new CommitmentMismatchError(`the piece ${hex32(root)} is not in the set`, head)
    }
    return found
  }
  const commitLocked = async (account: Address, request: CommitRequest): Promise<CosignedCommitment> => {
    const { commitment, signature } = request
    const orderId = Number(commitment.orderId)
    const digest = setCommitmentDigest(verifier, commitment)
    if (findSignerAddress(digest, signature) !== account) {
      throw new BadInputError('the signature is not that of this account over this commitment')
    }
    const newest = (await rows.findOrder(orderId))?.commitment
    if (newest && isSameCommitment(newest.commitment, commitment)) return newest
    const order = await desk.getOwnOrder(account, orderId)
    const tree = await getTree(orderId)
    const head: CommitmentHead = { seq: newest?.commitment.seq ?? 0n, setRoot: tree.setRoot }
    if (commitment.seq !== head.seq + 1n) {
      throw new CommitmentMismatchError(`order ${orderId} takes the commitment ${head.seq + 1n} next`, head)
    }
    await assertEpoch(chain, commitment, newest?.commitment)
    const added = await findAdded(orderId, request, head)
    const removed = await findRemoved(orderId, request, head)
    const next = tree.apply(request)
    if (hex32(next.setRoot) !== hex32(commitment.setRoot) || BigInt(next.usedBytes) !== commitment.usedBytes) {
      throw new CommitmentMismatchError('the set has another root or sum than the commitment says', head, {
        expected: { setRoot: hexFromBytes(next.setRoot), usedBytes: `${next.usedBytes}` },
      })
    }
    if (next.usedBytes > sizeOf(order)) {
      throw new OrderRefusedError('too-small', `order ${orderId} has ${sizeOf(order)} bytes, not ${next.usedBytes}`, {
        fix: 'Amend the order to a larger size, or give up pieces.',
        orderId,
        sizeBytes: sizeOf(order),
        usedBytes: next.usedBytes,
      })
    }
    const providerSignature = await signer.signDigest(digest)
    const cosigned = { commitment, userSignature: signature, providerSignature }
    const changes: IndexChange[] = [rows.orderChange({ orderId, commitment: cosigned })]
    for (const row of added) changes.push(...rows.changes(orderId, { ...row, isCommitted: true }))
    const freeFrom = Number(commitment.fromEpoch)
    for (const row of removed) {
      changes.push(...rows.changes(orderId, { ...row, isCommitted: false, ...(row.isHeld ? {} : { freeFrom }) }))
    }
    await rows.apply(changes)
    trees.keep(orderId, next)
    return cosigned
  }

  return {
    commit: async (account, request) =>
      await inTurn(`${request.commitment.orderId}`, () => commitLocked(account, request)),
    async getNewest(orderId) {
      const newest = (await rows.findOrder(orderId))?.commitment
      if (!newest) throw new NotFoundError(`no commitment was made under order ${orderId}`)
      return newest
    },
    async listPieces(account, orderId, after) {
      const order = await reader.find(orderId)
      if (!order) throw new NotFoundError(`there is no order ${orderId} on the chain`)
      if (order.user !== account) throw new ForbiddenError('only the user of an order is told what is held under it')
      const pieces: OrderPiece[] = []
      for (let from = after; pieces.length < ORDER_PIECES_PAGE; ) {
        const page = await rows.list(orderId, from, LOAD_PAGE)
        for (const row of page) {
          const { root, sizeBytes, isCommitted } = row
          if (isCommitted || (await isWhole(row))) {
            pieces.push({ root: rootBytes(root), sizeBytes, committed: isCommitted })
          }
        }
        from = page.at(-1)?.root
        if (page.length < LOAD_PAGE) break
      }
      return pieces.slice(0, ORDER_PIECES_PAGE)
    },
  }
}

/** Errors: {@link BadInputError}. */
async function assertEpoch(chain: Chain, next: SetCommitment, last: SetCommitment | undefined): Promise<void> {
  const { current } = await chain.getEpochs()
  const { fromEpoch } = next
  const isNear = fromEpoch + EPOCHS_BACK >= current && fromEpoch <= current + EPOCHS_AHEAD
  if (isNear && (!last || fromEpoch >= last.fromEpoch)) return
  throw new BadInputError(`a commitment begins with the next epoch, which is ${current + 1n}`, {
    retry: 'now',
    fix: 'Sign the commitment again with the next epoch.',
    details: { epoch: `${current}` },
  })
}

/** Sets in memory, by order. */
function createTreeCache() {
  const trees = new Map<number, SetTree>()
  let pieces = 0
  return {
    find(orderId: number): SetTree | undefined {
      return trees.get(orderId)
    },
    keep(orderId: number, tree: SetTree): SetTree {
      pieces += tree.count - (trees.get(orderId)?.count ?? 0)
      trees.delete(orderId) // and added again: the one longest unused comes first
      trees.set(orderId, tree)
      for (const [oldest, { count }] of trees) {
        if (pieces <= MAX_CACHED_PIECES || oldest === orderId) break
        trees.delete(oldest)
        pieces -= count
      }
      return tree
    },
  }
}

function rootBytes(root: string): Uint8Array {
  return findBytesFromHex(`0x${root}`, 32) ?? new Uint8Array(32)
}
