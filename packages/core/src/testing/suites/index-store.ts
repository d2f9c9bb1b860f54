import { utf8 } from '../../bytes/index.ts'
import type { IndexStore } from '../../ports.ts'
import {
  type ConformanceCase,
  casesOf,
  claimBytes,
  claimEqual,
  claimFails,
  type Examined,
  patternBytes,
} from './case.ts'

/** An index store to examine. */
export type ExaminedIndexStore = Examined<IndexStore> & {
  /** Opens what lies on the same disk again, as a process does that was killed: nothing was closed before. */
  readonly reopen: () => Promise<IndexStore>
}

/** What every index store keeps (`spec/ports.md` 5). */
export function describeIndexStore(name: string, create: () => Promise<ExaminedIndexStore>): ConformanceCase[] {
  return casesOf(name, create, {
    'a record is read back, replaced, deleted': async (store) => {
      claimEqual(await store.get('a'), undefined, 'before')
      await store.apply([{ key: 'a', value: utf8('1') }])
      claimBytes(await store.get('a'), utf8('1'), 'put')
      await store.apply([{ key: 'a', value: utf8('2') }])
      claimBytes(await store.get('a'), utf8('2'), 'replaced')
      await store.apply([{ key: 'a' }, { key: 'never' }])
      claimEqual(await store.get('a'), undefined, 'deleted')
    },
    'any bytes are a value, none at all included': async (store) => {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      const large = patternBytes(1_000_000)
      await store.apply([
        { key: 'all', value: all },
        { key: 'none', value: new Uint8Array(0) },
        { key: 'large', value: large },
      ])
      claimBytes(await store.get('all'), all, 'every byte')
      claimBytes(await store.get('none'), new Uint8Array(0), 'no byte')
      claimBytes(await store.get('large'), large, 'a large value')
    },
    'changes of one key in one call count in their order': async (store) => {
      await store.apply([{ key: 'a', value: utf8('1') }, { key: 'a' }, { key: 'a', value: utf8('3') }])
      claimBytes(await store.get('a'), utf8('3'), 'the last change')
      await store.apply([{ key: 'a', value: utf8('4') }, { key: 'a' }])
      claimEqual(await store.get('a'), undefined, 'the last change')
    },
    'no change at all is fine': async (store) => await store.apply([]),
    'a list has what starts with the prefix and comes after, in key order, up to the limit': async (store) => {
      const keys = ['b/1', 'a', 'b/10', 'b/2', 'b', 'c', 'b/', 'B/1', 'b/~', 'b0']
      await store.apply(keys.map((key) => ({ key, value: utf8(key) })))
      const listed = async (prefix: string, limit: number, after?: string) => {
        const records = await store.list({ prefix, limit, ...(after === undefined ? {} : { after }) })
        for (const { key, value } of records) claimBytes(value, utf8(key), `value of ${key}`)
        return records.map((record) => record.key)
      }
      claimEqual(await listed('b/', 100), ['b/', 'b/1', 'b/10', 'b/2', 'b/~'], 'a prefix')
      claimEqual(await listed('b/', 2), ['b/', 'b/1'], 'a limit')
      claimEqual(await listed('b/', 100, 'b/1'), ['b/10', 'b/2', 'b/~'], 'after a key')
      claimEqual(await listed('b/', 100, 'b/15'), ['b/2', 'b/~'], 'after a key that is not there')
      claimEqual(await listed('', 100), [...keys].sort(), 'everything')
      claimEqual(await listed('', 100, 'b0'), ['c'], 'after, without prefix')
      claimEqual(await listed('x', 100), [], 'nothing')
      claimEqual(await listed('b/', 100, 'z'), [], 'after the end')
    },
    'characters that mean something in queries mean nothing in keys': async (store) => {
      const keys = ['50%/a', '50_/a', '50x/a', "o'brien", '*?[a]', 'did:memo:ab/cd']
      await store.apply(keys.map((key) => ({ key, value: utf8(key) })))
      for (const key of keys) claimBytes(await store.get(key), utf8(key), key)
      for (const prefix of ['50%', '50_', "o'", '*', 'did:memo:ab/']) {
        claimEqual((await store.list({ prefix, limit: 9 })).length, 1, `records under ${prefix}`)
      }
    },
    'what a caller does to its bytes afterwards changes nothing': async (store) => {
      const value = utf8('kept')
      const applied = store.apply([{ key: 'a', value }])
      await applied
      value.fill(0)
      claimBytes(await store.get('a'), utf8('kept'), 'after the given bytes changed')
      const got = await store.get('a')
      got?.fill(0)
      claimBytes(await store.get('a'), utf8('kept'), 'after the got bytes changed')
    },
    'many changes at once all happen': async (store) => {
      const writes = Array.from({ length: 50 }, (_, i) =>
        store.apply([
          { key: `n/${`${i}`.padStart(3, '0')}`, value: utf8(`${i}`) },
          { key: 'last', value: utf8(`${i}`) },
        ]),
      )
      await Promise.all(writes)
      claimEqual((await store.list({ prefix: 'n/', limit: 1_000 })).length, 50, 'records')
    },
    'what was applied survives a crash': async (store, { reopen }) => {
      await store.apply([
        { key: 'a', value: utf8('1') },
        { key: 'b', value: utf8('2') },
      ])
      await store.apply([{ key: 'a' }])
      const again = await reopen()
      claimEqual(await again.get('a'), undefined, 'deleted')
      claimBytes(await again.get('b'), utf8('2'), 'kept')
      await again.close()
    },
    'a closed store refuses, and closing twice is no fault': async (store) => {
      await store.close()
      await store.close()
      await claimFails(store.get('a'), 'get')
      await claimFails(store.apply([{ key: 'a', value: utf8('1') }]), 'apply')
      await claimFails(store.list({ prefix: '', limit: 1 }), 'list')
    },
  })
}
