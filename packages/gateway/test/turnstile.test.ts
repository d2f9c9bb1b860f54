import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiError } from '../src/errors.ts'
import { createTurnstile } from '../src/turnstile.ts'

const never: AbortSignal = new AbortController().signal

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { work: async () => await promise, end: resolve }
}

describe('the turnstile', () => {
  test('lets so many through, the next in order, and sends away who finds the line full', async () => {
    const turnstile = createTurnstile({ running: 1, waiting: 2 })
    const order: number[] = []
    const first = held()
    const running = turnstile.pass(never, first.work)
    const waiting = [1, 2].map((n) => turnstile.pass(never, async () => void order.push(n)))
    await assert.rejects(
      turnstile.pass(never, async () => undefined),
      (error: unknown) => {
        return error instanceof ApiError && error.status === 503
      },
    )
    assert.deepEqual(order, [])
    first.end()
    await Promise.all([running, ...waiting])
    assert.deepEqual(order, [1, 2])
  })

  test('who is let in and gives up in the same moment takes no place from whom still waits', async () => {
    // Between being let in and beginning lie some microtasks: it gives up after each number of them.
    for (let ticks = 0; ticks < 9; ticks++) {
      const turnstile = createTurnstile({ running: 1, waiting: 2 })
      const first = held()
      const running = turnstile.pass(never, first.work)
      const patience = new AbortController()
      const second = turnstile.pass(patience.signal, async () => undefined)
      const third = turnstile.pass(never, async () => 'served')
      first.end()
      for (let i = 0; i < ticks; i++) await null
      patience.abort(new RangeError('gone'))
      await Promise.allSettled([running, second])
      assert.equal(await third, 'served', `after ${ticks} microtasks`)
    }
  })

  test('is left by work that fails, and by whoever gives up waiting', async () => {
    const turnstile = createTurnstile({ running: 1, waiting: 1 })
    await assert.rejects(
      turnstile.pass(never, () => Promise.reject(new TypeError('x'))),
      TypeError,
    )
    const first = held()
    const running = turnstile.pass(never, first.work)
    const patience = new AbortController()
    let ran = false
    const given = turnstile.pass(patience.signal, async () => {
      ran = true
    })
    patience.abort(new RangeError('gone'))
    await assert.rejects(given, RangeError)
    const next = turnstile.pass(never, async () => 'served')
    first.end()
    await running
    assert.equal(await next, 'served')
    assert.equal(ran, false)
    await assert.rejects(
      turnstile.pass(patience.signal, async () => undefined),
      RangeError,
    )
    assert.equal(await turnstile.pass(never, async () => 'again'), 'again')
  })
})
