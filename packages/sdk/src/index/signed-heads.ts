import {
  BadInputError,
  concatBytes,
  decodeBundle,
  encodeBundle,
  type IndexBundle,
  type IndexChange,
  type IndexStore,
  MemoError,
  type Network,
  uint64be,
} from '@memo/core'
import type { LogPlace } from './read-log.ts'

/** What this account signed last in one of its logs. */
export type SignedHead = {
  readonly place: NonNullable<LogPlace>
  /** The entry with its parts, as long as it is not known to be durable: no other may stand under its number. */
  readonly bundle: IndexBundle | undefined
}

/**
 * What this account signed last in each of its logs, kept before it is handed to anybody: so that a client that ends and
 * begins again never signs two entries under one number (`spec/sdk.md` 6). Calls for one DID take turns.
 */
export type SignedHeads = {
  find(did: string): Promise<SignedHead | undefined>
  /** Durable when it resolves, together with `changes` of whatever else lies in the store. */
  keep(bundle: IndexBundle, changes?: readonly IndexChange[]): Promise<void>
  /** The log is durable up to `place`: only that is remembered, and is written when something else is. */
  settle(did: string, place: NonNullable<LogPlace>): void
  /** Nobody will ever have the entry: the log ends at `place`. Durable when it resolves, together with `changes`. */
  giveUp(did: string, place: LogPlace, changes?: readonly IndexChange[]): Promise<void>
  /** Entries that waited when this began, and that nobody has asked for since. */
  listWaiting(): Promise<readonly IndexBundle[]>
  /** Writes what was put off. */
  close(): Promise<void>
}

const WAITING = 'log/waiting/'
const PLACE = 'log/place/'
const HASH_BYTES = 32
const PLACE_BYTES = 8 + HASH_BYTES
const PAGE = 100

/** {@link SignedHeads} in `store`, or, without one, in nothing: then what was signed is forgotten with the process. */
export function createSignedHeads(network: Network, store: IndexStore | undefined): SignedHeads {
  if (!store) return NO_HEADS
  // One registry on one chain is one network: the same DID may have other logs elsewhere.
  const scope = `${network.chainId}/${network.registry}/`
  const keyOf = (kind: string, did: string) => `${kind}${scope}${encodeURIComponent(did)}`
  /** Changes that may be lost: what they say is found out again. */
  let putOff: IndexChange[] = []
  let found: Map<string, IndexBundle> | undefined
  let reading: Promise<Map<string, IndexBundle>> | undefined

  const apply = async (changes: readonly IndexChange[]) => {
    const all = [...putOff, ...changes]
    putOff = []
    await store.apply(all)
  }
  const readWaiting = async () => {
    const waiting = new Map<string, IndexBundle>()
    let after: string | undefined
    for (;;) {
      const prefix = `${WAITING}${scope}`
      const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
      for (const { value } of page) {
        const bundle = decodeBundle(network, value)
        waiting.set(bundle.signed.entry.did, bundle)
      }
      if (page.length < PAGE) return waiting
      after = page.at(-1)?.key
    }
  }
  const listWaiting = async () => {
    reading ??= readWaiting()
    try {
      found = await reading
      return found
    } catch (thrown) {
      reading = undefined // the next one tries again
      throw thrown
    }
  }

  return {
    async find(did) {
      const bundle = (await listWaiting()).get(did)
      if (bundle) return { place: placeOf(bundle), bundle }
      const key = keyOf(PLACE, did)
      const unwritten = putOff.findLast((change) => change.key === key)
      const written = unwritten?.value ?? (await store.get(key))
      return written && { place: decodePlace(written), bundle: undefined }
    },
    async keep(bundle, changes = []) {
      const { did } = bundle.signed.entry
      await apply([{ key: keyOf(WAITING, did), value: encodeBundle(bundle) }, ...changes])
      ;(await listWaiting()).delete(did)
    },
    settle(did, place) {
      found?.delete(did)
      putOff.push({ key: keyOf(PLACE, did), value: encodePlace(place) }, { key: keyOf(WAITING, did) })
    },
    async giveUp(did, place, changes = []) {
      const key = keyOf(PLACE, did)
      await apply([place ? { key, value: encodePlace(place) } : { key }, { key: keyOf(WAITING, did) }, ...changes])
      ;(await listWaiting()).delete(did)
    },
    listWaiting: async () => [...(await listWaiting()).values()],
    async close() {
      try {
        if (putOff.length > 0) await apply([])
      } catch (thrown) {
        if (!(thrown instanceof MemoError)) throw thrown
        // What was put off is found out again: a disk that fails keeps nobody from closing.
      }
    },
  }
}

const NO_HEADS: SignedHeads = {
  find: async () => undefined,
  keep: async () => undefined,
  settle: () => undefined,
  giveUp: async () => undefined,
  listWaiting: async () => [],
  close: async () => undefined,
}

function placeOf({ signed }: IndexBundle): NonNullable<LogPlace> {
  return { seq: signed.entry.seq, hash: signed.hash }
}

function encodePlace({ seq, hash }: NonNullable<LogPlace>): Uint8Array {
  return concatBytes(uint64be(seq), hash)
}

function decodePlace(bytes: Uint8Array): NonNullable<LogPlace> {
  if (bytes.length !== PLACE_BYTES) throw new BadInputError('a record of what was signed last that is none')
  const seq = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))
  return { seq, hash: bytes.slice(PLACE_BYTES - HASH_BYTES) }
}
