import {
  type Address,
  type Chain,
  type ClientPorts,
  createKeeperClient,
  type IndexStore,
  MemoError,
  textFromUtf8,
  utf8,
} from '@memo/core'
import type { Storage } from '@memo/sdk'
import { ApiError } from '../errors.ts'
import type { GatewayEventSink } from '../events.ts'
import { listWriterHeads } from '../writer-heads.ts'
import { INSTANCE_KEY, type Instance } from './instance.ts'

/**
 * Sees when somebody else writes with this gateway's key: its logs then hold objects that name another instance. Two such
 * gateways have two tables of objects and two ledgers, each wrong, so that both stop taking changes until one is told
 * that it alone is left (`spec/gateway.md` 19).
 */
export type LogWatch = {
  /** The storage through which this gateway writes, with its mark. */
  readonly storage: Storage
  /** Errors: {@link ApiError} 503 while another one writes. */
  assertAlone(): void
  /** What `GET /readyz` says. */
  findFault(): string | undefined
  /** Looks at the logs now and then, until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void>
}

/** Clocks of two machines may differ by so much. */
const SKEW_SECONDS = 120
const END = 'log-end/'
/** Since when the ends of all logs are known. */
const KNOWN = 'log-ends-since'

export function createLogWatch(sources: {
  readonly storage: Storage
  readonly store: IndexStore
  readonly ports: ClientPorts
  readonly chain: Chain
  readonly account: Address
  readonly instance: Instance
  readonly watchMs: number
  readonly log: GatewayEventSink
  readonly background: (work: () => Promise<void>) => void
}): LogWatch {
  const { storage, store, ports, chain, account, instance, watchMs, log, background } = sources
  /** Entries that this process has written since the logs were looked at. */
  const written = new Map<string, number>()
  let turn = 0

  const endOf = async (did: string): Promise<number> => {
    const end = await store.get(`${END}${did}`)
    return end ? Number(textFromUtf8(end)) : 0
  }
  const setEnd = async (did: string, seq: number) => await store.apply([{ key: `${END}${did}`, value: utf8(`${seq}`) }])
  /** A keeper may lie about where a log ends: what counts is an entry with the key's signature. */
  const check = async (did: string, seq: number, signal?: AbortSignal): Promise<void> => {
    for await (const { seq: at, manifest } of storage.list(did, { writer: account, ...(signal ? { signal } : {}) })) {
      const isNews = manifest && manifest.createdAt > instance.sinceSeconds + SKEW_SECONDS
      const by = manifest?.metadata[INSTANCE_KEY]
      if (!isNews || by === instance.id || instance.conflict !== undefined) continue
      const who = by === undefined ? 'something that is no gateway' : `gateway instance ${by.slice(0, 12)}`
      const message = `${who} writes with the key of ${account}: object ${at} of ${did} is not from here`
      await instance.setConflict(message)
      log({ type: 'other-instance', level: 'error', message, did, seq: at, instance: by ?? '' })
    }
    written.delete(did)
    await setEnd(did, seq)
  }
  /** Ends of all logs of the account, as one keeper after the other has them. */
  const listEnds = async function* (signal: AbortSignal) {
    const keepers = (await chain.listKeepers()).filter(({ state, endpoint }) => state === 'active' && endpoint)
    const keeper = keepers[turn++ % Math.max(1, keepers.length)]
    if (keeper) yield* listWriterHeads(createKeeperClient(ports, keeper), account, signal)
  }
  const look = async (signal: AbortSignal): Promise<void> => {
    const since = `${instance.sinceSeconds}`
    const known = await store.get(KNOWN)
    // What stands in the logs of a directory that is new is history.
    const isNew = !known || textFromUtf8(known) !== since
    for await (const { did, seq } of listEnds(signal)) {
      const end = await endOf(did)
      const own = written.get(did) ?? 0
      if (seq <= end) continue
      written.delete(did)
      // As many new ones as were written here are those that were written here.
      if (isNew || seq <= end + own) await setEnd(did, seq)
      else await check(did, seq, signal)
    }
    if (isNew) await store.apply([{ key: KNOWN, value: utf8(since) }])
  }
  const note = (did: string, entries = 1) => written.set(did, (written.get(did) ?? 0) + entries)
  /** A new entry whose number is not explained by what is known and own has the log looked at, at once. */
  const verify = (did: string, seq: number) => {
    background(async () => {
      const end = await endOf(did)
      // No new entry is under the end: whoever said that it is there has lied.
      if (seq <= end || seq > end + (written.get(did) ?? 0)) await check(did, seq)
    })
  }
  return {
    storage: {
      ...storage,
      async put(source, options) {
        const metadata = { ...options.metadata, [INSTANCE_KEY]: instance.id }
        const result = await storage.put(source, { ...options, metadata })
        if (result.deduplicated) return result
        note(options.did)
        verify(options.did, result.seq)
        return result
      },
      async remove(did, object, options) {
        const result = await storage.remove(did, object, options)
        note(did)
        verify(did, result.seq)
        return result
      },
      async writeCheckpoint(did, options) {
        const result = await storage.writeCheckpoint(did, options)
        if (result) note(did, 1 + result.deleted)
        return result
      },
    },
    assertAlone() {
      if (instance.conflict !== undefined) throw new ApiError(503, instance.conflict)
    },
    findFault() {
      if (instance.conflict === undefined) return undefined
      return `gateway: ${instance.conflict}; stop one of them, and start the other once with --take-over`
    },
    async run(signal) {
      while (!signal.aborted) {
        try {
          await look(signal)
        } catch (thrown) {
          if (!signal.aborted && !(thrown instanceof MemoError)) throw thrown
          if (!signal.aborted)
            log({ type: 'watch-waits', level: 'warn', message: `the logs cannot be read: ${thrown}` })
        }
        try {
          await ports.timers.sleep(watchMs, signal)
        } catch {
          return // stopped while it waited
        }
      }
    },
  }
}
