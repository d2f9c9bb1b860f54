import {
  type Account,
  type Address,
  BadAnswerError,
  type Chain,
  type ClientPorts,
  CONTROL_TIMEOUT_MS,
  createKeeperClient,
  decodeCbor,
  decodePlacedPart,
  envelopeFromError,
  exchange,
  hex32,
  type IndexBundle,
  IndexConflictError,
  type KeeperClient,
  MAX_BUNDLE_BYTES,
  MemoError,
  type PlacedPart,
  readAnswer,
  type SignedEntry,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import type { Background } from '../server/background.ts'
import type { Intake } from './intake.ts'
import type { KeeperLimits } from './limits.ts'
import type { DeferredLog, PeerProgress } from './peer-progress.ts'
import type { KeeperStore, LogName } from './store.ts'

export type ReplicationOptions = {
  readonly ports: ClientPorts
  readonly chain: Chain
  readonly self: Address
  readonly store: KeeperStore
  readonly progress: PeerProgress
  readonly intake: Intake
  readonly limits: KeeperLimits
  readonly log: EventSink
}

type Peer = { readonly account: Account; readonly client: KeeperClient }

/** A log that is refused is tried again after 5 s, 10 s, 20 s … an hour at the most, then given up. */
const FIRST_RETRY_MS = 5_000
const MAX_RETRY_MS = 3_600_000
const MAX_ATTEMPTS = 16

/**
 * Reads the feeds of all other keepers and takes what they have, as if it had been submitted, so that each soon holds
 * all and a keeper that was down catches up (`spec/keeper.md` 6).
 */
export function startReplication(options: ReplicationOptions, background: Background): void {
  const followed = new Set<Address>()
  background.run('replication', async (signal) => {
    for (;;) {
      for (const account of await listPeers(options)) {
        if (followed.has(account.address)) continue
        followed.add(account.address)
        background.run(`following keeper ${account.address}`, async (inner) => {
          await followPeer(options, account.address, inner)
          followed.delete(account.address)
        })
      }
      await options.ports.timers.sleep(options.limits.feedPollMs, signal)
    }
  })
}

/** Active keepers other than this one. While the chain does not answer: none that are new. */
async function listPeers({ chain, self, log }: ReplicationOptions): Promise<readonly Account[]> {
  try {
    const keepers = await chain.listKeepers()
    return keepers.filter(({ address, state, endpoint }) => address !== self && state === 'active' && endpoint !== '')
  } catch (thrown) {
    const message = 'the chain did not list the keepers'
    log({ type: 'chain-unreachable', level: 'warn', message, ...envelopeFromError(thrown) })
    return []
  }
}

/** Follows one keeper until it leaves the network, or `signal` is aborted. */
async function followPeer(options: ReplicationOptions, address: Address, signal: AbortSignal): Promise<void> {
  const { ports, limits, log } = options
  let failures = 0
  for (;;) {
    let waitMs: number
    try {
      const account = await options.chain.findAccount(address)
      if (account?.role !== 'keeper' || account.state !== 'active') return
      const peer = { account, client: createKeeperClient(ports, account) }
      await retryDeferred(options, peer, signal)
      waitMs = await readPage(options, peer, signal)
      if (failures > 0) log({ type: 'keeper-back', level: 'info', message: `keeper ${address} answers again` })
      failures = 0
    } catch (thrown) {
      signal.throwIfAborted()
      const message = `keeper ${address} could not be read`
      if (failures === 0) log({ type: 'keeper-unread', level: 'warn', message, ...envelopeFromError(thrown) })
      waitMs = Math.min(limits.feedBackoffMs, limits.feedPollMs * 2 ** failures)
      failures = Math.min(failures + 1, MAX_ATTEMPTS)
    }
    await ports.timers.sleep(waitMs, signal)
  }
}

/** Takes one page of a keeper's feed; gives how long to wait before the next. */
async function readPage(options: ReplicationOptions, peer: Peer, signal: AbortSignal): Promise<number> {
  const { progress, limits } = options
  const { address } = peer.account
  const cursor = await progress.findCursor(address)
  const { next, bundles } = await peer.client.readFeed(cursor, { signal })
  let taken = 0
  /** Logs of which one entry was refused: the later ones on this page have no ground to stand on. */
  const refused = new Set<string>()
  for (const bundle of bundles) {
    signal.throwIfAborted()
    const name = logKey(bundle.signed.entry)
    if (refused.has(name)) continue
    const outcome = await takeFromPeer(options, peer, bundle, signal)
    if (outcome === 'taken') taken++
    if (outcome === 'refused') refused.add(name)
  }
  // A keeper that lost its records counts from the beginning again.
  if (next !== cursor) await progress.putCursor(address, next < cursor ? 0 : next)
  if (taken > 0) return 0
  return bundles.length > 0 ? limits.feedKnownMs : limits.feedPollMs
}

type Outcome = 'taken' | 'known' | 'refused'

/** Rejects only for what is not the bundle's fault, so that the page is read again. */
async function takeFromPeer(
  options: ReplicationOptions,
  peer: Peer,
  bundle: IndexBundle,
  signal: AbortSignal,
): Promise<Outcome> {
  const { did, writer, seq } = bundle.signed.entry
  try {
    return await options.intake.take(bundle, 'replicated')
  } catch (thrown) {
    if (!isVerdict(thrown)) throw thrown
    if (!(thrown instanceof IndexConflictError)) return await postpone(options, peer, { did, writer }, 0, thrown)
    const head = await options.store.findHead({ did, writer })
    if (seq > (head?.seq ?? 0) + 1) return await fetchLog(options, peer, { did, writer }, 0, signal)
    reportFork(options, peer, { did, writer }, seq)
    return 'refused'
  }
}

/** Fetches what this keeper lacks of a log, in order. `'taken'` when something new was taken. */
async function fetchLog(
  options: ReplicationOptions,
  peer: Peer,
  log: LogName,
  attempts: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const { store, intake } = options
  let taken = 0
  try {
    for (;;) {
      const head = await store.findHead(log)
      const entries = await peer.client.listEntries(log.did, log.writer, (head?.seq ?? 0) + 1, { signal })
      for (const signed of entries) {
        assertSameLog(peer, log, signed)
        const parts = await fetchParts(options, peer, signed, signal)
        if ((await intake.take({ signed, parts }, 'replicated')) === 'taken') taken++
      }
      if ((await store.findHead(log))?.seq === head?.seq) break
    }
  } catch (thrown) {
    if (!isVerdict(thrown)) throw thrown
    if (thrown instanceof IndexConflictError) reportFork(options, peer, log, taken)
    else return await postpone(options, peer, log, attempts, thrown)
  }
  await options.progress.settle(peer.account.address, log)
  return taken > 0 ? 'taken' : 'known'
}

/** The parts of an entry that this keeper does not know, by the DID whose entry it is. */
async function fetchParts(
  { ports, store }: ReplicationOptions,
  peer: Peer,
  { entry }: SignedEntry,
  signal: AbortSignal,
): Promise<PlacedPart[]> {
  if (entry.action.kind === 'delete') return []
  const parts: PlacedPart[] = []
  for (const partId of entry.action.partIds) {
    const id = hex32(partId)
    if (await store.findOwnedPart(id, entry.did)) continue
    const path = `/placements/${id}?owner=${encodeURIComponent(entry.did)}`
    const request = { method: 'GET', path, timeoutMs: CONTROL_TIMEOUT_MS, signal }
    const answer = await exchange(ports, { ...peer.account, role: 'keeper' }, request, (response) =>
      readAnswer(response, MAX_BUNDLE_BYTES, 'keeper'),
    )
    const { part } = (decodeCbor(answer) ?? {}) as { part?: unknown }
    if (part instanceof Uint8Array) parts.push(decodePlacedPart(part))
  }
  return parts
}

async function retryDeferred(options: ReplicationOptions, peer: Peer, signal: AbortSignal): Promise<void> {
  const now = options.ports.clock.nowMs()
  for (const log of await options.progress.listDeferred(peer.account.address)) {
    if (log.nextAtMs <= now) await fetchLog(options, peer, log, log.attempts, signal)
  }
}

/** What was refused may be right later: this keeper's view of the chain may lag behind. */
async function postpone(
  options: ReplicationOptions,
  peer: Peer,
  log: LogName,
  attempts: number,
  cause: unknown,
): Promise<'refused'> {
  const { progress, ports } = options
  const { address } = peer.account
  const waitMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS)
  const deferred: DeferredLog = { ...nameOf(log), attempts: attempts + 1, nextAtMs: ports.clock.nowMs() + waitMs }
  const isKept = attempts < MAX_ATTEMPTS && (await progress.defer(address, deferred))
  if (!isKept) await progress.settle(address, log)
  const message = `the log of ${log.did} by ${log.writer} at keeper ${address} is refused${isKept ? '' : ' for good'}`
  const type = isKept ? 'log-postponed' : 'log-refused'
  if (attempts === 0 || !isKept) options.log({ type, level: 'warn', message, ...envelopeFromError(cause) })
  return 'refused'
}

function logKey({ did, writer }: LogName): string {
  return `${writer}/${did}`
}

function nameOf({ did, writer }: LogName): LogName {
  return { did, writer }
}

/** The writer signed two entries with one number. Each keeper stays with the one that it took first. */
function reportFork({ log }: ReplicationOptions, peer: Peer, { did, writer }: LogName, seq: number): void {
  const message = `${writer} signed two entries of ${did} with one number: keeper ${peer.account.address} has another`
  log({ type: 'log-forked', level: 'error', message, did, writer, seq, keeper: peer.account.address })
}

/** Whether an error says something about the entry, rather than about the chain, the peer or this keeper. */
function isVerdict(thrown: unknown): boolean {
  return thrown instanceof MemoError && thrown.blame === 'user'
}

function assertSameLog(peer: Peer, log: LogName, { entry }: SignedEntry): void {
  if (entry.did === log.did && entry.writer === log.writer) return
  const message = `keeper ${peer.account.address} answered entries of another log`
  throw new BadAnswerError(message, { blame: 'keeper', retry: 'later', details: { keeper: peer.account.address } })
}
