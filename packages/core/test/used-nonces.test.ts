import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRequestVerifier, isForgettable, signRequest, TooManyRequestsError } from '@memo/core'
import { createSeededRandomness, createVirtualTime } from '@memo/core/testing'
import { testSigner } from './support/keys.ts'
import { network } from './support/records.ts'

const node = testSigner(50).address
const body = new Uint8Array(0)

function setUp(limits = { perAccount: 5, fair: 8, all: 13 }) {
  const time = createVirtualTime()
  const random = createSeededRandomness('nonces')
  const verifier = createRequestVerifier({ network, audience: node, clock: time.clock, limits })
  const sign = async (number: number, clock = time.clock) => {
    const signing = { network, signer: testSigner(number), clock, random }
    return { method: 'GET', url: '/x', headers: await signRequest(signing, { method: 'GET', path: '/x', body }, node) }
  }
  /** How many of so many requests of an account are taken. */
  const send = async (number: number, count: number, clock = time.clock): Promise<number> => {
    let taken = 0
    for (let i = 0; i < count; i++) {
      const request = await sign(number, clock)
      try {
        verifier.verify(request, body)
        taken++
      } catch (thrown) {
        assert.ok(thrown instanceof TooManyRequestsError, `${thrown}`)
        assert.equal(thrown.retry, 'later')
      }
    }
    return taken
  }
  return { time, verifier, sign, send }
}

describe('the nonces of signed requests', () => {
  test('of one account fill no more than its part, and lock nobody out', async () => {
    const { send } = setUp()
    assert.equal(await send(1, 20), 5)
    assert.equal(await send(2, 3), 3)
  })

  test('of a few greedy accounts leave room for those who send little', async () => {
    const { send } = setUp()
    assert.deepEqual([await send(1, 20), await send(2, 20)], [5, 4], 'an equal share of 8')
    // Of three it is 2 and a part.
    assert.equal(await send(3, 20), 3)
    assert.equal(await send(1, 1), 0)
    assert.equal(await send(4, 20), 1, 'the rest of what there is')
    assert.equal(await send(5, 1), 0)
  })

  test('come free when they expire, those that expire first before the others, whatever came first', async () => {
    const { time, send } = setUp()
    // Of a clock that is ahead: it expires last, and is the first that came.
    assert.equal(await send(1, 1, time.skewedClock(59_000)), 1)
    assert.equal(await send(1, 10), 4)
    await time.advance(121_000)
    assert.equal(await send(1, 10), 4, 'all but the one that has not expired')
    await time.advance(200_000)
    assert.equal(await send(1, 10), 5)
  })

  test('that were refused for being too many are not used up, and none is taken twice meanwhile', async () => {
    const { time, verifier, sign, send } = setUp()
    const first = await sign(1)
    verifier.verify(first, body)
    assert.equal(await send(1, 10), 4)
    assert.throws(() => verifier.verify(first, body), { name: 'UnauthorizedError', message: /used before/ })
    await time.advance(30_000)
    const late = await sign(1)
    assert.throws(() => verifier.verify(late, body), TooManyRequestsError)
    await time.advance(59_000)
    assert.throws(() => verifier.verify(late, body), TooManyRequestsError, 'the others are kept beyond their expiry')
  })

  test('from before a restart count for all and for nobody', async () => {
    const { time, verifier, send } = setUp()
    const expiry = Math.floor(time.clock.nowMs() / 1_000) + 60
    for (let i = 0; i < 12; i++) verifier.remember({ nonce: `0x${`${i}`.padStart(64, '0')}`, expiry })
    assert.equal(await send(1, 10), 1)
    await time.advance(121_000)
    assert.equal(isForgettable({ nonce: '0x', expiry }, time.clock), true)
    assert.equal(await send(1, 10), 5)
  })
})
