import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IndexChange } from '@memo/core'
import { didRecordOf } from '@memo/core/testing'
import type { Orders, PutOptions, Storage } from '@memo/sdk'
import { createMemoryCheckpoints } from '@memo/sdk/testing'
import { verdictOf } from '../src/put/sweep.ts'
import { createPayer, type Payer } from './support/payer.ts'
import { collect, createWorld, putOptions, sha256Hex, testBytes, testKey, type World } from './support/world.ts'

/** As many providers as a part has pieces, so that two puts of the same bytes meet at all of them. */
const PROVIDERS = 6
const HOUR_MS = 3_600_000
const GRACE_MS = 24 * HOUR_MS
const NOTHING = { pieces: 0, bytes: 0 }
const LARGE = 300_000

type Process = { readonly orders: Orders; readonly storage: Storage }
type Case = { readonly world: World; readonly payer: Payer }

function createCase(): Case {
  const world = createWorld({ providers: PROVIDERS, limits: { submitAttempts: 1 } })
  return { world, payer: createPayer(world) }
}

/** A process of the account over what the one before has left. */
function start({ world, payer }: Case): Process {
  const { orders } = payer.again({ checkMs: GRACE_MS })
  orders.start()
  return { orders, storage: world.open({ orders, store: payer.store }) }
}

const put = async ({ world }: Case, { storage }: Process, bytes: Uint8Array, options: Partial<PutOptions> = {}) =>
  await world.run(storage.put(bytes, { ...putOptions(world.did, world.owner), ...options }))

/** A put whose process ends when everything is stored and before anything is signed. */
async function dieInPut(one: Case, bytes: Uint8Array, options: Partial<PutOptions> = {}): Promise<void> {
  const { world } = one
  const { storage } = start(one)
  const died = Promise.withResolvers<void>()
  const beforeCommit = async () => {
    died.resolve()
    await new Promise<never>(() => undefined)
  }
  storage.put(bytes, { ...putOptions(world.did, world.owner), ...options, beforeCommit }).catch(() => undefined) // it never ends
  await world.run(died.promise)
}

const wait = async ({ world }: Case, ms: number) => await world.run(world.time.timers.sleep(ms))
const sweep = async ({ world }: Case, { storage }: Process) => await world.run(storage.sweep())
const piecesOf = ({ world }: Case) => world.providers.reduce((sum, one) => sum + one.pieces.size, 0)

async function notesOf({ payer }: Case) {
  return await payer.store.list({ prefix: 'loose/', limit: 1_000 })
}

/** Makes notes say another time. */
async function shiftNotes(one: Case, ms: number): Promise<void> {
  const changes: IndexChange[] = (await notesOf(one)).map(({ key, value }) => {
    const note = JSON.parse(new TextDecoder().decode(value)) as { sinceMs: number }
    return { key, value: new TextEncoder().encode(JSON.stringify({ ...note, sinceMs: note.sinceMs + ms })) }
  })
  await one.payer.store.apply(changes)
}

describe('what a put that was cut off has stored under orders', () => {
  test('goes once the grace is over and no sooner, and is not paid for any more', async () => {
    for (const isPublic of [false, true]) {
      for (const size of [1_000, LARGE]) {
        const one = createCase()
        await dieInPut(one, testBytes(size), { isPublic })
        const process = start(one)
        await wait(one, GRACE_MS - HOUR_MS)
        assert.deepEqual((await sweep(one, process)).givenUp, NOTHING)
        assert.equal(piecesOf(one), PROVIDERS)
        await wait(one, HOUR_MS)
        assert.equal((await sweep(one, process)).givenUp.pieces, PROVIDERS)
        assert.equal(piecesOf(one), 0)
        assert.equal(await one.world.run(process.orders.commitSets()), true)
        const { orders } = await one.world.run(process.orders.status())
        assert.deepEqual(
          orders.map(({ heldBytes, committedBytes }) => heldBytes + committedBytes),
          orders.map(() => 0),
        )
        assert.deepEqual(await notesOf(one), [])
      }
    }
  })

  test('stays while the put goes on, however long', async () => {
    const one = createCase()
    const process = start(one)
    const beforeCommit = async () => {
      await one.world.time.timers.sleep(2 * GRACE_MS)
      assert.deepEqual(await process.storage.sweep(), { givenUp: NOTHING, kept: NOTHING })
    }
    const bytes = testBytes(LARGE)
    const { manifest } = await put(one, process, bytes, { beforeCommit })
    assert.equal(sha256Hex(await one.world.read(manifest)), sha256Hex(bytes))
    await wait(one, 2 * GRACE_MS)
    assert.deepEqual((await sweep(one, process)).givenUp, NOTHING)
  })

  test('waits for keepers: too few say nothing about it, and of bytes in clear all must', async () => {
    for (const [isPublic, away] of [
      [false, 2],
      [true, 1],
    ] as const) {
      const one = createCase()
      await dieInPut(one, testBytes(LARGE), { isPublic })
      await wait(one, GRACE_MS)
      for (const { endpoint } of one.world.keepers.slice(0, away)) one.world.kill(endpoint)
      const { givenUp, kept } = await sweep(one, start(one))
      assert.deepEqual([givenUp.pieces, kept.pieces, piecesOf(one)], [0, PROVIDERS, PROVIDERS])
      assert.ok(kept.bytes >= LARGE)
      one.world.network.clearLinks()
      assert.equal((await sweep(one, start(one))).givenUp.pieces, PROVIDERS)
    }
  })

  test('waits for a provider that is away', async () => {
    const one = createCase()
    await dieInPut(one, testBytes(LARGE))
    await wait(one, GRACE_MS)
    one.world.kill(one.world.providers[0]!.endpoint)
    const { givenUp, kept } = await sweep(one, start(one))
    assert.deepEqual([givenUp.pieces, kept.pieces], [PROVIDERS - 1, 1])
    one.world.network.clearLinks()
    assert.equal((await sweep(one, start(one))).givenUp.pieces, 1)
  })

  test('waits for as many keepers as make an entry durable, since those that took one may be few of them', () => {
    const own = { wasNamed: false, mayBeShared: false }
    assert.equal(verdictOf(own, ['unknown', 'unknown'], 4), 'kept')
    assert.equal(verdictOf(own, ['unknown', 'unknown', 'released'], 4), 'given-up')
    assert.equal(verdictOf(own, ['unknown', 'unknown', 'placed'], 4), 'needed')
    assert.equal(verdictOf({ ...own, mayBeShared: true }, ['unknown', 'unknown', 'unknown'], 4), 'kept')
    for (const wasNamed of [false, true]) assert.equal(verdictOf({ ...own, wasNamed }, [], 0), 'kept')
  })

  test('is not paid for any more where its provider says that it was never stored', async () => {
    const one = createCase()
    await dieInPut(one, testBytes(LARGE))
    const process = start(one)
    assert.equal(await one.world.run(process.orders.commitSets()), true)
    await wait(one, GRACE_MS)
    one.world.providers[0]!.faults.disownsPieces = true
    await sweep(one, process)
    assert.deepEqual(await notesOf(one), [])
    assert.equal(await one.world.run(process.orders.commitSets()), true)
    const { orders } = await one.world.run(process.orders.status())
    assert.deepEqual(
      orders.map(({ heldBytes, committedBytes }) => heldBytes + committedBytes),
      orders.map(() => 0),
    )
  })

  test('is forgotten when its provider has been away for longer than any order lasts', async () => {
    const one = createCase()
    await dieInPut(one, testBytes(LARGE))
    one.world.kill(one.world.providers[0]!.endpoint)
    await shiftNotes(one, -399 * GRACE_MS)
    assert.equal((await sweep(one, start(one))).kept.pieces, 1)
    await shiftNotes(one, -2 * GRACE_MS)
    assert.equal((await sweep(one, start(one))).kept.pieces, 0)
    assert.deepEqual(await notesOf(one), [])
  })

  test('goes although its time was noted by a clock that was years ahead', async () => {
    const one = createCase()
    await dieInPut(one, testBytes(LARGE))
    await shiftNotes(one, 1e12)
    const process = start(one)
    await sweep(one, process)
    await wait(one, GRACE_MS)
    assert.equal((await sweep(one, process)).givenUp.pieces, PROVIDERS)
  })
})

describe('what an entry names', () => {
  /** Keepers that lost all that they knew. */
  const forget = ({ world }: Case) => {
    for (const { logs, parts } of world.keepers) {
      logs.clear()
      parts.clear()
    }
  }

  test('stays whatever keepers have forgotten', async () => {
    for (const isPublic of [false, true]) {
      const one = createCase()
      await put(one, start(one), testBytes(LARGE), { isPublic })
      await put(one, start(one), testBytes(1_000), { isPublic })
      forget(one)
      await wait(one, GRACE_MS)
      assert.deepEqual(await sweep(one, start(one)), { givenUp: NOTHING, kept: NOTHING })
      assert.equal(piecesOf(one), 2 * PROVIDERS)
    }
  })

  test('stays when its entry was handed over and too few keepers took it', async () => {
    const one = createCase()
    for (const { faults } of one.world.keepers) faults.refuseIndex = true
    await assert.rejects(put(one, start(one), testBytes(LARGE)), { name: 'NotDurableError' })
    await wait(one, GRACE_MS)
    assert.deepEqual(await sweep(one, start(one)), { givenUp: NOTHING, kept: NOTHING })
    assert.equal(piecesOf(one), PROVIDERS)
  })

  test('stays when the same bytes are put again and that put is cut off', async () => {
    for (const forgets of [false, true]) {
      const one = createCase()
      const process = start(one)
      await put(one, process, testBytes(LARGE), { isPublic: true })
      await one.world.run(process.storage.close()) // its entry waits for nobody
      await dieInPut(one, testBytes(LARGE), { isPublic: true })
      if (forgets) forget(one)
      await wait(one, GRACE_MS)
      assert.deepEqual((await sweep(one, start(one))).givenUp, NOTHING)
      assert.equal(piecesOf(one), PROVIDERS)
    }
  })

  test('stays when another put of the same bytes names it after the one that stored it was cut off', async () => {
    const one = createCase()
    const bytes = testBytes(LARGE)
    await dieInPut(one, bytes, { isPublic: true })
    await put(one, start(one), bytes, { isPublic: true })
    forget(one)
    await wait(one, GRACE_MS)
    assert.deepEqual((await sweep(one, start(one))).givenUp, NOTHING)
    assert.equal(piecesOf(one), PROVIDERS)
  })

  test('stays when records were put back to what they were before it was named', async () => {
    const one = createCase()
    const bytes = testBytes(LARGE)
    let old: Awaited<ReturnType<typeof notesOf>> = []
    const { manifest } = await put(one, start(one), bytes, {
      beforeCommit: async () => {
        old = await notesOf(one)
      },
    })
    assert.equal(old.length, PROVIDERS)
    await one.payer.store.apply(old)
    await wait(one, GRACE_MS)
    assert.deepEqual(await sweep(one, start(one)), { givenUp: NOTHING, kept: NOTHING })
    assert.equal(sha256Hex(await one.world.read(manifest)), sha256Hex(bytes))
  })

  test('stays where records of an earlier version, which made no notes, have it', async () => {
    const one = createCase()
    await dieInPut(one, testBytes(LARGE))
    await one.payer.store.apply((await notesOf(one)).map(({ key }) => ({ key })))
    const process = start(one)
    await one.world.run(process.orders.commitSets())
    await wait(one, GRACE_MS)
    assert.deepEqual(await sweep(one, process), { givenUp: NOTHING, kept: NOTHING })
    assert.equal(piecesOf(one), PROVIDERS)
  })
})

describe('what a deletion lets go of', () => {
  /** Removes an object while its providers are away. */
  const removeAlone = async (one: Case, object: { writer: `0x${string}`; seq: number }) => {
    for (const { endpoint } of one.world.providers) one.world.kill(endpoint)
    await one.world.run(start(one).storage.remove(one.world.did, object))
    one.world.network.clearLinks()
  }

  test('goes later where providers were away, by the word of two thirds of the keepers', async () => {
    const one = createCase()
    const stored = await put(one, start(one), testBytes(LARGE))
    await removeAlone(one, stored)
    assert.equal(piecesOf(one), PROVIDERS)
    await wait(one, GRACE_MS)
    const [first, second] = one.world.keepers
    first!.faults.holding = 'unknown'
    second!.faults.holding = 'unknown'
    assert.equal((await sweep(one, start(one))).kept.pieces, PROVIDERS, 'one keeper that knows is not enough')
    second!.faults.holding = undefined
    assert.equal((await sweep(one, start(one))).givenUp.pieces, PROVIDERS)
    assert.equal(piecesOf(one), 0)
  })

  test('stays when the same bytes are put again, whenever a pass comes, and for whichever DID', async () => {
    for (const isOther of [false, true]) {
      const one = createCase()
      const { world } = one
      const other = `did:memo:${'7'.repeat(64)}`
      world.chain.setDid(didRecordOf(other, world.owner.signer))
      const bytes = testBytes(LARGE)
      const stored = await put(one, start(one), bytes, { isPublic: true })
      await removeAlone(one, stored)
      const old = await notesOf(one)
      await wait(one, GRACE_MS)
      const process = start(one)
      const did = isOther ? other : world.did
      const beforeCommit = async () => void (await process.storage.sweep({ graceMs: 0 }))
      const again = await put(one, process, bytes, { did, isPublic: true, beforeCommit })
      await one.payer.store.apply(old) // as a directory that was put back has them
      assert.deepEqual((await sweep(one, process)).givenUp, NOTHING)
      const [keeper] = world.keepers
      keeper!.faults.holding = 'released'
      await world.run(process.storage.close())
      await wait(one, GRACE_MS)
      assert.deepEqual((await sweep(one, start(one))).givenUp, NOTHING)
      assert.equal(
        sha256Hex(await world.run(collect(world.storage.read(again.manifest, { owner: did })))),
        sha256Hex(bytes),
      )
    }
  })

  test('stays where the deletion is refused, since the object is there still', async () => {
    const one = createCase()
    const stored = await put(one, start(one), testBytes(LARGE))
    for (const { faults } of one.world.keepers) faults.forbidIndex = true
    const removing = start(one).storage.remove(one.world.did, stored)
    await assert.rejects(one.world.run(removing), { name: 'EntryRefusedError' })
    await wait(one, GRACE_MS)
    assert.deepEqual(await sweep(one, start(one)), { givenUp: NOTHING, kept: NOTHING })
    for (const { logs, parts } of one.world.keepers) {
      logs.clear()
      parts.clear()
    }
    await wait(one, GRACE_MS)
    assert.deepEqual((await sweep(one, start(one))).givenUp, NOTHING, 'not to know of it is not enough')
    assert.equal(piecesOf(one), PROVIDERS)
  })

  test('stays for the others of a part that objects share, until the last of them is deleted', async () => {
    const one = createCase()
    const process = start(one)
    const names = [1, 2, 3]
    const all = await Promise.all(names.map((seed) => put(one, process, testBytes(1_000, seed), { name: `${seed}` })))
    const before = piecesOf(one)
    for (const [i, stored] of all.entries()) {
      await removeAlone(one, stored)
      await wait(one, GRACE_MS)
      await sweep(one, start(one))
      for (const other of all.slice(i + 1)) {
        assert.equal((await one.world.read(other.manifest)).length, 1_000)
      }
    }
    await wait(one, GRACE_MS)
    await sweep(one, start(one))
    assert.ok(before > 0)
    assert.equal(piecesOf(one), 0)
  })
})

test('a checkpoint that is superseded while its providers are away goes later', async () => {
  const one = createCase()
  const { world, payer } = one
  const contract = createMemoryCheckpoints().as(world.owner.signer.address)
  const checkpoints: typeof contract = {
    ...contract,
    async write(checkpoint) {
      const cost = await contract.write(checkpoint)
      for (const { endpoint } of world.providers) world.kill(endpoint)
      return cost
    },
  }
  const { orders } = start(one)
  const process = { orders, storage: world.open({ orders, store: payer.store, checkpoints }) }
  let deleted = 0
  for (let i = 0; deleted === 0; i++) {
    assert.ok(i < 20, 'none was superseded')
    await put(one, process, testBytes(10, i), { name: `${i}` })
    deleted = (await world.run(process.storage.writeCheckpoint(world.did)))?.deleted ?? 0
    world.network.clearLinks()
  }
  const before = piecesOf(one)
  await wait(one, GRACE_MS)
  assert.deepEqual((await sweep(one, process)).givenUp.pieces, deleted * PROVIDERS)
  assert.equal(piecesOf(one), before - deleted * PROVIDERS)
})

test('a refused entry whose providers were away leaves nothing for ever', async () => {
  const one = createCase()
  for (const { faults } of one.world.keepers) faults.forbidIndex = true
  const beforeCommit = () => {
    for (const { endpoint } of one.world.providers) one.world.kill(endpoint)
  }
  await assert.rejects(put(one, start(one), testBytes(LARGE), { beforeCommit }), { name: 'EntryRefusedError' })
  one.world.network.clearLinks()
  assert.equal(piecesOf(one), PROVIDERS)
  await wait(one, GRACE_MS)
  assert.equal((await sweep(one, start(one))).givenUp.pieces, PROVIDERS)
})

test('a storage without orders, or without a store, notes nothing and sweeps nothing', async () => {
  const { world } = createCase()
  const [unpaid, stranger] = [world.open(), world.open({}, testKey('stranger'))]
  for (const storage of [unpaid, stranger]) {
    assert.deepEqual(await world.run(storage.sweep()), { givenUp: NOTHING, kept: NOTHING })
  }
})
