import { type Clock, type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import type { MemoDid } from '@memo/did'

/** A log that holds entries which no checkpoint covers. */
export type ChangedLog = {
  readonly did: MemoDid
  /** How many there are, as far as that is known since the gateway began. */
  readonly entries: number
  /** When the first of them was noted. */
  readonly sinceMs: number
}

/** Which of the gateway's logs have entries that no checkpoint covers; known after a restart as well. */
export type ChangedLogs = {
  /** Notes one more entry; gives what is to be stored together with what the entry changed. */
  note(did: MemoDid): readonly IndexChange[]
  /** Those that are due, the one that has waited for longest first. */
  listDue(limits: { readonly entries: number; readonly ageMs: number }): readonly ChangedLog[]
  /** A checkpoint covers all that `log` counted. */
  cover(log: ChangedLog): Promise<void>
}

const PREFIX = 'uncovered/'
const PAGE = 1_000

export async function openChangedLogs(store: IndexStore, clock: Clock): Promise<ChangedLogs> {
  const logs = new Map<MemoDid, ChangedLog>()
  for (let after: string | undefined; ; ) {
    const page = await store.list({ prefix: PREFIX, limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { key, value } of page) {
      const did = key.slice(PREFIX.length) as MemoDid
      logs.set(did, { did, entries: 1, sinceMs: Number(textFromUtf8(value)) })
    }
    if (page.length < PAGE) break
    after = page.at(-1)?.key
  }
  return {
    note(did) {
      const known = logs.get(did)
      const nowMs = clock.nowMs()
      logs.set(did, { did, entries: (known?.entries ?? 0) + 1, sinceMs: known?.sinceMs ?? nowMs })
      return known ? [] : [{ key: `${PREFIX}${did}`, value: utf8(String(nowMs)) }]
    },
    listDue({ entries, ageMs }) {
      const nowMs = clock.nowMs()
      // The clock may jump back: then what is from the future is due.
      const isDue = (log: ChangedLog) => log.entries >= entries || Math.abs(nowMs - log.sinceMs) >= ageMs
      return [...logs.values()].filter(isDue).sort((a, b) => a.sinceMs - b.sinceMs)
    },
    async cover(log) {
      const left = (logs.get(log.did)?.entries ?? 0) - log.entries
      if (left > 0) {
        logs.set(log.did, { did: log.did, entries: left, sinceMs: clock.nowMs() })
        return
      }
      logs.delete(log.did)
      await store.apply([{ key: `${PREFIX}${log.did}` }])
    },
  }
}
