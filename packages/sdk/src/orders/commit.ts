import {
  type Address,
  BadAnswerError,
  type CosignedCommitment,
  createSetTree,
  equalBytes,
  isSameCommitment,
  MAX_SET_CHANGES,
  type MoneyContracts,
  ordersVerifierOf,
  type ProviderClient,
  RemoteError,
  type SetPiece,
  type SetTree,
  type Signer,
  setCommitmentDigest,
  setCommitmentOf,
} from '@memo/core'
import type { OrderSet } from './set.ts'
import type { CommitRecord, OfferRecord, OrderStore } from './store.ts'

/** One order's set, and whom it is agreed with. */
export type CommitWork = {
  readonly orderId: bigint
  readonly set: OrderSet
  readonly provider: ProviderClient
  readonly store: OrderStore
  readonly signer: Signer
  readonly money: MoneyContracts
  /** The first epoch that is still to come. */
  readonly fromEpoch: bigint
  /** What the provider may hold that we know nothing of; more is not believed. */
  readonly mostUnknownBytes: number
  readonly signal: AbortSignal
}

/** Pieces that we know nothing of, in one view. */
const MAX_UNKNOWN = 1_000_000
/** Name of the refusal of a provider whose last commitment is another than ours. */
const MISMATCH = 'CommitmentMismatchError'

/**
 * Has the provider sign what has changed of an order's set, at most 4,096 changes (`spec/sdk.md` 17). What we sign is durable
 * before it is sent, so that two commitments of one number are never signed but where the provider refused the first.
 * Where the provider stands elsewhere, its view is read and checked first. Errors: those of the exchange; BadAnswerError when the
 * provider signed what it does not hold, or forgot what it signed.
 */
export async function commitSet(work: CommitWork): Promise<void> {
  if (work.set.pending() === 0 && !work.set.offer) return
  const { set, store, orderId } = work
  const isOld = set.offer !== undefined
  try {
    await agree(work)
  } catch (thrown) {
    if (!(thrown instanceof RemoteError) || thrown.blame !== 'user') throw thrown
    // Refused, so the provider has not signed it, and another may be signed under its number.
    if (thrown.name === MISMATCH) await reconcileSet(work)
    else {
      await store.dropOffer(orderId)
      set.setOffer(undefined)
      if (!isOld) throw thrown
    }
    if (set.pending() > 0) await agree(work)
  }
}

async function agree(work: CommitWork): Promise<void> {
  const { set, provider, store, signal } = work
  const offer = set.offer ?? (await makeOffer(work))
  const tree = set.tree.apply(offer)
  const cosigned = await provider.commitSet(offer, { signal })
  await store.putCommit(recordOf(cosigned), offer)
  set.settle(recordOf(cosigned), tree)
}

async function makeOffer({ orderId, set, store, signer, money, fromEpoch }: CommitWork): Promise<OfferRecord> {
  const change = set.nextChange(MAX_SET_CHANGES)
  const seq = (set.commit?.commitment.seq ?? 0n) + 1n
  const commitment = setCommitmentOf(set.tree.apply(change), { orderId, seq, fromEpoch })
  const signature = await signer.signDigest(setCommitmentDigest(ordersVerifierOf(money), commitment))
  const offer = { commitment, signature, ...change }
  await store.putOffer(offer)
  set.setOffer(offer)
  return offer
}

/**
 * Reads the provider's view of an order: its newest commitment, which we must have signed, and the pieces that it says it
 * holds, which must give the set that was signed. Ours becomes the same.
 */
export async function reconcileSet(work: CommitWork): Promise<void> {
  const { orderId, set, provider, store, signer, signal } = work
  const theirs = await provider.getCommitment(orderId, { signal })
  const ours = set.commit
  if (theirs && theirs.user !== signer.address) throw bad(provider.address, orderId, 'shows a set that we never signed')
  const seq = theirs?.commitment.seq ?? 0n
  if (seq < (ours?.commitment.seq ?? 0n)) throw bad(provider.address, orderId, 'forgot a set that it has signed')
  const isKnown = !theirs || (ours && isSameCommitment(ours.commitment, theirs.commitment))
  const { held, committed } = await listHeld(work, theirs?.commitment.usedBytes ?? 0n)
  const tree = isKnown ? set.tree : createSetTree(committed)
  if (theirs && !isSetOf(tree, theirs)) throw bad(provider.address, orderId, 'lists other pieces than it signed for')
  const commit = theirs ? recordOf(theirs) : undefined
  await store.resetCommit(orderId, commit, [...tree.pieces()])
  set.reset(commit, tree, held)
}

async function listHeld({ provider, orderId, set, mostUnknownBytes, signal }: CommitWork, mostCommittedBytes: bigint) {
  const held: SetPiece[] = []
  const committed: SetPiece[] = []
  let committedBytes = 0
  let unknown = 0
  let unknownBytes = 0
  for (;;) {
    const page = await provider.listOrderPieces(orderId, held.at(-1)?.root, { signal })
    if (page.length === 0) return { held, committed }
    for (const { root, sizeBytes, committed: isIn } of page) {
      held.push({ root, sizeBytes })
      if (isIn) {
        committed.push({ root, sizeBytes })
        committedBytes += sizeBytes
      }
      if (isIn || set.has(root) || set.tree.findSize(root) !== undefined) continue
      unknown++
      unknownBytes += sizeBytes
    }
    if (committedBytes > mostCommittedBytes)
      throw bad(provider.address, orderId, 'lists other pieces than it signed for')
    // It could list pieces without end that nobody ever sent, and be paid for room that they take.
    if (unknown > MAX_UNKNOWN || unknownBytes > mostUnknownBytes) {
      throw bad(provider.address, orderId, 'lists more pieces that we never saw stored than there can be')
    }
  }
}

function isSetOf(tree: SetTree, { commitment }: CosignedCommitment): boolean {
  return equalBytes(tree.setRoot, commitment.setRoot) && BigInt(tree.usedBytes) === commitment.usedBytes
}

function recordOf({ commitment, userSignature, providerSignature }: CosignedCommitment): CommitRecord {
  return { commitment, userSignature, providerSignature }
}

function bad(provider: Address, orderId: bigint, what: string): BadAnswerError {
  return new BadAnswerError(`provider ${provider} ${what} (order ${orderId})`, {
    blame: 'provider',
    retry: 'later',
    details: { provider, orderId: `${orderId}` },
  })
}
