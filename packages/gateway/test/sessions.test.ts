import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  createKeySigner,
  type DidKey,
  findBytesFromHex,
  hexFromBytes,
  keccak256,
  loginDigest,
  type Signer,
  utf8,
} from '@memo/core'
import { createMemoryIndexStore, createScriptedChain, type ScriptedChain } from '@memo/core/testing'
import { restrictedDigest } from '@memo/sdk'
import { createSessions, type Sessions } from '../src/auth/sessions.ts'
import { LoginRefusedError } from '../src/errors.ts'
import { callFields, loginFields } from './support/caller.ts'

/** Published test key of the original, its DID and what it signs (`spec/login.md` 2 and 3). */
const MASTER = createKeySigner(bytes('0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4'))
const DID = 'did:memo:d687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96'
const TOKEN = utf8('memo.test')
const NOW = 1_700_000_000
const LOGIN_SIGNATURE =
  '0x722d052d11835c1957ef401a47ce78569c667be279b067d0de84129dfce87a3a286c4fc97ecb664040b763fad18d30c7c4de6ff3483b24e6e2e2232f1bf0771501'
const CALL_SIGNATURE =
  '0x320a82e99974b4aaaad9aad25166ec0dbe9f51819081e578d6e88ccfbdff5a6b75bf9367fb2c3a7e3b9fcf7793c0f47d7abd497a84fb4325b6bdce8a9221a77101'
const PAYLOAD_SIGNATURE =
  '0xf45ee6803bdeeb306d132c02c5281b15e2a124fc1945f85f0114366ed410698d0871408880ab6cbf36c01c72c4834736408e6a995d3df634a7a3e5d549ec9ce100'

const MISSING = /^Missing parameters, please refer to the API documentation for details$/
const TIMED_OUT = /^the request has timed out, please log in within one minute$/
const NOT_NEWER = /^the current request is later than the latest request$/
const NO_SESSION = /^cannot find session, please log in first$/
const OTHER_TOKEN = /^can't match the token, please check your input or log in again$/
const NOT_SEQUENTIAL = /^not a sequential request$/
const NOT_ADMITTED = new RegExp(`^can't log in as ${DID}$`)
const NOT_VERIFIED = new RegExp(`^failed to verify identity: ${DID}$`)

function bytes(hex: string): Uint8Array {
  const found = findBytesFromHex(hex)
  assert.ok(found)
  return found
}

/** A test key. */
function keyOf(number: number): Signer {
  return createKeySigner(new Uint8Array(32).fill(0x61).with(31, number))
}

function didKey(id: string, signer: Signer): DidKey {
  return { id, type: 'EcdsaSecp256k1VerificationKey2019', publicKey: signer.publicKey, address: signer.address }
}

function setUp(store = createMemoryIndexStore()) {
  const chain: ScriptedChain = createScriptedChain()
  const time = { seconds: NOW }
  const clock = { nowMs: () => time.seconds * 1000 }
  setKeys(chain, [didKey('masterKey', MASTER)])
  return { chain, time, store, sessions: createSessions({ chain, clock, store }) }
}

function setKeys(chain: ScriptedChain, authenticationKeys: readonly DidKey[], deactivated = false): void {
  chain.setDid({ did: DID, deactivated, masterAddress: MASTER.address, authenticationKeys })
}

async function login(sessions: Sessions, timestamp = NOW, options: { token?: Uint8Array; signer?: Signer } = {}) {
  const { token = TOKEN, signer = MASTER } = options
  const fields = await loginFields(DID, token, timestamp, signer)
  return await sessions.login(texts(fields))
}

function texts(fields: object): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]))
}

async function call(sessions: Sessions, requestID: number, options: { token?: Uint8Array; signer?: Signer } = {}) {
  const { token = TOKEN, signer = MASTER } = options
  return await sessions.authenticate(texts(await callFields({ did: DID, token, requestID, signer })))
}

const refused = (text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LoginRefusedError)
  assert.match(error.message, text)
  return true
}

describe('a login', () => {
  test('has the digest and the signature of the original', async () => {
    const digest = '0x7cfa03031df72164e38bdb838322658d3fbdb1c0734b56587118caa26037e6f4'
    assert.equal(hexFromBytes(loginDigest(DID, TOKEN, NOW)), digest)
    const { sessions } = setUp()
    const fields = { did: DID, token: hexFromBytes(TOKEN), timestamp: String(NOW), signature: LOGIN_SIGNATURE }
    const session = await sessions.login(fields)
    assert.deepEqual(session.publicKey, MASTER.publicKey)
    assert.equal(session.nextRequestId, undefined)
  })

  test('is good for 60 seconds either side of the clock, and for none more', async () => {
    for (const offset of [-60, 0, 60]) {
      const { sessions, time } = setUp()
      time.seconds = NOW + offset
      await login(sessions)
    }
    for (const offset of [-3_600, -61, 61, 3_600]) {
      const { sessions, time } = setUp()
      time.seconds = NOW + offset
      await assert.rejects(login(sessions), refused(TIMED_OUT))
    }
  })

  test('is newer than the last one, so that none can be replayed', async () => {
    const { sessions } = setUp()
    await login(sessions)
    await assert.rejects(login(sessions), refused(NOT_NEWER))
    await assert.rejects(login(sessions, NOW - 1), refused(NOT_NEWER))
    await login(sessions, NOW + 1)
  })

  test('replaces the session and begins the count anew', async () => {
    const { sessions } = setUp()
    await login(sessions)
    await call(sessions, 1)
    await call(sessions, 2)
    const other = utf8('another')
    await login(sessions, NOW + 1, { token: other })
    await assert.rejects(call(sessions, 3), refused(OTHER_TOKEN))
    await assert.rejects(call(sessions, 3, { token: other }), refused(NOT_SEQUENTIAL))
    await call(sessions, 0, { token: other })
  })

  test('is refused for every parameter that is missing or none', async () => {
    const { sessions } = setUp()
    const good = texts(await loginFields(DID, TOKEN, NOW, MASTER))
    const bad: Record<string, (string | undefined)[]> = {
      did: [
        undefined,
        '',
        'did:memo:12',
        `${DID}#masterKey`,
        DID.toUpperCase(),
        `did:memo:${DID.slice(9).toUpperCase()}`,
      ],
      token: [undefined, '0x', '6d656d6f', '0x6', `0x${'00'.repeat(257)}`],
      timestamp: [undefined, '', 'now', '1700000000.5', '-1', '1e9', '01700000000', '0x6553f100'],
      signature: [undefined, '0x', '0x12', `${good.signature}00`, good.signature?.slice(2)],
    }
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        const fields = { ...good, [name]: value }
        if (value === undefined) delete fields[name]
        await assert.rejects(sessions.login(fields as Record<string, string>), refused(MISSING), `${name}=${value}`)
      }
    }
    assert.equal(await sessions.find(DID), undefined)
  })

  test('is refused to a stranger, to an unknown DID, and to a deactivated one', async () => {
    const { sessions, chain } = setUp()
    await assert.rejects(login(sessions, NOW, { signer: keyOf(1) }), refused(NOT_ADMITTED))
    setKeys(chain, [didKey('masterKey', MASTER)], true)
    await assert.rejects(login(sessions), refused(NOT_ADMITTED))
    const unknown = `did:memo:${'0'.repeat(64)}`
    const fields = texts(await loginFields(unknown, TOKEN, NOW, MASTER))
    await assert.rejects(sessions.login(fields), refused(/^can't log in as did:memo:0{64}$/))
  })

  test('takes any key that may authenticate, by its public key or by its address', async () => {
    const [second, recovery] = [keyOf(2), keyOf(3)]
    const byAddress = { id: 'key-2', type: 'EcdsaSecp256k1RecoveryMethod2020', address: recovery.address }
    for (const signer of [second, recovery]) {
      const { sessions, chain } = setUp()
      setKeys(chain, [didKey('masterKey', MASTER), didKey('key-1', second), byAddress])
      const session = await login(sessions, NOW, { signer })
      assert.deepEqual(session.publicKey, signer.publicKey)
    }
  })

  test('is refused to a key that was removed, and ends what that key had begun', async () => {
    const { sessions, chain } = setUp()
    const second = keyOf(2)
    setKeys(chain, [didKey('masterKey', MASTER), didKey('key-1', second)])
    await login(sessions, NOW, { signer: second })
    await call(sessions, 0, { signer: second })
    setKeys(chain, [didKey('masterKey', MASTER)])
    await assert.rejects(login(sessions, NOW + 1, { signer: second }), refused(NOT_ADMITTED))
    await assert.rejects(call(sessions, 1, { signer: second }), refused(NOT_VERIFIED))
    await call(sessions, 1)
  })

  test('takes v as 0, 1, 27 or 28, and refuses the twin of a signature with high s', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const raw = bytes(LOGIN_SIGNATURE)
    const fields = { did: DID, token: hexFromBytes(TOKEN), timestamp: String(NOW) }
    const { sessions } = setUp()
    await sessions.login({ ...fields, signature: hexFromBytes(raw.with(64, 28)) })
    const s = BigInt(hexFromBytes(raw.subarray(32, 64)))
    const twin = raw.slice()
    twin.set(bytes(`0x${(order - s).toString(16).padStart(64, '0')}`), 32)
    for (const v of [0, 1, 27, 28]) {
      const signature = hexFromBytes(twin.with(64, v))
      await assert.rejects(setUp().sessions.login({ ...fields, signature }), refused(NOT_ADMITTED))
    }
    for (const v of [2, 26, 29, 255]) {
      const signature = hexFromBytes(raw.with(64, v))
      await assert.rejects(setUp().sessions.login({ ...fields, signature }), refused(NOT_ADMITTED))
    }
  })
})

describe('a restricted call', () => {
  test('has the digests and signatures of the original, with and without a payload', async () => {
    const hello = keccak256(utf8('hello'))
    const digests = [
      [restrictedDigest(DID, TOKEN, 0), '0xf35b5633b6cb261df1ac999e13db0be585fa41a3c05a2d2d21ed1bc483b063c6'],
      [restrictedDigest(DID, TOKEN, 1), '0xb33efea18167f8c8f33dd8ba491196a35fd322d19d5282008fe365fbc65e07fb'],
      [restrictedDigest(DID, TOKEN, 1, hello), '0x8b7c9526bf1d76615142056b9156f1a0e4a4a199db7b4e3e9a1d5f61e35abd44'],
    ] as const
    for (const [digest, expected] of digests) assert.equal(hexFromBytes(digest), expected)

    const fields = { did: DID, token: hexFromBytes(TOKEN), requestID: '1' }
    const plain = setUp().sessions
    await login(plain)
    assert.equal((await plain.authenticate({ ...fields, signature: CALL_SIGNATURE })).payload, undefined)
    const paid = setUp().sessions
    await login(paid)
    const caller = await paid.authenticate({ ...fields, payload: hexFromBytes(hello), signature: PAYLOAD_SIGNATURE })
    assert.deepEqual(caller.payload, hello)
  })

  test('is numbered 0 or 1 at first, then by one more each time', async () => {
    for (const first of [0, 1]) {
      const { sessions } = setUp()
      await login(sessions)
      for (const wrong of [2, 3, 1_000]) await assert.rejects(call(sessions, wrong), refused(NOT_SEQUENTIAL))
      await call(sessions, first)
      await call(sessions, first + 1)
      for (const wrong of [first + 1, first, first + 3]) {
        await assert.rejects(call(sessions, wrong), refused(NOT_SEQUENTIAL))
      }
      await call(sessions, first + 2)
    }
  })

  test('with a forged signature burns no number', async () => {
    const { sessions } = setUp()
    await login(sessions)
    await call(sessions, 0)
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await assert.rejects(call(sessions, 1, { signer: keyOf(9) }), refused(NOT_VERIFIED))
    }
    await call(sessions, 1)
  })

  test('counts once, however many arrive together', async () => {
    const { sessions } = setUp()
    await login(sessions)
    const fields = texts(await callFields({ did: DID, token: TOKEN, requestID: 0, signer: MASTER }))
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => sessions.authenticate(fields)))
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1)
  })

  test('needs a session, and its token', async () => {
    const { sessions } = setUp()
    await assert.rejects(call(sessions, 0), refused(NO_SESSION))
    await login(sessions)
    await assert.rejects(call(sessions, 0, { token: utf8('wrong') }), refused(OTHER_TOKEN))
  })

  test('is refused where a parameter is missing or none', async () => {
    const { sessions } = setUp()
    await login(sessions)
    const payload = keccak256(utf8('x'))
    const good = texts(await callFields({ did: DID, token: TOKEN, requestID: 0, signer: MASTER, payload }))
    const bad: Record<string, string[]> = {
      did: ['', 'did:web:x', `${DID}?a=1`],
      token: ['', '0x', 'memo.test'],
      requestID: ['', '-1', '0.0', '00', '1e0', '9007199254740993', 'null'],
      payload: ['0x', `${hexFromBytes(payload)}00`, 'hello'],
      signature: ['', '0x00'],
    }
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        await assert.rejects(sessions.authenticate({ ...good, [name]: value }), refused(MISSING), `${name}=${value}`)
      }
    }
    await sessions.authenticate(good)
  })

  test('signed with a payload is another one than without, or with another payload', async () => {
    const { sessions } = setUp()
    await login(sessions)
    const payload = keccak256(utf8('x'))
    const good = texts(await callFields({ did: DID, token: TOKEN, requestID: 0, signer: MASTER, payload }))
    const { payload: _, ...without } = good
    await assert.rejects(sessions.authenticate(without), refused(NOT_VERIFIED))
    const other = { ...good, payload: hexFromBytes(keccak256(utf8('y'))) }
    await assert.rejects(sessions.authenticate(other), refused(NOT_VERIFIED))
    await sessions.authenticate(good)
  })
})

describe('logins and calls hash the same form', () => {
  test('and yet a login signature is no call: its number is a time', async () => {
    const { sessions } = setUp()
    await login(sessions)
    const asCall = { did: DID, token: hexFromBytes(TOKEN), requestID: String(NOW), signature: LOGIN_SIGNATURE }
    await assert.rejects(sessions.authenticate(asCall), refused(NOT_SEQUENTIAL))
  })

  test('and a call is no login: its time is a number', async () => {
    const { sessions, time } = setUp()
    time.seconds = 30
    const asLogin = { did: DID, token: hexFromBytes(TOKEN), timestamp: '1', signature: CALL_SIGNATURE }
    await assert.rejects(sessions.login(asLogin), refused(TIMED_OUT))
  })

  test('nor is a call with a payload a login whose token ends with the payload', async () => {
    const { sessions, time } = setUp()
    time.seconds = 30
    const token = hexFromBytes(TOKEN) + hexFromBytes(keccak256(utf8('hello'))).slice(2)
    const asLogin = { did: DID, token, timestamp: '1', signature: PAYLOAD_SIGNATURE }
    await assert.rejects(sessions.login(asLogin), refused(TIMED_OUT))
  })
})

describe('a restart', () => {
  test('loses no session and replays no call', async () => {
    const { sessions, chain, store } = setUp()
    await login(sessions)
    await call(sessions, 0)
    const again = createSessions({ chain, clock: { nowMs: () => NOW * 1000 }, store })
    await assert.rejects(call(again, 0), refused(NOT_SEQUENTIAL))
    await assert.rejects(login(again), refused(NOT_NEWER))
    await call(again, 1)
  })
})
