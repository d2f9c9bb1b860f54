import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertSettled, type Told } from './simulation/settled.ts'
import { type SimulatedUser, sha256, startWorld, type World } from './simulation/world.ts'

const MINUTE_MS = 60_000
const GRACE_SECONDS = 600
const KEEPER_LIMITS = { probeIntervalMs: MINUTE_MS, feedPollMs: MINUTE_MS, feedBackoffMs: MINUTE_MS }
const OBJECT_BYTES = 300_000

async function put(world: World, { storage, did, keys }: SimulatedUser, name: string): Promise<Told> {
  const bytes = world.random.fork(`object ${name}`).bytes(OBJECT_BYTES)
  const options = { did, name, contentType: 'text/plain', isPublic: false, readers: [keys.publicKey], policy: 'rs:2+1' }
  await world.run(storage.put(bytes, options))
  return { name, digest: sha256(bytes), state: 'durable' }
}

/** Orders that end because the escrow is empty, some of whose grace has passed. */
async function lapse(seed: string) {
  const limits = { orderSweepRestMs: MINUTE_MS, graceSeconds: GRACE_SECONDS, orderCacheMs: 0 }
  const world = await startWorld({
    seed,
    providers: 3,
    keepers: 3,
    isPaid: true,
    providerLimits: limits,
    keeperLimits: KEEPER_LIMITS,
  })
  const user = world.createUser('user')
  const { orders, money } = user
  assert.ok(orders && money)
  const told = await put(world, user, 'kept')
  assert.equal(await world.run(orders.commitSets()), true)
  const freeAtto = money.freeAtto
  money.freeAtto = 0n
  const { end } = [...money.orders.values()][0]!
  world.chain.setEpochs({ current: end, closedBefore: end - 1n })
  await world.time.advance((GRACE_SECONDS * 1_000) / 2)
  assert.ok(world.events.some(({ type }) => type === 'order-over'))
  return { world, user, orders, money, told, freeAtto, end }
}

describe('an escrow that ran empty, so that orders ended', () => {
  test('and is filled within the grace: nothing is lost, and nothing was sent again', async () => {
    const { world, user, orders, money, told, freeAtto, end } = await lapse('revived')
    money.freeAtto = freeAtto
    await world.run(orders.renewDue())
    assert.equal(await world.run(orders.commitSets()), true)
    assert.equal(money.orders.size, 6)
    world.chain.setEpochs({ current: end + 100n, closedBefore: end + 98n })
    await world.time.advance(3 * GRACE_SECONDS * 1_000)
    assert.ok(world.events.some(({ type }) => type === 'order-collected'))
    await assertSettled(world, user, [told])
    await world.stop()
  })

  test('and is filled too late: what is gone is gone, and no order is opened for it', async () => {
    const { world, orders, money, freeAtto, end } = await lapse('too late')
    world.chain.setEpochs({ current: end + 100n, closedBefore: end + 98n })
    await world.time.advance(3 * GRACE_SECONDS * 1_000)
    money.freeAtto = freeAtto
    await world.run(orders.renewDue())
    assert.equal(money.orders.size, 3)
    assert.deepEqual(
      world.providers.flatMap(({ disk }) => disk.pieceRoots()),
      [],
    )
    await world.stop()
  })
})
