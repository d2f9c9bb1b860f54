import {
  type Address,
  ackQuorumOf,
  type Chain,
  type ClientPorts,
  createKeeperClient,
  HOLDINGS_PAGE,
  type Holding,
  type KeeperClient,
  RECEIPT_LIFE_SECONDS,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import type { Custody } from './custody.ts'
import type { PieceRecord } from './piece-book.ts'

export type CollectionOptions = {
  readonly ports: ClientPorts
  readonly chain: Chain
  readonly self: Address
  readonly custody: Custody
  readonly log: EventSink
  readonly unplacedGraceMs: number
}

/** Finds pieces that no index needs any more, or never did, and gives their space back. */
export type Collector = {
  /** One pass over all records. Rejects when a keeper does not answer, having removed nothing that it might need. */
  collect(signal: AbortSignal): Promise<CollectionResult>
}

/** What one pass did. */
export type CollectionResult = { readonly asked: number; readonly collected: number }

/**
 * A collector over the records of `custody` (`spec/provider.md` 13). A put that was broken off leaves pieces that no entry
 * names, and a deletion that was broken off pieces that no entry needs any more. Every active keeper must answer, because
 * one alone may have taken an entry; and a piece goes only when two passes in a row found it unneeded, so that no jump of
 * the clock costs data.
 */
export function createCollector(options: CollectionOptions): Collector {
  const { chain, custody, ports, log } = options
  let unneededBefore = new Set<string>()

  const collect = async (signal: AbortSignal): Promise<CollectionResult> => {
    const keepers = (await chain.listKeepers()).filter((account) => account.state === 'active')
    const clients = keepers.map((account) => createKeeperClient(ports, account))
    const unneeded = new Set<string>()
    let asked = 0
    let collected = 0
    for (let after: string | undefined; ; ) {
      signal.throwIfAborted()
      const page = await custody.book.list(after, HOLDINGS_PAGE)
      const old = page.filter((record) => isOld(record, options))
      const answers = clients.length === 0 ? [] : await ask(clients, options.self, old, signal)
      for (const [i, record] of old.entries()) {
        const said = answers.map((holdings) => holdings[i]!)
        if (said.includes('placed')) await notePlaced(custody, record)
        if (!isUnneeded(record, said)) continue
        unneeded.add(record.root)
        if (!unneededBefore.has(record.root) || !(await custody.dropUnpaid(record))) continue
        collected++
        const message = `piece ${record.root} was needed by no entry of any index and is given up`
        log({ type: 'piece-collected', level: 'info', message, root: record.root, sizeBytes: record.sizeBytes })
      }
      asked += old.length
      after = page.at(-1)?.root
      if (page.length < HOLDINGS_PAGE) break
    }
    unneededBefore = unneeded
    return { asked, collected }
  }
  return { collect }
}

/** Whether there are claims without an order, and all of them were made so long ago that keepers take no new entry on their receipts. */
function isOld({ claims }: PieceRecord, { ports, unplacedGraceMs }: CollectionOptions): boolean {
  const committedBefore = (ports.clock.nowMs() - unplacedGraceMs) / 1000
  const unpaid = claims.filter(({ orderId }) => orderId === 0)
  return unpaid.length > 0 && unpaid.every(({ expiry }) => expiry - RECEIPT_LIFE_SECONDS <= committedBefore)
}

async function ask(
  keepers: readonly KeeperClient[],
  self: Address,
  records: readonly PieceRecord[],
  signal: AbortSignal,
): Promise<readonly (readonly Holding[])[]> {
  if (records.length === 0) return []
  const roots = records.map((record) => record.root)
  return await Promise.all(keepers.map((keeper) => keeper.listHoldings(self, roots, { signal })))
}

/**
 * Of a piece that was needed once, keepers must say that it was let go, not merely that they know nothing of it: they may
 * have lost their records.
 */
function isUnneeded({ wasPlaced }: PieceRecord, said: readonly Holding[]): boolean {
  if (said.length === 0 || said.includes('placed')) return false
  const released = said.filter((holding) => holding === 'released').length
  return !wasPlaced || released >= ackQuorumOf(said.length)
}

async function notePlaced({ book, inTurn }: Custody, { root, wasPlaced }: PieceRecord): Promise<void> {
  if (wasPlaced) return
  await inTurn(root, async () => {
    const record = await book.find(root)
    if (record) await book.put({ ...record, wasPlaced: true })
  })
}
