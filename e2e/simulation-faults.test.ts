import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError } from '@memo/core'
import type { Link } from '@memo/core/testing'
import { assertSettled, type Told } from './simulation/settled.ts'
import { digestOf, type SimulatedNode, type SimulatedUser, sha256, startWorld, type World } from './simulation/world.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const MIB = 1_048_576
/** By then an upload of 6 MiB over a line of 10 MB/s is in its middle. */
const MIDWAY_MS = 150
const LINE = { bytesPerMs: 10_000 }
/** Short enough that what is left over is gone a few minutes later. */
const PROVIDER_LIMITS = { uploadLifeMs: MINUTE_MS, unplacedGraceMs: 3 * MINUTE_MS, collectRestMs: MINUTE_MS }
const SETTLE_MS = 6 * MINUTE_MS

async function start(
  seed: string,
  options: { readonly providers?: number; readonly keepers?: number; readonly link?: Partial<Link> } = {},
) {
  const limits = { providerLimits: PROVIDER_LIMITS, keeperLimits: { probeIntervalMs: MINUTE_MS } }
  const world = await startWorld({ seed, providers: 7, keepers: 3, syncMs: 2, ...limits, ...options })
  return { world, user: world.createUser('user') }
}

async function put(world: World, user: SimulatedUser, name: string, sizeBytes = 20_000): Promise<Told> {
  const bytes = world.random.bytes(sizeBytes)
  const told = { name, digest: sha256(bytes) }
  const options = { did: user.did, name, contentType: 'text/plain', isPublic: false, readers: [user.keys.publicKey] }
  try {
    await world.run(user.storage.put(bytes, options))
    return { ...told, state: 'durable' }
  } catch (thrown) {
    assert.ok(thrown instanceof MemoError && thrown.blame !== 'us', String(thrown))
    return { ...told, state: 'unknown' }
  }
}

async function readAll(world: World, user: SimulatedUser): Promise<string[]> {
  const digests: string[] = []
  const read = async () => {
    for await (const { manifest } of user.storage.list(user.did, { reader: user.keys })) {
      digests.push(await digestOf(user.storage.read(manifest!, { owner: user.did })))
    }
  }
  await world.run(read())
  return digests
}

describe('a clock that jumps', () => {
  const jumps = [
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
  ] as const
  for (const [where, ms] of jumps) {
    test(`${where} at a provider and at a keeper costs no put and no object`, async () => {
      const { world, user } = await start(`node clocks ${where}`)
      const told = [await put(world, user, 'before')]
      world.providers[0]!.jumpClock(ms)
      world.keepers[0]!.jumpClock(ms)
      told.push(await put(world, user, 'meanwhile'))
      await world.time.advance(MINUTE_MS)
      world.providers[0]!.jumpClock(-ms)
      world.keepers[0]!.jumpClock(-ms)
      told.push(await put(world, user, 'after'))
      assert.deepEqual(
        told.map(({ state }) => state),
        ['durable', 'durable', 'durable'],
      )
      await world.time.advance(SETTLE_MS)
      await assertSettled(world, user, told)
      await world.stop()
    })

    test(`${where} at the client refuses its puts, says why, and costs nothing`, async () => {
      const { world, user } = await start(`client clock ${where}`)
      const told = [await put(world, user, 'before')]
      user.jumpClock(ms)
      const bytes = world.random.bytes(1_000)
      const options = { did: user.did, name: 'x', contentType: 'text/plain', isPublic: true, readers: [] }
      await assert.rejects(world.run(user.storage.put(bytes, options)), (error) => {
        assert.ok(error instanceof MemoError)
        assert.match(JSON.stringify(error.details), /signed request (has expired|expires too far ahead)/)
        return true
      })
      assert.equal((await readAll(world, user)).length, 1, 'reading needs no clock')
      user.jumpClock(-ms)
      told.push(await put(world, user, 'after'))
      assert.equal(told[1]?.state, 'durable')
      await world.time.advance(SETTLE_MS)
      await assertSettled(world, user, told)
      await world.stop()
    })

    test(`${where} at everybody in the middle of an upload leaves all or nothing`, async () => {
      const { world, user } = await start(`all clocks ${where}`, { link: LINE })
      const told = [await put(world, user, 'before')]
      const jumping = (async () => {
        await world.time.timers.sleep(MIDWAY_MS)
        for (const node of [...world.providers, ...world.keepers, user]) node.jumpClock(ms)
      })()
      told.push(await put(world, user, 'during', 6 * MIB))
      await world.run(jumping)
      told.push(await put(world, user, 'after'))
      assert.equal(told[2]?.state, 'durable')
      await world.time.advance(SETTLE_MS + HOUR_MS)
      await assertSettled(world, user, told)
      await world.stop()
    })
  }

  test('at the client alone, in the middle of an upload, leaves all or nothing', async () => {
    const { world, user } = await start('client clock midway', { link: LINE })
    const jumping = (async () => {
      await world.time.timers.sleep(MIDWAY_MS)
      user.jumpClock(-HOUR_MS)
    })()
    const told = [await put(world, user, 'during', 6 * MIB)]
    await world.run(jumping)
    assert.equal(told[0]?.state, 'unknown', 'its commits are refused')
    user.jumpClock(HOUR_MS)
    told.push(await put(world, user, 'after'))
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, user, told)
    await world.stop()
  })
})

describe('keepers that are split', () => {
  const split = (world: World, some: readonly SimulatedNode[], others: readonly SimulatedNode[]) => {
    for (const one of some) {
      for (const other of others) {
        world.network.setLink(one.endpoint, other.endpoint, { state: 'refused' })
        world.network.setLink(other.endpoint, one.endpoint, { state: 'refused' })
      }
    }
  }

  test('into halves that a client cannot both reach take nothing for durable, and agree once they are whole', async () => {
    const { world, user } = await start('halves', { keepers: 4 })
    const told = [await put(world, user, 'before')]
    const [near, far] = [world.keepers.slice(0, 2), world.keepers.slice(2)]
    split(world, near, far)
    for (const { endpoint } of far) world.network.setLink('user', endpoint, { state: 'refused' })
    const failed = await put(world, user, 'meanwhile')
    assert.equal(failed.state, 'unknown', 'two of four are not enough')
    told.push(failed)
    await world.time.advance(MINUTE_MS)
    world.network.clearLinks()
    told.push(await put(world, user, 'after'))
    assert.equal(told[2]?.state, 'durable')
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, user, told)
    assert.equal((await readAll(world, user)).length, 3, 'what one half took is durable in the end')
    await world.stop()
  })

  test('into halves with a writer on either side end with two logs, neither of them forked', async () => {
    const { world, user } = await start('two writers', { keepers: 4 })
    const other = world.createUser('other')
    const [left, right] = [world.keepers.slice(0, 2), world.keepers.slice(2)]
    split(world, left, right)
    for (const { endpoint } of right) world.network.setLink('user', endpoint, { state: 'refused' })
    for (const { endpoint } of left) world.network.setLink('other', endpoint, { state: 'refused' })
    const told = [await put(world, user, 'left')]
    const toldOther = [await put(world, other, 'right')]
    assert.deepEqual([told[0]?.state, toldOther[0]?.state], ['unknown', 'unknown'])
    world.network.clearLinks()
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, user, told)
    await assertSettled(world, other, toldOther)
    assert.ok(!world.trace.events.some((event) => event.includes('log-forked')))
    await world.stop()
  })

  test('from each other, but not from the client, go on; who is cut off learns the rest later', async () => {
    const { world, user } = await start('cut off', { keepers: 4 })
    const [lone, ...others] = world.keepers
    split(world, [lone!], others)
    world.network.setLink('user', lone!.endpoint, { state: 'refused' })
    const told = [await put(world, user, 'one'), await put(world, user, 'two')]
    assert.ok(told.every(({ state }) => state === 'durable'))
    world.network.clearLinks()
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, user, told)
    await world.stop()
  })
})

describe('a provider behind a line of 1 KB/s', () => {
  test('holds up neither a put nor a read', async () => {
    const { world, user } = await start('slow', { providers: 8 })
    const slow = world.providers.slice(0, 2)
    for (const { endpoint } of slow) {
      world.network.setLink('user', endpoint, { bytesPerMs: 1 })
    }
    const startedMs = world.time.clock.nowMs()
    const told = [await put(world, user, 'object', 8 * MIB)]
    assert.equal(told[0]?.state, 'durable')
    const putMs = world.time.clock.nowMs() - startedMs
    assert.ok(putMs < 2 * MINUTE_MS, `a put took ${putMs} ms; 2 MiB at 1 KB/s take 2,000 s`)
    world.network.clearLinks()
    for (const { endpoint } of world.providers.slice(2, 4)) {
      world.network.setLink('user', endpoint, { bytesPerMs: 1 })
    }
    const readFromMs = world.time.clock.nowMs()
    assert.deepEqual(await readAll(world, user), [told[0]?.digest])
    const readMs = world.time.clock.nowMs() - readFromMs
    assert.ok(readMs < MINUTE_MS, `a read took ${readMs} ms`)
    world.network.clearLinks()
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, user, told)
    await world.stop()
  })
})
