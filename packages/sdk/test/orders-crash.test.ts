import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, type IndexStore, type Transport } from '@memo/core'
import { createMemoryIndexStore, InjectedFaultError, TEST_NETWORK } from '@memo/core/testing'
import { createOrders, type OrderMoney, type Orders } from '@memo/sdk'
import { createScriptedMoney, type ScriptedMoney } from '@memo/sdk/testing'
import { createPayer } from './support/payer.ts'
import { createWorld, type World } from './support/world.ts'

const MIB = 1_048_576
const FREE_ATTO = 10n ** 15n
const SIGNAL = new AbortController().signal

let processes = 0

/** Counts what a process does to the world, before and after each act, and ends it at one of them. */
type Life = { steps: number; readonly endsAt: number }

function beat(life: Life): void {
  life.steps++
  if (life.steps >= life.endsAt) throw new InjectedFaultError('the process has ended')
}

/** The same functions, for as long as the process lives. */
function mortal<T extends object>(port: T, life: Life): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        beat(life)
        const done: unknown = await value.apply(target, args)
        beat(life)
        return done
      }
    },
  })
}

type Case = { readonly world: World; readonly money: ScriptedMoney; readonly store: IndexStore }

function bookOf({ world, money, store }: Case, life: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }): Orders {
  const transport: Transport = async (request) => {
    beat(life)
    const answer = await world.transport(request)
    beat(life)
    return answer
  }
  return createOrders({
    ports: {
      network: TEST_NETWORK,
      transport,
      clock: world.time.clock,
      timers: world.time.timers,
      random: world.random.fork(`book ${processes++}`), // no two processes draw the same
      signer: world.owner.signer,
    },
    chain: world.chain,
    money: mortal<OrderMoney>(money, life),
    store: mortal(store, life),
    policy: { firstOrderBytes: 2 * MIB, growAtFreePart: Number.MAX_SAFE_INTEGER },
  })
}

function createCase(): Case {
  const world = createWorld({ providers: 1 })
  createPayer(world) // sets prices
  const money = createScriptedMoney({ chain: world.chain, account: world.owner.signer.address, freeAtto: FREE_ATTO })
  return { world, money, store: createMemoryIndexStore() }
}

/** Takes room in an order, which opens it, and then more than it has, which makes it grow. */
async function openAndGrow({ world }: Case, orders: Orders): Promise<void> {
  const provider = world.providers[0]!.address
  await orders.ensure(provider, MIB, SIGNAL)
  await orders.ensure(provider, 2 * MIB, SIGNAL)
}

/** What left the escrow is locked in orders, to the attomemo. */
function assertLocked({ money }: Case): void {
  const lockedAtto = [...money.orders.values()].reduce((sum, order) => sum + order.lockedAtto, 0n)
  assert.equal(money.freeAtto + lockedAtto, FREE_ATTO)
}

describe('a process that ends while an order is opened and grown', () => {
  test('leaves one order, whichever of its acts was the last', async () => {
    const whole: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }
    const first = createCase()
    await first.world.run(openAndGrow(first, bookOf(first, whole)))
    assert.equal(first.money.orders.size, 1)
    assert.equal(first.money.calls.filter((call) => call === 'amendOrder').length, 1)
    const costAtto = FREE_ATTO - first.money.freeAtto
    assert.ok(whole.steps > 40, `${whole.steps} steps`)
    for (let endsAt = 1; endsAt <= whole.steps; endsAt++) {
      const one = createCase()
      const life = { steps: 0, endsAt }
      await assert.rejects(one.world.run(openAndGrow(one, bookOf(one, life))), `step ${endsAt} was not the last`)
      const again = bookOf(one)
      await one.world.run(openAndGrow(one, again))
      assert.equal(one.money.orders.size, 1, `one order after an end at step ${endsAt}`)
      assertLocked(one)
      // Growing starts from what was opened, so both ways come to the same size and price.
      assert.ok(FREE_ATTO - one.money.freeAtto <= 2n * costAtto, `no more than twice after step ${endsAt}`)
      await one.world.run(again.close())
    }
  })

  test('goes on with the same order when the chain answered nobody', async () => {
    const one = createCase()
    let isLost = true
    one.money.hook = (call, when) => {
      if (call !== 'openOrder' || when !== 'after' || !isLost) return
      isLost = false
      throw new InjectedFaultError('the answer was lost')
    }
    const orders = bookOf(one)
    await assert.rejects(one.world.run(openAndGrow(one, orders)))
    await one.world.run(openAndGrow(one, orders))
    assert.equal(one.money.orders.size, 1)
    assertLocked(one)
    await one.world.run(orders.close())
  })

  test('gives up what the chain can take no more, and signs another', async () => {
    const one = createCase()
    let attempts = 0
    one.money.hook = (call, when) => {
      if (call === 'openOrder' && when === 'before' && attempts++ === 0) throw new InjectedFaultError('not sent')
    }
    const orders = bookOf(one)
    await assert.rejects(one.world.run(openAndGrow(one, orders)))
    await one.world.run(one.world.time.timers.sleep(400_000))
    await one.world.run(openAndGrow(one, orders))
    assert.equal(one.money.orders.size, 1)
    assert.equal(attempts, 2)
    assertLocked(one)
    await one.world.run(orders.close())
  })
})

describe('a process that ends while a set is committed', () => {
  const root = new Uint8Array(32).fill(7)
  const sizeBytes = 10_000
  const receiptOf = (orderId: number) => {
    return { orderId, root, sizeBytes, expiry: 0, provider: `0x${'00'.repeat(20)}` as const, signature: root }
  }
  /** Stores a piece, has it committed, gives it up, and has that committed as well. */
  const storeAndGiveUp = async ({ world }: Case, orders: Orders): Promise<void> => {
    const { address, orders: side } = world.providers[0]!
    const lease = await orders.ensure(address, MIB, SIGNAL)
    side!.held.set(BigInt(lease.orderId), new Map([['07'.repeat(32), sizeBytes]]))
    lease.stored(receiptOf(lease.orderId))
    assert.equal(await orders.commitSets(), true)
    side!.held.clear()
    await orders.noteRemoved(address, root)
    assert.equal(await orders.commitSets(), true)
  }

  test('agrees with the provider when it is back, whichever of its acts was the last', async () => {
    const whole: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }
    const first = createCase()
    await first.world.run(storeAndGiveUp(first, bookOf(first, whole)))
    const newest = (one: Case) => [...one.world.providers[0]!.orders!.commitments.values()][0]?.commitment
    assert.deepEqual([newest(first)?.seq, newest(first)?.usedBytes], [2n, 0n])
    for (let endsAt = 1; endsAt <= whole.steps; endsAt++) {
      const one = createCase()
      await assert.rejects(one.world.run(storeAndGiveUp(one, bookOf(one, { steps: 0, endsAt }))), `step ${endsAt}`)
      const side = one.world.providers[0]!.orders!
      const again = bookOf(one)
      await one.world.run(again.ensure(one.world.providers[0]!.address, MIB, SIGNAL))
      assert.equal(await one.world.run(again.commitSets()), true, `after an end at step ${endsAt}`)
      const { orders } = await one.world.run(again.status())
      assert.equal(BigInt(orders[0]!.committedBytes), newest(one)?.usedBytes ?? 0n, `step ${endsAt}`)
      assert.equal(orders[0]!.uncommitted, 0)
      const heldBytes = [...side.held.values()].flatMap((pieces) => [...pieces.values()]).length * sizeBytes
      assert.ok((newest(one)?.usedBytes ?? 0n) >= BigInt(heldBytes), 'all that is held is in the set')
      await one.world.run(again.close())
    }
  })
})

describe('a process that ends while what an order held that is over comes under another one', () => {
  const pieces = Array.from({ length: 3 }, (_, i) => ({
    root: new Uint8Array(32).fill(i + 1),
    sizeBytes: 10_000 * (i + 1),
  }))
  const heldBytes = 60_000

  /** Stores pieces under an order, until its end. */
  const lapse = async (one: Case): Promise<void> => {
    const { world, store, money } = one
    const provider = world.providers[0]!
    const orders = bookOf(one)
    const lease = await orders.ensure(provider.address, MIB, SIGNAL)
    const roots = new Map(pieces.map(({ root, sizeBytes }) => [hex32(root), sizeBytes]))
    provider.orders!.held.set(BigInt(lease.orderId), roots)
    for (const { root, sizeBytes } of pieces) {
      const digest = { root, sizeBytes, units: new Uint8Array(0) }
      const held = { bytes: new Uint8Array(sizeBytes), digest, orderId: lease.orderId }
      ;(provider.pieces as Map<string, typeof held>).set(hex32(root), held)
      lease.stored({ orderId: lease.orderId, root, sizeBytes, expiry: 0, provider: provider.address, signature: root })
    }
    assert.equal(await orders.commitSets(), true)
    await orders.close()
    const { end } = [...money.orders.values()][0]!
    world.chain.setEpochs({ current: end, closedBefore: end - 1n })
    assert.equal((await store.list({ prefix: 'money/piece/', limit: 9 })).length, 3)
  }

  test('does it all the same when it is back, under one order, whichever of its acts was the last', async () => {
    const whole: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }
    const first = createCase()
    await first.world.run(lapse(first))
    await first.world.run(bookOf(first, whole).renewDue())
    assert.equal(first.money.orders.size, 2)
    for (let endsAt = 1; endsAt <= whole.steps; endsAt++) {
      const one = createCase()
      await one.world.run(lapse(one))
      await one.world.run(bookOf(one, { steps: 0, endsAt }).renewDue()).catch(() => undefined) // or it told what ended it
      const again = bookOf(one)
      await one.world.run(again.renewDue())
      assert.equal(await one.world.run(again.commitSets()), true, `after an end at step ${endsAt}`)
      const { orders } = await one.world.run(again.status())
      const sums = orders.map((order) => [order.heldBytes, order.committedBytes])
      assert.deepEqual(
        sums,
        [
          [0, 0],
          [heldBytes, heldBytes],
        ],
        `step ${endsAt}`,
      )
      assert.equal(one.money.orders.size, 2, `one order goes on after an end at step ${endsAt}`)
      assertLocked(one)
      await one.world.run(again.close())
    }
  })
})
