import { type Address, type Chain, type ClientPorts, createKeeperClient, MemoError } from '@memo/core'
import type { MemoDid } from '@memo/did'
import { EntryRefusedError, KeepersUnreachableError, type Storage } from '@memo/sdk'
import type { LoggedObject, ObjectTable } from './store/objects.ts'
import { listWriterHeads } from './writer-heads.ts'

/** What a restore reads from, and what it fills. */
export type RestoreSources = {
  readonly ports: ClientPorts
  readonly chain: Chain
  readonly storage: Storage
  readonly objects: ObjectTable
  /** The writer whose logs are read. */
  readonly account: Address
}

/**
 * Makes the table say what the gateway's logs say (`spec/gateway.md` 10): all of them where the table was never
 * filled, else only those that were being written when the gateway stopped. Returns how many were read. Errors:
 * {@link KeepersUnreachableError}.
 */
export async function restoreTable(sources: RestoreSources, signal: AbortSignal): Promise<number> {
  const { objects } = sources
  const isWhole = !(await objects.isComplete())
  const dids = isWhole ? await listWrittenDids(sources, signal) : await objects.listUnsettled()
  for (const did of dids) {
    if (!isWhole) await handOver(sources, did, signal)
    await restoreDid(sources, did, signal)
  }
  if (isWhole) await objects.setComplete()
  return dids.length
}

/** Hands an entry over that was signed when the gateway ended: what it puts is then in the log, or never will be. */
async function handOver({ storage }: RestoreSources, did: MemoDid, signal: AbortSignal): Promise<void> {
  try {
    await storage.settle(did, { signal })
  } catch (thrown) {
    if (!(thrown instanceof EntryRefusedError)) throw thrown
    // Given up for good: the log goes on without it.
  }
}

async function restoreDid({ storage, objects, account }: RestoreSources, did: MemoDid, signal: AbortSignal) {
  const logged: LoggedObject[] = []
  for await (const { seq, manifest } of storage.list(did, { writer: account, signal })) {
    if (manifest) logged.push({ seq, manifest })
  }
  await objects.reconcile(did, logged)
}

/** DIDs that the account wrote for, as more than a third of the keepers know them: so many include one that has all. */
async function listWrittenDids(sources: RestoreSources, signal: AbortSignal): Promise<readonly MemoDid[]> {
  const keepers = (await sources.chain.listKeepers()).filter(({ state, endpoint }) => state === 'active' && endpoint)
  const needed = Math.floor(keepers.length / 3) + 1
  const dids = new Set<MemoDid>()
  const faults: { role: 'keeper'; address: Address; name: string; message: string }[] = []
  let answers = 0
  for (const { address, endpoint } of keepers) {
    try {
      const client = createKeeperClient(sources.ports, { address, endpoint })
      for await (const { did } of listWriterHeads(client, sources.account, signal)) dids.add(did)
      answers += 1
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown
      faults.push({ role: 'keeper', address, name: thrown.name, message: thrown.message })
    }
  }
  if (answers < needed) throw new KeepersUnreachableError('what this gateway has written', faults)
  return [...dids]
}
