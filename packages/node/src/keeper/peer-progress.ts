import { type Address, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import * as keys from './keys.ts'
import type { LogName } from './store.ts'

/** A log that could not be taken from a keeper yet. */
export type DeferredLog = LogName & {
  readonly attempts: number
  /** When to try again, in milliseconds since 1970. */
  readonly nextAtMs: number
}

/** How far another keeper has been read, and what is still to be fetched from it. Survives restarts. */
export type PeerProgress = {
  findCursor(peer: Address): Promise<number>
  putCursor(peer: Address, cursor: number): Promise<void>
  listDeferred(peer: Address): Promise<readonly DeferredLog[]>
  /** False when too many wait already. */
  defer(peer: Address, log: DeferredLog): Promise<boolean>
  settle(peer: Address, log: LogName): Promise<void>
}

/** Logs that may wait per keeper: a keeper that feeds us nonsense fills no disk. */
const MAX_DEFERRED = 10_000

export function createPeerProgress(index: IndexStore): PeerProgress {
  const listDeferred = async (peer: Address) => {
    const rows = await index.list({ prefix: keys.deferredPrefix(peer), limit: MAX_DEFERRED })
    return rows.map((row) => JSON.parse(textFromUtf8(row.value)) as DeferredLog)
  }
  return {
    async findCursor(peer) {
      const value = await index.get(keys.cursorKey(peer))
      return value ? Number(textFromUtf8(value)) : 0
    },
    async putCursor(peer, cursor) {
      await index.apply([{ key: keys.cursorKey(peer), value: utf8(`${cursor}`) }])
    },
    listDeferred,
    async defer(peer, log) {
      const key = keys.deferredKey(peer, log.did, log.writer)
      if (!(await index.get(key)) && (await listDeferred(peer)).length >= MAX_DEFERRED) return false
      await index.apply([{ key, value: utf8(JSON.stringify(log)) }])
      return true
    },
    async settle(peer, { did, writer }) {
      await index.apply([{ key: keys.deferredKey(peer, did, writer) }])
    },
  }
}
