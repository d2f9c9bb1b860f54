import {
  type Account,
  type Address,
  BadInputError,
  type Chain,
  type Clock,
  canonicalCid,
  type DidRecord,
  encodePlacedPart,
  equalBytes,
  findSignerAddress,
  type Hex,
  hex32,
  hexFromBytes,
  type IndexBundle,
  isReceipt,
  LEAST_LOGIN_TIMESTAMP,
  type LogEntry,
  type LoginEvidence,
  loginDigest,
  type Network,
  NOBODY,
  NotFoundError,
  type PlacedPart,
  RECEIPT_LIFE_SECONDS,
  type Receipt,
  type Timers,
} from '@memo/core'
import { ForbiddenError } from '../server/errors.ts'
import type { OrderReader } from '../server/order-reader.ts'
import { type KeeperLimits, RECEIPT_MARGIN_SECONDS, RECEIPT_USE_SECONDS } from './limits.ts'
import type { KeeperStore } from './store.ts'
import type { WriteBudgets } from './write-budget.ts'

/** The DID of an entry is not on the chain, or not yet as this keeper sees it. */
export class UnknownDidError extends NotFoundError {
  override readonly name: string = 'UnknownDidError'
}

/** The DID of an entry was deactivated: its index grows no more. */
export class DidDeactivatedError extends ForbiddenError {
  override readonly name: string = 'DidDeactivatedError'
}

/** An entry names a part that neither comes with it nor is known. */
export class PartMissingError extends BadInputError {
  override readonly name: string = 'PartMissingError'
}

/** Too few providers have signed for a part, or one has not signed what stands there. */
export class ReceiptRefusedError extends BadInputError {
  override readonly name: string = 'ReceiptRefusedError'
}

/**
 * Where a bundle comes from. What another keeper took earlier is judged by the receipts of that time: providers may
 * have left since, and receipts run out, which must not keep a keeper that was down from catching up.
 */
export type BundleOrigin = 'submitted' | 'replicated'

export type AdmissionOptions = {
  readonly network: Network
  readonly chain: Chain
  readonly orders: OrderReader
  readonly clock: Clock
  readonly timers: Timers
  readonly store: KeeperStore
  readonly budgets: WriteBudgets
  readonly limits: Pick<KeeperLimits, 'userBudget' | 'strangerBudget'>
}

/** What may be written of a bundle that is admitted. */
export type Admitted = { readonly parts: readonly PlacedPart[]; readonly loginDigest: Hex | undefined }

/** Parts, or signatures, that are looked at in a row, after which others get a turn. */
const CHECKS_PER_TURN = 128

/**
 * Whether a bundle that continues its log may be taken (`spec/wire.md` 6), and what of it is to be written. Errors:
 * {@link UnknownDidError}, {@link DidDeactivatedError}, {@link ForbiddenError}, {@link PartMissingError},
 * {@link ReceiptRefusedError}, WriteBudgetError, BadInputError.
 */
export async function admitBundle(
  options: AdmissionOptions,
  bundle: IndexBundle,
  origin: BundleOrigin,
): Promise<Admitted> {
  const { entry } = bundle.signed
  assertWellFormed(bundle)
  const did = await getActiveDid(options.chain, entry.did)
  const login = await assertMayWrite(options, did, entry)
  const charge = await assertBudgetLeft(options, bundle, origin)
  const parts = await admitParts(options, bundle, origin)
  charge()
  return { parts, loginDigest: entry.seq === 1 ? login : undefined }
}

/** Gives what takes the entry off its writer's budget. What another keeper took was taken off there. */
async function assertBudgetLeft(
  { chain, budgets, limits }: AdmissionOptions,
  { signed }: IndexBundle,
  origin: BundleOrigin,
): Promise<() => void> {
  if (origin === 'replicated') return () => undefined
  const budget = isActiveUser(await chain.findAccount(signed.entry.writer)) ? limits.userBudget : limits.strangerBudget
  budgets.assertLeft(signed.entry, budget)
  return () => budgets.charge(signed.entry, budget, signed.bytes.length)
}

function isActiveUser(account: Account | undefined): boolean {
  return account?.role === 'user' && account.state === 'active'
}

function assertWellFormed({ signed, parts }: IndexBundle): void {
  const { action } = signed.entry
  if (action.kind === 'delete') {
    if (parts.length > 0) throw new BadInputError('a deletion comes without parts')
    return
  }
  if (action.cid !== undefined && canonicalCid(action.cid) !== action.cid) {
    throw new BadInputError('a CID stands in its canonical form (version 1, base32)')
  }
  const named = new Set(action.partIds.map(hex32))
  if (named.size !== action.partIds.length) throw new BadInputError('an entry names a part twice')
  for (const { placement } of parts) {
    if (!named.delete(hex32(placement.partId))) throw new BadInputError('a part that the entry does not name')
  }
}

async function getActiveDid(chain: Chain, did: string): Promise<DidRecord> {
  const record = await chain.findDid(did)
  if (!record) {
    throw new UnknownDidError(`${did} is not on the chain`, { retry: 'later', fix: 'Create the DID first.' })
  }
  if (record.deactivated) throw new DidDeactivatedError(`${did} is deactivated`)
  // One DID has one index: another spelling of it would begin a second one.
  if (record.did !== did) throw new BadInputError(`a DID stands in its canonical form, which is ${record.did}`)
  return record
}

/** The writer's right to this log; gives the digest of the login that it rests on, if it rests on one. */
async function assertMayWrite(options: AdmissionOptions, did: DidRecord, entry: LogEntry): Promise<Hex | undefined> {
  const { writer } = entry
  if (did.authenticationKeys.some((key) => key.address === writer)) return undefined
  if (!isActiveUser(await options.chain.findAccount(writer))) {
    throw new ForbiddenError(`${writer} is no key of ${did.did} and no active user`, {
      fix: 'Sign with an authentication key of the DID, or register the account as a user and log in to it.',
    })
  }
  const evidence = entry.seq === 1 ? entry.evidence : await findOpeningEvidence(options.store, entry)
  const digest = evidence && findLogin(did, evidence)
  if (!digest) {
    throw new ForbiddenError(`${writer} shows no login of ${did.did} by a key that may authenticate`, {
      fix: 'Log in with the DID, and put the login into the first entry of the log.',
    })
  }
  // A login stands open in the log that it opened: nobody else may open one with it.
  const opened = await options.store.findLoginWriter(digest)
  if (opened !== undefined && opened !== writer) {
    throw new ForbiddenError('this login has opened the log of another account', { fix: 'Log in again.' })
  }
  return digest
}

async function findOpeningEvidence(store: KeeperStore, entry: LogEntry): Promise<LoginEvidence | undefined> {
  return (await store.findEntry(entry, 1))?.signed.entry.evidence
}

/** The digest of a login that one of the DID's keys signed (`spec/login.md` 2). */
function findLogin(did: DidRecord, { token, timestamp, signature }: LoginEvidence): Hex | undefined {
  // A call to a gateway is signed in the same form with a small number in place of the time (`spec/login.md` 5).
  if (timestamp < LEAST_LOGIN_TIMESTAMP) return undefined
  const digest = loginDigest(did.did, token, timestamp)
  const signer = findSignerAddress(digest, signature)
  return did.authenticationKeys.some((key) => key.address === signer) ? hexFromBytes(digest) : undefined
}

/** Every part that the entry names is with it, or known. Gives those that are to be written. */
async function admitParts(options: AdmissionOptions, bundle: IndexBundle, origin: BundleOrigin): Promise<PlacedPart[]> {
  const { action, did } = bundle.signed.entry
  if (action.kind === 'delete') return []
  const carried = new Map(bundle.parts.map((part) => [hex32(part.placement.partId), part]))
  const check = createReceiptCheck(options, bundle.signed.entry, origin)
  const written: PlacedPart[] = []
  for (const [i, id] of action.partIds.map(hex32).entries()) {
    if (i % CHECKS_PER_TURN === CHECKS_PER_TURN - 1) await options.timers.sleep(0)
    const part = carried.get(id)
    // A part of another owner is taken from that owner's own entries only: nobody else says where it lies.
    if (part && part.placement.owner === did) {
      const known = await options.store.findOwnedPart(id, did)
      if (known && equalBytes(encodePlacedPart(known), encodePlacedPart(part))) continue
      await check(part)
      if (!known || isBetter(part, known)) written.push(part)
    } else if (!(await options.store.hasPart(id))) {
      throw new PartMissingError(`the entry names the part ${id}, which is neither with it nor known`, {
        fix: part ? 'Its placement must name the DID of the entry as owner.' : 'Send the placement with the entry.',
        details: { part: id },
      })
    }
  }
  return written
}

/** Whether `next` places more of the part, or for longer. Keepers agree on it in whichever order the two reach them. */
function isBetter(next: PlacedPart, known: PlacedPart): boolean {
  const rank = ({ receipts, placement }: PlacedPart) => [receipts.filter((r) => r).length, placement.expiry] as const
  const [placed, expiry] = rank(next)
  const [placedBefore, expiryBefore] = rank(known)
  if (placed !== placedBefore) return placed > placedBefore
  if (expiry !== expiryBefore) return expiry > expiryBefore
  return hexFromBytes(encodePlacedPart(next)) > hexFromBytes(encodePlacedPart(known))
}

/** Checks the receipts of the parts of one entry, asking the chain once for each provider, and for each order. */
function createReceiptCheck(
  options: AdmissionOptions,
  entry: LogEntry,
  origin: BundleOrigin,
): (part: PlacedPart) => Promise<void> {
  const { network, chain, orders, clock, timers } = options
  const accounts = new Map<Address, Account | undefined>()
  const from = origin === 'submitted' ? Math.floor(clock.nowMs() / 1000) : entry.time
  let checked = 0

  const isGoodProvider = async (address: Address): Promise<boolean> => {
    if (!accounts.has(address)) accounts.set(address, await chain.findAccount(address))
    const account = accounts.get(address)
    return account?.role === 'provider' && (origin === 'replicated' || account.state === 'active')
  }
  /** An order carries a receipt while it runs; of what another keeper took, that it was with this provider. */
  const findOrderFault = async ({ orderId, provider }: Receipt): Promise<string | undefined> => {
    if (orderId === 0) return undefined
    const epoch = origin === 'submitted' ? (await chain.getEpochs()).current : 0n
    const order = await orders.find(orderId, ({ end }) => end > epoch)
    if (order?.provider !== provider) return `names order ${orderId}, which is not with its provider`
    return order.end > epoch ? undefined : `is under order ${orderId}, which is over`
  }
  const findFault = async (receipt: Receipt): Promise<string | undefined> => {
    if (receipt.expiry <= from + RECEIPT_MARGIN_SECONDS) return 'runs out within the hour'
    const committedAt = receipt.expiry - RECEIPT_LIFE_SECONDS
    const isOld = receipt.orderId === 0 && committedAt < from - RECEIPT_USE_SECONDS
    if (isOld && origin === 'submitted') return 'is older than two days, and its piece may be gone'
    if (!(await isGoodProvider(receipt.provider))) return 'names no active provider'
    const orderFault = await findOrderFault(receipt)
    if (orderFault) return orderFault
    if (++checked % CHECKS_PER_TURN === 0) await timers.sleep(0)
    return isReceipt(network, receipt) ? undefined : 'is not signed by the provider that the placement names'
  }

  return async ({ placement, receipts }) => {
    const { dataShards, parityShards, pieces } = placement
    const part = hex32(placement.partId)
    for (const [i, receipt] of receipts.entries()) {
      const provider = pieces[i]?.provider
      const fault = receipt
        ? await findFault(receipt)
        : provider !== NOBODY && 'is missing, and its provider is not the zero address'
      if (fault) {
        throw new ReceiptRefusedError(`the receipt for piece ${i} of part ${part} ${fault}`, {
          fix: 'Place this piece again.',
          details: { part, piece: i, provider },
        })
      }
    }
    const placed = receipts.filter((receipt) => receipt).length
    const needed = dataShards + Math.ceil(parityShards / 2)
    if (placed < needed) {
      throw new ReceiptRefusedError(`part ${part} has ${placed} receipts and needs ${needed}`, {
        fix: 'Place more of its pieces.',
        details: { part, placed, needed },
      })
    }
  }
}
