import { assert, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import type { Hex } from 'viem'

/** What was signed under a key: every version has one nonce. */
export type SentRecord = {
  readonly nonce: number
  /** Decimal text of the gas limit, which all versions share. */
  readonly gas: string
  readonly raws: readonly Hex[]
}

/** What an account has signed under keys that name their purpose, kept before it leaves. */
export type Journal = {
  find(key: string): Promise<SentRecord | undefined>
  /** Durable when it resolves. */
  save(key: string, record: SentRecord): Promise<void>
  forget(key: string): Promise<void>
}

const KEY = /^[\x21-\x7e]{1,128}$/

/** A journal for as long as the process lives. */
export function createMemoryJournal(): Journal {
  const records = new Map<string, SentRecord>()
  return {
    find: async (key) => records.get(key),
    save: async (key, record) => void records.set(key, record),
    forget: async (key) => void records.delete(key),
  }
}

/** Keeps a journal of one account on one chain in an index store; others may share the store. */
export function createJournal(store: IndexStore, { chainId, from }: { chainId: number; from: string }): Journal {
  const place = (key: string): string => {
    assert(KEY.test(key), 'a key of 1 to 128 printable ASCII characters')
    return `sent/${chainId}/${from.toLowerCase()}/${key}`
  }
  return {
    async find(key) {
      const bytes = await store.get(place(key))
      return bytes && (JSON.parse(textFromUtf8(bytes) ?? '') as SentRecord)
    },
    save: (key, record) => store.apply([{ key: place(key), value: utf8(JSON.stringify(record)) }]),
    forget: (key) => store.apply([{ key: place(key) }]),
  }
}
