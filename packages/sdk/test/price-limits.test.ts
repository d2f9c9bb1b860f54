import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '@memo/core'
import { createScriptedChain, createVirtualTime } from '@memo/core/testing'
import { DEFAULT_ORDER_POLICY, type OrderPolicy } from '../src/orders/policy.ts'
import { createPriceLimits } from '../src/orders/price-limit.ts'

/** Limits in a network of providers that ask these prices, for storing and for reading alike. */
function limitsOf(prices: readonly bigint[], policy: Partial<OrderPolicy> = {}) {
  const time = createVirtualTime()
  const chain = createScriptedChain({ clock: time.clock })
  const setPrice = (number: number, price: bigint) => {
    const address: Address = `0x${`${number + 1}`.padStart(40, '0')}`
    const asked = { storagePriceAttoPerGiBSecond: price, retrievalPriceAttoPerByte: price }
    chain.setAccount({ address, role: 'provider', ...asked })
  }
  for (const [number, price] of prices.entries()) setPrice(number, price)
  const limits = createPriceLimits({ chain, clock: time.clock, policy: { ...DEFAULT_ORDER_POLICY, ...policy } })
  return { ...limits, time, setPrice }
}

const FEW = DEFAULT_ORDER_POLICY.maxPriceOfFewAttoPerGiBSecond
const MOST = DEFAULT_ORDER_POLICY.maxRetrievalPriceAttoPerByte

describe('the highest price of reading', () => {
  test('is eight times the median of three or more that ask something, and the absolute limit at the most', async () => {
    assert.equal(await limitsOf([5n, 7n, 10n ** 18n]).reading(), 56n)
    assert.equal(await limitsOf([1n, 7n, 9n]).reading(), 56n, 'one alone moves it no further than to another’s price')
    assert.equal(await limitsOf([0n, 0n, 0n, 5n, 7n, 8n]).reading(), 56n, 'what is free says nothing')
    assert.equal(await limitsOf([5n, 7n, 9n, 11n]).reading(), 56n, 'of two in the middle the lower one')
    assert.equal(await limitsOf([MOST, MOST, MOST]).reading(), MOST)
  })

  test('is the absolute limit alone where fewer ask something: none of two prices the other out', async () => {
    for (const prices of [[], [0n, 0n, 0n], [7n], [1n, 1_000n], [0n, 5n, 7n]]) {
      assert.equal(await limitsOf(prices).reading(), MOST)
    }
  })
})

describe('the highest price of storing', () => {
  test('is eight times the median, and an absolute one as well where fewer than three ask something', async () => {
    assert.equal(await limitsOf([]).storing(), undefined)
    assert.equal(await limitsOf([7n]).storing(), 56n)
    assert.equal(await limitsOf([10n ** 18n]).storing(), FEW)
    assert.equal(await limitsOf([10n ** 18n, 10n ** 18n]).storing(), FEW)
    assert.equal(await limitsOf([5n, 10n ** 18n]).storing(), 40n)
    assert.equal(await limitsOf([10n ** 18n, 10n ** 18n, 10n ** 18n]).storing(), 8n * 10n ** 18n)
    const policy = { maxPriceAttoPerGiBSecond: 3n }
    assert.equal(await limitsOf([10n ** 18n], policy).storing(), 3n)
  })
})

test('prices are believed for ten minutes, of both kinds together', async () => {
  const { reading, storing, time, setPrice } = limitsOf([7n, 7n, 7n])
  assert.equal(await reading(), 56n)
  for (const number of [0, 1, 2]) setPrice(number, 9n)
  assert.deepEqual([await reading(), await storing()], [56n, 56n])
  await time.advance(600_000)
  assert.deepEqual([await reading(), await storing()], [72n, 72n])
})
