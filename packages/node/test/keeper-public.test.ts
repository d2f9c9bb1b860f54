import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCidBuilder, type LogAction, type SignedEntry, utf8 } from '@memo/core'
import { createLogWriter, createPerson, loginOf, putOf } from './support/entries.ts'
import { startedKeeper } from './support/started-keeper.ts'

describe('a keeper finds public objects', () => {
  const builder = createCidBuilder()
  builder.update(utf8('public bytes'))
  const cid = builder.finish()

  test('by their CID, the first to come first, until their DID deletes them', async () => {
    const { world, client, alice, log, part } = await startedKeeper()
    const gateway = createLogWriter(world, alice.did, world.user('gateway'), await loginOf(world, alice))
    await client.submit(await log.next([await part()], {}, cid))
    await world.time.advance(5_000)
    await client.submit(await gateway.next([await part()], {}, cid))
    const writers = async () => (await client.listPublic(cid)).entries.map(({ entry }) => entry.writer)
    assert.deepEqual(await writers(), [alice.key.address, gateway.head?.entry.writer])
    await client.submit(await log.remove(gateway.head!.entry.writer, 1))
    assert.deepEqual(await writers(), [alice.key.address])
    await client.submit(await gateway.remove(alice.key.address, 1))
    assert.deepEqual(await writers(), [])
  })

  test('and another DID cannot delete them', async () => {
    const { world, client, log, part } = await startedKeeper()
    const mallory = createPerson(world, 'mallory')
    const bundle = await log.next([await part()], {}, cid)
    await client.submit(bundle)
    const other = createLogWriter(world, mallory.did, mallory.key)
    await client.submit(await other.remove(bundle.signed.entry.writer, 1))
    assert.equal((await client.listPublic(cid)).entries.length, 1)
  })

  test('and a deletion that arrives first holds', async () => {
    const { world, client, alice, log, part } = await startedKeeper()
    const gateway = createLogWriter(world, alice.did, world.user('gateway'), await loginOf(world, alice))
    await client.submit(await log.remove(world.user('gateway').address, 1))
    await client.submit(await gateway.next([await part()], {}, cid))
    assert.deepEqual((await client.listPublic(cid)).entries, [])
  })

  test('and nobody comes first by dating an entry into the past', async () => {
    const { world, client, log, part } = await startedKeeper()
    const placed = await part()
    await client.submit(await log.next([placed], {}, cid))
    await world.time.advance(5_000)
    await client.submit(await log.next([placed], { time: 1 }, cid))
    assert.deepEqual(
      (await client.listPublic(cid)).entries.map(({ entry }) => entry.seq),
      [1, 2],
    )
  })

  test('in pages, however fat or many those are that others publish under it', async () => {
    const { world, client, log, part } = await startedKeeper()
    const mallory = createPerson(world, 'mallory')
    const flood = createLogWriter(world, mallory.did, world.user('flood'), await loginOf(world, mallory))
    const fat = {
      ...putOf([], cid),
      manifest: { kind: 'sealed', box: new Uint8Array(6_000_000), keys: [] },
    } as LogAction
    for (let i = 0; i < 3; i++) await client.submit(await flood.next([], { action: fat }))
    for (let i = 0; i < 100; i++) await client.submit(await flood.next([], {}, cid))
    await client.submit(await log.next([await part()], {}, cid))
    const pages: number[] = []
    let last: SignedEntry | undefined
    for (let after: number | undefined = 0; after !== undefined; ) {
      const { entries, next } = await client.listPublic(cid, { after })
      pages.push(entries.length)
      last = entries.at(-1) ?? last
      after = next
    }
    assert.deepEqual(pages, [2, 100, 2])
    assert.equal(last?.entry.did, log.did)
  })

  test('and private ones are not found by anything', async () => {
    const { client, log, part } = await startedKeeper()
    await client.submit(await log.next([await part()]))
    assert.deepEqual((await client.listPublic(cid)).entries, [])
  })
})
