import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  epochCostAtto,
  isRenewalDue,
  type OrderView,
  type PlanView,
  planAllowance,
  planGrow,
  planOpen,
  planRenew,
} from '../src/orders/plan.ts'
import { DEFAULT_ORDER_POLICY as POLICY } from '../src/orders/policy.ts'

const MIB = 1_048_576
const GIB = 2n ** 30n

const epochs = fc.record({
  current: fc.bigInt({ min: 0n, max: 10n ** 9n }),
  closedBefore: fc.constant(0n),
  epochBlocks: fc.constant(10n),
  epochSeconds: fc.bigInt({ min: 1n, max: 100_000n }),
})
const views: fc.Arbitrary<PlanView> = fc.record({
  needBytes: fc.integer({ min: 1, max: 2 ** 38 }),
  priceAttoPerGiBSecond: fc.bigInt({ min: 0n, max: 10n ** 15n }),
  epochs,
  maxOrderEpochs: fc.integer({ min: 2, max: 10 ** 8 }),
  roomBytes: fc.integer({ min: 0, max: 2 ** 42 }),
  freeAtto: fc.bigInt({ min: 0n, max: 10n ** 24n }),
})
const orders = (view: PlanView): fc.Arbitrary<OrderView> =>
  fc.record({
    sizeBytes: fc.integer({ min: 1, max: 2 ** 20 }).map((mib) => mib * MIB),
    priceAttoPerGiBSecond: fc.bigInt({ min: 0n, max: 10n ** 15n }),
    end: fc.bigInt({ min: 2n, max: 10n ** 7n }).map((left) => view.epochs.current + left),
    usedBytes: fc.integer({ min: 0, max: 2 ** 40 }),
    mostUsedBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  })

describe('plans of orders', () => {
  test('an epoch costs what the contract takes: five hundredths more than the income, rounded up', () => {
    assert.equal(epochCostAtto(1, 1n, 1n), 1n, 'nothing is free at a price')
    assert.equal(epochCostAtto(Number(GIB), 100n, 60n), 6_300n)
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 50n }), fc.bigInt({ min: 0n, max: 2n ** 80n }), (size, price) => {
        const cost = epochCostAtto(Number(size), price, 60n)
        const exact = size * price * 60n * 105n
        assert.ok(cost * GIB * 100n >= exact && (cost - 1n) * GIB * 100n < exact)
      }),
    )
  })

  test('a first order has room for the need, is no longer than the provider signs, and costs no more than there is', () => {
    fc.assert(
      fc.property(views, (view) => {
        const plan = planOpen(view, POLICY)
        if (!('costAtto' in plan)) {
          assert.ok(plan.neededAtto > view.freeAtto)
          return
        }
        assert.ok(plan.sizeBytes >= view.needBytes && plan.end > plan.start)
        assert.ok(plan.end - plan.start <= BigInt(view.maxOrderEpochs))
        assert.ok(plan.costAtto <= view.freeAtto)
        const cost = epochCostAtto(plan.sizeBytes, view.priceAttoPerGiBSecond, view.epochs.epochSeconds)
        assert.equal(plan.costAtto, cost * (plan.end - plan.start))
        assert.ok(
          plan.sizeBytes <= Math.max(view.roomBytes, view.needBytes + MIB),
          'it asks for no room that is not there',
        )
      }),
    )
  })

  test('an order that grows has room, is never smaller or shorter, and its cost is the difference', () => {
    const cases = views.chain((view) => orders(view).map((order) => ({ view, order })))
    fc.assert(
      fc.property(cases, ({ view, order }) => {
        const plan = planGrow(order, view, POLICY)
        if (!('costAtto' in plan)) return
        assert.ok(plan.sizeBytes >= order.sizeBytes && plan.sizeBytes >= order.usedBytes + view.needBytes)
        assert.ok(plan.end >= order.end)
        const { epochSeconds } = view.epochs
        const after = epochCostAtto(plan.sizeBytes, view.priceAttoPerGiBSecond, epochSeconds) * (plan.end - plan.start)
        const before =
          epochCostAtto(order.sizeBytes, order.priceAttoPerGiBSecond, epochSeconds) * (order.end - plan.start)
        assert.equal(plan.costAtto, after - before)
        assert.ok(plan.costAtto <= view.freeAtto)
      }),
    )
  })

  test('a renewal ends later, and is never larger, nor smaller than what may take room', () => {
    const cases = views.chain((view) => orders(view).map((order) => ({ view, order })))
    fc.assert(
      fc.property(cases, ({ view, order }) => {
        const plan = planRenew(order, view, POLICY)
        if (!plan || !('costAtto' in plan)) return
        assert.ok(plan.sizeBytes <= order.sizeBytes)
        if (plan.sizeBytes < order.sizeBytes) {
          assert.ok(plan.sizeBytes >= Math.max(POLICY.firstOrderBytes, 2 * order.mostUsedBytes))
          assert.ok(2 * plan.sizeBytes <= order.sizeBytes, 'no change for little')
        }
        assert.ok(plan.end > order.end && isRenewalDue(order, view.epochs, POLICY))
      }),
    )
  })

  test('an escrow with plenty buys what is generous, a poor one what is needed, an empty one nothing', () => {
    const view: PlanView = {
      needBytes: 10 * MIB,
      priceAttoPerGiBSecond: 1_000n,
      epochs: { current: 7n, closedBefore: 0n, epochBlocks: 10n, epochSeconds: 3_600n },
      maxOrderEpochs: 1_000,
      roomBytes: 2 ** 40,
      freeAtto: 10n ** 12n,
    }
    const term = (POLICY.termSeconds / 3_600) | 0
    const rich = planOpen(view, POLICY)
    assert.ok('costAtto' in rich && rich.sizeBytes === POLICY.firstOrderBytes && Number(rich.end - rich.start) === term)
    const poor = planOpen({ ...view, freeAtto: 1_000_000n }, POLICY)
    assert.ok('costAtto' in poor && poor.sizeBytes === 10 * MIB && poor.end - poor.start < BigInt(term))
    assert.ok('neededAtto' in planOpen({ ...view, freeAtto: 10n }, POLICY))
    const small = planOpen({ ...view, roomBytes: 20 * MIB }, POLICY)
    assert.ok('costAtto' in small && small.sizeBytes === 20 * MIB)
  })

  test('an allowance is no larger than the escrow, and never smaller than the need', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.bigInt({ min: 0n, max: 10n ** 9n }),
        fc.bigInt({ min: 0n, max: 10n ** 24n }),
        (needBytes, priceAttoPerByte, freeAtto) => {
          const bytes = planAllowance({ needBytes, priceAttoPerByte, freeAtto }, POLICY)
          if (bytes === 0) assert.ok(BigInt(needBytes) * priceAttoPerByte > freeAtto)
          else assert.ok(bytes >= needBytes && BigInt(bytes) * priceAttoPerByte <= freeAtto)
        },
      ),
    )
  })
})
