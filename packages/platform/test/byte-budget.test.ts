import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BudgetTooSmallError, type ByteLease, createByteBudget } from '../src/index.ts'

/** Lets everything that can go on go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('a byte budget', () => {
  test('gives what is free at once, and makes others wait until enough is given back', async () => {
    const budget = createByteBudget(100)
    const first = await budget.take(60)
    const order: string[] = []
    const second = budget.take(50).then((lease) => {
      order.push('second')
      return lease
    })
    await settle()
    assert.deepEqual([order, budget.takenBytes, budget.isWanted()], [[], 60, true])
    first.release()
    const lease = await second
    assert.deepEqual([order, budget.takenBytes, budget.isWanted()], [['second'], 50, false])
    lease.release()
    assert.equal(budget.takenBytes, 0)
  })

  test('a small request does not overtake a large one that waits', async () => {
    const budget = createByteBudget(100)
    const held = await budget.take(50)
    const order: string[] = []
    const large = budget.take(100).then((lease) => {
      order.push('large')
      lease.release()
    })
    const small = budget.take(1).then((lease) => {
      order.push('small')
      lease.release()
    })
    await settle()
    assert.deepEqual(order, [])
    held.release()
    await Promise.all([large, small])
    assert.deepEqual(order, ['large', 'small'])
  })

  test('bytes are given back once, however often that is called', async () => {
    const budget = createByteBudget(10)
    const lease = await budget.take(10)
    lease.release()
    lease.release()
    assert.equal(budget.takenBytes, 0)
    await budget.take(10)
    await assert.rejects(budget.take(1, AbortSignal.timeout(5)), { name: 'TimeoutError' })
  })

  test('who is aborted leaves the queue, takes nothing and lets the next one through', async () => {
    const budget = createByteBudget(100)
    const held = await budget.take(50)
    const leaving = new AbortController()
    const large = budget.take(100, leaving.signal)
    const small = budget.take(50)
    leaving.abort(new DOMException('enough', 'AbortError'))
    await assert.rejects(large, { message: 'enough' })
    const lease = await small
    assert.equal(budget.takenBytes, 100)
    held.release()
    lease.release()
    assert.equal(budget.takenBytes, 0)
  })

  test('an abort after the grant or before the call changes nothing', async () => {
    const budget = createByteBudget(10)
    const control = new AbortController()
    const held = await budget.take(10)
    const next = budget.take(10, control.signal)
    held.release()
    const lease = await next
    control.abort()
    assert.equal(budget.takenBytes, 10)
    lease.release()
    await assert.rejects(budget.take(1, control.signal), { name: 'AbortError' })
    assert.equal(budget.takenBytes, 0)
  })

  test('a request for more than there is at all is refused, not queued', async () => {
    const budget = createByteBudget(10)
    await assert.rejects(budget.take(11), (error: unknown) => {
      assert.ok(error instanceof BudgetTooSmallError)
      assert.deepEqual([error.blame, error.retry, error.details], ['us', 'never', { bytes: 11, totalBytes: 10 }])
      return true
    })
    assert.equal(budget.isWanted(), false)
  })

  test('a listener hears of those who wait and may give up what it holds in reserve', async () => {
    const budget = createByteBudget(10)
    const reserve = await budget.take(10)
    let heard = 0
    const end = budget.onWanted(() => {
      heard++
      reserve.release()
    })
    const lease = await budget.take(10)
    assert.equal(heard, 1)
    end()
    await assert.rejects(budget.take(1, AbortSignal.timeout(5)))
    assert.equal(heard, 1)
    lease.release()
  })

  test('never gives more than it has, serves in order, and ends with nothing taken', async () => {
    const step = fc.record({ bytes: fc.integer({ min: 0, max: 40 }), holdTurns: fc.integer({ min: 0, max: 6 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const budget = createByteBudget(40)
        const served: number[] = []
        const work = steps.map(async ({ bytes, holdTurns }, index) => {
          const lease: ByteLease = await budget.take(bytes)
          served.push(index)
          assert.ok(budget.takenBytes <= 40)
          for (let i = 0; i < holdTurns; i++) await Promise.resolve()
          lease.release()
        })
        await Promise.all(work)
        assert.equal(budget.takenBytes, 0)
        assert.deepEqual(
          served,
          steps.map((_, index) => index),
        )
      }),
      { numRuns: 200 },
    )
  })
})
