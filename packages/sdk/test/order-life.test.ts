import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { OrderPolicy, PutResult } from '@memo/sdk'
import { createPayer, type Payer } from './support/payer.ts'
import { createWorld, putOptions, type World } from './support/world.ts'

const PROVIDERS = 6
const MIB = 1_048_576
const POLICY: Partial<OrderPolicy> = {
  firstOrderBytes: MIB,
  termSeconds: 40_000,
  minTermSeconds: 40_000,
  minLeftSeconds: 10_000,
}

type Case = { readonly world: World; readonly payer: Payer }

function createCase(): Case {
  const world = createWorld({ providers: PROVIDERS })
  return { world, payer: createPayer(world, { policy: POLICY }) }
}

const put = async ({ world, payer }: Case, bytes: number, storage = payer.storage): Promise<PutResult> =>
  await world.run(storage.put(randomBytes(bytes), putOptions(world.did, world.owner)))
const sizes = ({ payer }: Case) =>
  [...payer.money.orders.values()].map(({ segments }) => Number(segments.at(-1)?.sizeBytes) / MIB)
const ends = ({ payer }: Case) => [...payer.money.orders.values()].map(({ end }) => end)

/** Orders that grew far beyond a first one's size, of which little is left: what was given up is beyond dispute. */
async function growAndEmpty(one: Case): Promise<PutResult> {
  const { world, payer } = one
  const kept = await put(one, MIB)
  const gone = await Promise.all(Array.from({ length: 4 }, async () => await put(one, 8 * MIB)))
  for (const object of gone) await world.run(payer.storage.remove(world.did, object))
  assert.equal(await world.run(payer.orders.commitSets()), true)
  assert.ok(
    sizes(one).every((size) => size >= 8),
    `${sizes(one)}`,
  )
  return kept
}

/** The epoch in which orders are due to be renewed, with a window in which nothing can be disputed any more. */
async function becomeDue({ world, payer }: Case, closedBefore?: bigint): Promise<void> {
  const current = ends({ world, payer })[0]! - 300n
  world.chain.setEpochs({ current, closedBefore: closedBefore ?? current - 1n })
  await world.run(world.time.timers.sleep(10_000)) // epochs are believed for a while
}

describe('an order of which little is used any more', () => {
  test('is renewed with what it needs, and grows again only when that is used', async () => {
    const one = createCase()
    await growAndEmpty(one)
    const { lockedAtto } = [...one.payer.money.orders.values()][0]!
    const before = ends(one)
    await becomeDue(one)
    await one.world.run(one.payer.orders.renewDue())
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1])
    assert.ok(ends(one).every((end, i) => end > before[i]!))
    assert.ok([...one.payer.money.orders.values()][0]!.lockedAtto < lockedAtto, 'what it costs less is free')
    await put(one, MIB)
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1], 'no churn')
    await one.world.run(one.payer.orders.renewDue())
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1])
  })

  test('keeps room for what was given up and lies there', async () => {
    const one = createCase()
    await growAndEmpty(one)
    await becomeDue(one, 0n)
    await one.world.run(one.payer.orders.renewDue())
    assert.ok(
      sizes(one).every((size) => size >= 8 && size < 32),
      `${sizes(one)}`,
    )
  })

  test('keeps its size when somebody takes room in it at the same moment, and nobody takes what it is about to lose', async () => {
    for (const bytes of [4 * MIB, 12 * MIB]) {
      const one = createCase()
      await growAndEmpty(one)
      await becomeDue(one)
      const renewing = one.payer.orders.renewDue()
      await Promise.all([one.world.run(renewing), put(one, bytes)])
      assert.equal(await one.world.run(one.payer.orders.commitSets()), true)
      assert.deepEqual(one.payer.faults, [])
      assert.deepEqual(one.world.faults, [])
      const { orders } = await one.world.run(one.payer.orders.status())
      for (const order of orders)
        assert.ok(order.committedBytes <= order.sizeBytes && order.heldBytes <= order.sizeBytes)
    }
  })

  test('takes no more than a change that is on its way leaves, also after a restart', async () => {
    const one = createCase()
    await growAndEmpty(one)
    await becomeDue(one)
    const { money } = one.payer
    money.hook = (call, when) => {
      if (call === 'amendOrder' && when === 'after') throw new TypeError('the process has ended')
    }
    await one.world.run(one.payer.orders.renewDue().catch(() => undefined))
    money.hook = undefined
    const again = one.payer.again()
    await put(one, 3 * MIB, again.storage)
    const { orders } = await one.world.run(again.orders.status())
    for (const order of orders) {
      const size = one.payer.money.orders.get(BigInt(order.orderId))!.segments.at(-1)!.sizeBytes
      assert.ok(BigInt(order.heldBytes) <= size, `order ${order.orderId}`)
    }
    assert.deepEqual(one.world.faults, [])
  })
})
