import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UnreachableError } from '@memo/core'
import type { KeeperMoney } from '../src/index.ts'
import { createWorld } from './support/world.ts'

const HOUR_MS = 3_600_000
/** What sharing among two keepers takes at the price of one wei. */
const GAS_ATTO = 60_000n + 2n * 32_000n

/** What else keepers do goes on seldom: hours go by here. */
const QUIET = { eagerForMs: 0, probeIntervalMs: 24 * HOUR_MS, feedPollMs: 24 * HOUR_MS, feedBackoffMs: 24 * HOUR_MS }

/** Two keepers, the second of whom may be down, and a pool that grows when a test says so. */
async function twoKeepers({ isSecondDown = false, gasPriceWei = 1n, refusals = 0 } = {}) {
  const world = createWorld()
  const pool = { atto: 0n, left: refusals, gasPriceWei }
  const shared: { readonly by: string; readonly atto: bigint; readonly atMs: number }[] = []
  const moneyOf = (by: string): KeeperMoney => ({
    getPool: async () => ({ group: 1, atto: pool.atto, keepers: nodes.map(({ signer }) => signer.address) }),
    getGasPriceWei: async () => pool.gasPriceWei,
    async share() {
      if (pool.left-- > 0) throw new UnreachableError('the chain is down', { blame: 'chain', retry: 'later' })
      shared.push({ by, atto: pool.atto, atMs: world.time.clock.nowMs() })
      pool.atto = 0n
    },
  })
  const nodes = ['a', 'b'].map((name) => world.keeper(name, { limits: QUIET, fees: moneyOf(name) }))
  await nodes[0]!.start()
  if (!isSecondDown) await nodes[1]!.start()
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())))
  return { world, pool, shared, nodes, stop }
}

describe('what keepers have earned', () => {
  test('is shared by one of them within an hour, which says what each got', async () => {
    const { world, pool, shared, nodes, stop } = await twoKeepers()
    pool.atto = 4n * GAS_ATTO + 1n
    await world.time.advance(HOUR_MS)
    assert.deepEqual(
      shared.map(({ atto }) => atto),
      [4n * GAS_ATTO + 1n],
      'one shares, the other leaves it',
    )
    const paid = nodes.flatMap(({ events }) => events.filter(({ type }) => type === 'keepers-paid'))
    assert.deepEqual(
      paid.map(({ keepers, eachAtto }) => [keepers, eachAtto]),
      [[2, `${2n * GAS_ATTO}`]],
    )
    for (let hour = 0; hour < 4; hour++) {
      pool.atto = 4n * GAS_ATTO
      await world.time.advance(HOUR_MS)
    }
    assert.deepEqual(new Set(shared.map(({ by }) => by)), new Set(['a', 'b']), 'they take turns')
    assert.equal(shared.length, 5)
    await stop()
  })

  test('waits until it is four times the gas, also when gas becomes dear', async () => {
    const { world, pool, shared, stop } = await twoKeepers({ gasPriceWei: 10n })
    pool.atto = 40n * GAS_ATTO - 1n
    await world.time.advance(4 * HOUR_MS)
    assert.equal(shared.length, 0)
    pool.gasPriceWei = 9n
    await world.time.advance(HOUR_MS)
    assert.equal(shared.length, 1)
    await stop()
  })

  test('is shared an hour later where the keeper whose turn it is does not run', async () => {
    const { world, pool, shared, stop } = await twoKeepers({ isSecondDown: true })
    for (let hour = 0; hour < 4; hour++) {
      pool.atto = 4n * GAS_ATTO
      await world.time.advance(HOUR_MS)
    }
    assert.deepEqual(
      shared.map(({ by }) => by),
      ['a', 'a'],
    )
    await stop()
  })

  test('is tried again where the chain fails, and the keeper says so', async () => {
    const { world, pool, shared, nodes, stop } = await twoKeepers({ refusals: 1 })
    pool.atto = 4n * GAS_ATTO
    await world.time.advance(2 * HOUR_MS)
    assert.equal(shared.length, 1)
    const failed = nodes.flatMap(({ events }) => events.filter(({ type }) => type === 'sharing-failed'))
    assert.equal(failed.length, 1)
    await stop()
  })
})
