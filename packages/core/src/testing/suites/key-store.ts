import type { KeyStore } from '../../ports.ts'
import { type ConformanceCase, casesOf, claimBytes, claimEqual, claimFails, type Examined } from './case.ts'

/** Opens key stores over one set of keys. */
export type ExaminedKeyStore = Examined<(password: string) => Promise<KeyStore>>

const SECRET = new Uint8Array(32).fill(7)
const OTHER = new Uint8Array(32).fill(9)

/** What every key store keeps (`spec/ports.md` 7). */
export function describeKeyStore(name: string, create: () => Promise<ExaminedKeyStore>): ConformanceCase[] {
  return casesOf(name, create, {
    'a key is loaded again with its password, also by another store over the same keys': async (open) => {
      const store = await open('correct horse')
      await store.save('one', SECRET)
      await store.save('two', OTHER)
      claimBytes(await store.load('one'), SECRET, 'key one')
      claimBytes(await (await open('correct horse')).load('two'), OTHER, 'key two')
      claimEqual([...(await store.list())].sort(), ['one', 'two'], 'names')
    },
    'a wrong password, none, and an unknown name are refused': async (open) => {
      await (await open('correct horse')).save('one', SECRET)
      await claimFails((await open('correct horsf')).load('one'), 'a wrong password')
      await claimFails((await open('')).load('one'), 'no password')
      await claimFails((await open('correct horse')).load('two'), 'an unknown name')
    },
    'a name that is taken is refused, and its key stays': async (open) => {
      const store = await open('correct horse')
      await store.save('one', SECRET)
      await claimFails(store.save('one', OTHER), 'saving again')
      claimBytes(await store.load('one'), SECRET, 'the key')
    },
    'no keys is an empty list': async (open) => claimEqual(await (await open('x')).list(), [], 'names'),
  })
}
