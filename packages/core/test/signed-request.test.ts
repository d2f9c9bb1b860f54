import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  BadInputError,
  createRequestVerifier,
  isForgettable,
  pathOf,
  REQUEST_LIFE_SECONDS,
  signRequest,
  UnauthorizedError,
  usedNonceOf,
  utf8,
  type WireRequest,
} from '@memo/core'
import { createSeededRandomness, createVirtualTime } from '@memo/core/testing'
import { testSigner } from './support/keys.ts'
import { network } from './support/records.ts'

const node = testSigner(50).address
const account = testSigner(1)
const body = utf8('{"root":"0x12"}')
const path = '/uploads/12/commit?x=1'

function setUp() {
  const time = createVirtualTime()
  const signing = { network, signer: account, clock: time.clock, random: createSeededRandomness('requests') }
  const verifier = createRequestVerifier({ network, audience: node, clock: time.clock })
  const sign = async (request: { method?: string; path?: string; body?: Uint8Array | 'stream' } = {}) => {
    const whole = { method: 'POST', path, body, ...request }
    const headers = await signRequest(signing, whole, node)
    return { method: whole.method, url: whole.path, headers }
  }
  return { time, signing, verifier, sign }
}

describe('a signed request', () => {
  test('names the account that signed it', async () => {
    const { verifier, sign } = setUp()
    assert.equal(verifier.verify(await sign(), body), account.address)
    assert.equal(verifier.verify(await sign({ body: new Uint8Array(0) }), new Uint8Array(0)), account.address)
    assert.equal(verifier.verify(await sign({ body: 'stream' }), 'stream'), account.address)
  })

  test('is good once', async () => {
    const { verifier, sign } = setUp()
    const request = await sign()
    verifier.verify(request, body)
    assert.throws(() => verifier.verify(request, body), UnauthorizedError)
    assert.throws(() => verifier.verify({ ...request, headers: { ...request.headers } }, body), UnauthorizedError)
  })

  test('is good once also where its nonce is all that a restart left', async () => {
    const { time, signing, verifier, sign } = setUp()
    const request = await sign()
    verifier.verify(request, body)
    const used = usedNonceOf(request)
    const restarted = createRequestVerifier({ network, audience: node, clock: signing.clock })
    restarted.remember(used)
    assert.throws(() => restarted.verify(request, body), { message: /used before/ })
    assert.equal(restarted.verify(await sign(), body), account.address)
    assert.equal(isForgettable(used, signing.clock), false)
    await time.advance(121_000)
    assert.equal(isForgettable(used, signing.clock), true)
  })

  test('a forged copy that fails does not use up the true one', async () => {
    const { verifier, sign } = setUp()
    const request = await sign()
    assert.throws(() => verifier.verify(request, utf8('other')), UnauthorizedError)
    assert.equal(verifier.verify(request, body), account.address)
  })

  test('altered anywhere is refused: method, path, query, body, account, nonce, expiry', async () => {
    const { verifier, sign } = setUp()
    const request = await sign()
    const header = (name: string, value: string): WireRequest => ({
      ...request,
      headers: { ...request.headers, [name]: value },
    })
    const altered: [WireRequest, Uint8Array | 'stream'][] = [
      [{ ...request, method: 'DELETE' }, body],
      [{ ...request, url: '/uploads/13/commit?x=1' }, body],
      [{ ...request, url: '/uploads/12/commit?x=2' }, body],
      [{ ...request, url: '/uploads/12/commit' }, body],
      [request, body.subarray(1)],
      [request, 'stream'],
      [header('memo-account', testSigner(2).address), body],
      [header('memo-nonce', `0x${'00'.repeat(32)}`), body],
      [header('memo-expiry', `${Number(request.headers['memo-expiry']) + 1}`), body],
      [header('memo-signature', `0x${'11'.repeat(65)}`), body],
    ]
    for (const [one, given] of altered) assert.throws(() => verifier.verify(one, given), UnauthorizedError)
    assert.equal(verifier.verify(request, body), account.address)
  })

  test('for another node or another network is refused', async () => {
    const { sign, time } = setUp()
    const request = await sign()
    const elsewhere = createRequestVerifier({ network, audience: testSigner(51).address, clock: time.clock })
    assert.throws(() => elsewhere.verify(request, body), UnauthorizedError)
    const otherChain = createRequestVerifier({
      network: { ...network, chainId: network.chainId + 1 },
      audience: node,
      clock: time.clock,
    })
    assert.throws(() => otherChain.verify(request, body), UnauthorizedError)
  })

  test('expires, and no clock that is far ahead stretches its life', async () => {
    const { verifier, sign, signing, time } = setUp()
    const request = await sign()
    await time.advance(REQUEST_LIFE_SECONDS * 1_000 - 1_000)
    assert.equal(verifier.verify(request, body), account.address)
    const late = await sign()
    await time.advance(REQUEST_LIFE_SECONDS * 1_000)
    assert.throws(() => verifier.verify(late, body), { message: /expired/ })
    const ahead = { ...signing, clock: time.skewedClock(61_000) }
    const headers = await signRequest(ahead, { method: 'POST', path, body }, node)
    assert.throws(() => verifier.verify({ method: 'POST', url: path, headers }, body), { message: /too far ahead/ })
    const bearable = { ...signing, clock: time.skewedClock(59_000) }
    const skewed = await signRequest(bearable, { method: 'POST', path, body }, node)
    assert.equal(verifier.verify({ method: 'POST', url: path, headers: skewed }, body), account.address)
  })

  test('is not good again once its nonce is forgotten', async () => {
    const { verifier, sign, time } = setUp()
    const request = await sign()
    verifier.verify(request, body)
    await time.advance(600_000)
    verifier.verify(await sign(), body)
    assert.throws(() => verifier.verify(request, body), UnauthorizedError)
  })

  test('without its headers, or with malformed ones, is not signed', async () => {
    const { verifier, sign } = setUp()
    const request = await sign()
    for (const name of ['memo-account', 'memo-nonce', 'memo-expiry', 'memo-signature']) {
      const { [name]: _, ...rest } = request.headers
      assert.throws(() => verifier.verify({ ...request, headers: rest }, body), UnauthorizedError, name)
      for (const value of ['', '0x', 'x', '0x12', 'NaN', '1e999', `0x${'zz'.repeat(32)}`]) {
        const headers = { ...request.headers, [name]: value }
        assert.throws(() => verifier.verify({ ...request, headers }, body), UnauthorizedError, `${name}: ${value}`)
      }
    }
  })

  test('signs the path and query of an absolute URL', () => {
    assert.equal(pathOf('http://127.0.0.1:80/a/b?c=d'), '/a/b?c=d')
    for (const url of ['', '/a', 'http://host', 'host/a']) assert.throws(() => pathOf(url), BadInputError)
  })
})
