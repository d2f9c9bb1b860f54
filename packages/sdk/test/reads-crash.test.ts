import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IndexStore } from '@memo/core'
import { createMemoryIndexStore, InjectedFaultError, TEST_NETWORK } from '@memo/core/testing'
import { createOrders, type OrderMoney, type Orders } from '@memo/sdk'
import { createScriptedMoney, type ScriptedMoney } from '@memo/sdk/testing'
import { createPayer, READ_PRICE_ATTO } from './support/payer.ts'
import { createWorld, type World } from './support/world.ts'

const MIB = 1_048_576
const STEP_BYTES = 4 * MIB
const FREE_ATTO = 10n ** 15n
const SIGNAL = new AbortController().signal

type Life = { steps: number; readonly endsAt: number }
type Case = { readonly world: World; readonly money: ScriptedMoney; readonly store: IndexStore }

/** The same functions, for as long as the process lives: it ends before or after one of its acts. */
function mortal<T extends object>(port: T, life: Life): T {
  const beat = () => {
    life.steps++
    if (life.steps >= life.endsAt) throw new InjectedFaultError('the process has ended')
  }
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        beat()
        const done: unknown = await value.apply(target, args)
        beat()
        return done
      }
    },
  })
}

function createCase(freeAtto = FREE_ATTO): Case {
  const world = createWorld({ providers: 1 })
  createPayer(world) // sets prices
  const money = createScriptedMoney({ chain: world.chain, account: world.owner.signer.address, freeAtto })
  return { world, money, store: createMemoryIndexStore() }
}

function bookOf({ world, money, store }: Case, life: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }): Orders {
  return createOrders({
    ports: {
      network: TEST_NETWORK,
      transport: world.transport,
      clock: world.time.clock,
      timers: world.time.timers,
      random: world.random.fork('book'),
      signer: world.owner.signer,
    },
    chain: world.chain,
    money: mortal<OrderMoney>(money, life),
    store: mortal(store, life),
    policy: { firstOrderBytes: 2 * MIB, allowanceBytes: STEP_BYTES, generousPart: 1 },
  })
}

/** Opens an order, in a life of its own. */
async function openOrder(one: Case): Promise<number> {
  const orders = bookOf(one)
  const lease = await one.world.run(orders.ensure(one.world.providers[0]!.address, MIB, SIGNAL))
  await one.world.run(orders.close())
  return lease.orderId
}

/** Locks money for reading under the order, so that there is a voucher to show. */
async function allow({ world }: Case, orders: Orders, orderId: number): Promise<string | undefined> {
  await orders.findExpiry() // reads the book
  const payment = orders.reads(10 * MIB).find(world.providers[0]!.address, orderId)
  await payment?.payMore(undefined, SIGNAL)
  return payment?.voucher()
}

async function allowedBytes({ world, money }: Case, orderId: number): Promise<bigint> {
  return (await world.chain.getReadAllowance(BigInt(orderId), money.account)).bytesAllowed
}

describe('a process that ends while it locks money for reading', () => {
  test('leaves it locked once, whichever of its acts was the last', async () => {
    const first = createCase()
    const orderId = await openOrder(first)
    const whole: Life = { steps: 0, endsAt: Number.POSITIVE_INFINITY }
    const before = first.money.freeAtto
    assert.ok(await first.world.run(allow(first, bookOf(first, whole), orderId)))
    const lockedBytes = await allowedBytes(first, orderId)
    assert.equal(before - first.money.freeAtto, lockedBytes * READ_PRICE_ATTO)
    assert.equal(first.money.calls.filter((call) => call === 'allowReads').length, 1)
    assert.ok(whole.steps > 20, `${whole.steps} steps`)
    for (let endsAt = 1; endsAt <= whole.steps; endsAt++) {
      const one = createCase()
      const id = await openOrder(one)
      // Some of its faults are told as events, so that a read goes on unpaid.
      await one.world.run(allow(one, bookOf(one, { steps: 0, endsAt }), id)).catch((thrown: unknown) => {
        assert.ok(thrown instanceof InjectedFaultError, `${thrown}`)
      })
      const again = bookOf(one)
      assert.ok(await one.world.run(allow(one, again, id)), `a voucher after step ${endsAt}`)
      assert.equal(await allowedBytes(one, id), lockedBytes, `locked once after an end at step ${endsAt}`)
      assert.equal(before - one.money.freeAtto, lockedBytes * READ_PRICE_ATTO)
      await one.world.run(again.close())
    }
  })

  test('waits for what it had sent where the chain does not show it yet', async () => {
    const one = createCase()
    const id = await openOrder(one)
    one.money.hook = (call, when) => {
      if (call === 'allowReads' && when === 'after') throw new InjectedFaultError('the process was killed')
    }
    assert.equal(await one.world.run(allow(one, bookOf(one), id)), undefined)
    // The endpoint that the next process asks is behind.
    const shown = await one.world.chain.getReadAllowance(BigInt(id), one.money.account)
    one.world.chain.setReadAllowance(BigInt(id), one.money.account, {
      ...shown,
      bytesAllowed: 0n,
      priceAttoPerByte: 0n,
    })
    const freeAtto = one.money.freeAtto
    one.money.hook = (call, when) => {
      if (call !== 'allowReads' || when !== 'after') return
      one.world.chain.setReadAllowance(BigInt(id), one.money.account, shown)
    }
    const again = bookOf(one)
    assert.ok(await one.world.run(allow(one, again, id)))
    assert.equal(one.money.freeAtto, freeAtto, 'nothing was locked again')
    await one.world.run(again.close())
  })

  test('locks no more after each start where its escrow let only a little be locked', async () => {
    const one = createCase(10n ** 9n)
    const id = await openOrder(one)
    for (let i = 0; i < 5; i++) {
      const orders = bookOf(one)
      assert.ok(await one.world.run(allow(one, orders, id)))
      await one.world.run(orders.close())
    }
    assert.equal(one.money.calls.filter((call) => call === 'allowReads').length, 1)
  })
})
