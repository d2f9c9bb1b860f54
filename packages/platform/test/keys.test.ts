import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createKeySigner, hexFromBytes } from '@memo/core'
import { decryptKeyFile, encryptKeyFile, openKeyStore } from '../src/index.ts'

const base = await mkdtemp(join(tmpdir(), 'memo-keys-'))
after(async () => await rm(base, { recursive: true, force: true }))

/** A test key: worth nothing anywhere. */
const TEST_KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const LIGHT = { scryptN: 1_024 }

/** The two examples in the definition of Web3 Secret Storage, with their password and key (public test values). */
const PUBLISHED = {
  password: 'testpassword',
  key: '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d',
  files: {
    pbkdf2: {
      crypto: {
        cipher: 'aes-128-ctr',
        cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
        ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
        kdf: 'pbkdf2',
        kdfparams: {
          c: 262144,
          dklen: 32,
          prf: 'hmac-sha256',
          salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
        },
        mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
      },
      id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
      version: 3,
    },
    scrypt: {
      crypto: {
        cipher: 'aes-128-ctr',
        cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
        ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
        kdf: 'scrypt',
        kdfparams: {
          dklen: 32,
          n: 262144,
          p: 8,
          r: 1,
          salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19',
        },
        mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
      },
      id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
      version: 3,
    },
  },
}

describe('key files', () => {
  for (const [kdf, file] of Object.entries(PUBLISHED.files)) {
    test(`the published example with ${kdf} opens`, async () => {
      assert.equal(hexFromBytes(await decryptKeyFile(JSON.stringify(file), PUBLISHED.password, 'it')), PUBLISHED.key)
    })
  }

  test('what is written has the form and the address that wallets expect', async () => {
    const file = JSON.parse(await encryptKeyFile(TEST_KEY, 'p', 1_024))
    assert.equal(file.version, 3)
    assert.equal(`0x${file.address}`, createKeySigner(TEST_KEY).address)
    assert.equal(file.crypto.kdf, 'scrypt')
    assert.deepEqual(Object.keys(file.crypto.kdfparams).sort(), ['dklen', 'n', 'p', 'r', 'salt'])
    const other = JSON.parse(await encryptKeyFile(TEST_KEY, 'p', 1_024))
    assert.notEqual(other.crypto.ciphertext, file.crypto.ciphertext)
  })

  test('damaged files, other versions and boundless work are refused without a secret in the error', async () => {
    const good = JSON.parse(await encryptKeyFile(TEST_KEY, 'hunter2', 1_024))
    const alter = (change: (crypto: Record<string, never>) => unknown) => {
      const copy = structuredClone(good)
      change(copy.crypto)
      return JSON.stringify(copy)
    }
    const set = (path: string, value: unknown) =>
      alter((crypto) => {
        const [a = '', b] = path.split('.')
        if (b === undefined) crypto[a] = value as never
        else (crypto[a] as unknown as Record<string, unknown>)[b] = value
      })
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      JSON.stringify({ ...good, version: 4 }),
      set('cipher', 'aes-256-gcm'),
      set('kdf', 'md5'),
      set('kdfparams', null),
      set('kdfparams.n', 2 ** 30),
      set('kdfparams.n', -1),
      set('kdfparams.n', 1),
      set('kdfparams.n', 1_000),
      set('kdfparams.r', 1e6),
      set('kdfparams.dklen', 64),
      set('kdfparams.salt', 'xyz'),
      set('cipherparams.iv', '00'),
      set('mac', ''),
      set('ciphertext', '00'),
    ]
    for (const text of bad) {
      await assert.rejects(decryptKeyFile(text, 'hunter2', 'it'), (error) => {
        const { name, message, cause } = error as Error
        assert.equal(name, 'BadKeyFileError', text)
        assert.doesNotMatch(`${message} ${cause}`, /hunter2|0102030405/)
        return true
      })
    }
  })
})

describe('key store', () => {
  test('keys come back under their names, from files that only their owner can read', async () => {
    const dir = join(base, 'a')
    const store = await openKeyStore(dir, 'secret', LIGHT)
    await store.save('node', TEST_KEY)
    await store.save('other', TEST_KEY.slice().reverse())
    assert.deepEqual(await store.list(), ['node', 'other'])
    assert.deepEqual(new Uint8Array(await store.load('node')), TEST_KEY)
    assert.equal((await stat(dir)).mode & 0o777, 0o700)
    assert.equal((await stat(join(dir, 'node.json'))).mode & 0o777, 0o600)
    assert.doesNotMatch(await readFile(join(dir, 'node.json'), 'utf8'), /01020304050607/)
  })

  test('a wrong password, a missing key, a taken and an unsound name are told apart', async () => {
    const dir = join(base, 'b')
    const store = await openKeyStore(dir, 'right', LIGHT)
    await store.save('node', TEST_KEY)
    const before = await readFile(join(dir, 'node.json'), 'utf8')
    await assert.rejects((await openKeyStore(dir, 'wrong', LIGHT)).load('node'), { name: 'WrongPasswordError' })
    await assert.rejects(store.load('none'), { name: 'NotFoundError' })
    await assert.rejects(store.save('node', TEST_KEY.slice().reverse()), { name: 'KeyExistsError' })
    for (const name of ['../node', 'A', '', '.x', 'a/b', 'x'.repeat(65)]) {
      await assert.rejects(store.save(name, TEST_KEY), { name: 'BadInputError' })
      await assert.rejects(store.load(name), { name: 'BadInputError' })
    }
    await assert.rejects(store.save('zero', new Uint8Array(32)), { name: 'BadInputError' })
    assert.equal(await readFile(join(dir, 'node.json'), 'utf8'), before)
    assert.deepEqual(await readdir(dir), ['node.json'])
  })

  test('the standard cost is what geth asks of people', async () => {
    const dir = join(base, 'c')
    const store = await openKeyStore(dir, 'p')
    await store.save('mine', TEST_KEY)
    assert.equal(JSON.parse(await readFile(join(dir, 'mine.json'), 'utf8')).crypto.kdfparams.n, 131_072)
    assert.deepEqual(new Uint8Array(await store.load('mine')), TEST_KEY)
  })

  test('stray files in the directory are no keys', async () => {
    const dir = join(base, 'd')
    const store = await openKeyStore(dir, 'p', LIGHT)
    await writeFile(join(dir, 'notes.txt'), 'x')
    await writeFile(join(dir, 'UPPER.json'), 'x')
    assert.deepEqual(await store.list(), [])
  })
})
