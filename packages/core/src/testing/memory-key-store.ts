import { BadInputError, NotFoundError } from '../errors/index.ts'
import type { KeyStore } from '../ports.ts'

/** Key stores over one set of keys, opened with a password each. */
export type MemoryKeyVault = { open(password: string): KeyStore }

/** Keys in memory: what a directory of encrypted keys is on a disk. Each key remembers the password it was saved with. */
export function createMemoryKeyVault(): MemoryKeyVault {
  const keys = new Map<string, { readonly password: string; readonly secretKey: Uint8Array }>()
  return {
    open: (password) => ({
      async load(name) {
        const key = keys.get(name)
        if (!key) throw new NotFoundError(`there is no key named ${name}`)
        if (key.password !== password) throw new BadInputError(`the password of key ${name} is another`)
        return key.secretKey.slice()
      },
      async save(name, secretKey) {
        if (keys.has(name)) throw new BadInputError(`there is a key named ${name} already`)
        keys.set(name, { password, secretKey: secretKey.slice() })
      },
      list: async () => [...keys.keys()].sort(),
    }),
  }
}

export function createMemoryKeyStore(): KeyStore {
  return createMemoryKeyVault().open('test password')
}
