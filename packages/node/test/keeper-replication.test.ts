import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  bytesResponse,
  CBOR_TYPE,
  createCidBuilder,
  encodeBundle,
  encodeFeed,
  hexFromBytes,
  RECEIPT_LIFE_SECONDS,
  utf8,
} from '@memo/core'
import { didRecordOf, InjectedFaultError } from '@memo/core/testing'
import { createLogWriter, createPart, createPerson, loginOf, nowOf, putOf } from './support/entries.ts'
import { createWorld, type KeeperNode } from './support/world.ts'

async function startedKeepers(count: number) {
  const world = createWorld()
  const keepers = Array.from({ length: count }, (_, i) => world.keeper(`${i}`))
  for (const keeper of keepers) await keeper.start()
  const holders = ['a', 'b', 'c', 'd'].map((name) => {
    const signer = world.stranger(`holder ${name}`)
    world.chain.setAccount({ address: signer.address, role: 'provider' })
    return signer
  })
  const alice = createPerson(world, 'alice')
  const log = createLogWriter(world, alice.did, alice.key)
  const part = () => createPart(world, alice.did, holders)
  const headAt = async (keeper: KeeperNode) => (await keeper.client().listHeads(alice.did))[0]
  return { world, keepers: keepers as [KeeperNode, KeeperNode, KeeperNode], holders, alice, log, part, headAt }
}

describe('keepers bring each other up to date', () => {
  test('within seconds, with entry, part and what is public', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(3)
    const builder = createCidBuilder()
    builder.update(utf8('x'))
    const cid = builder.finish()
    const placed = await part()
    const bundle = await log.next([placed], {}, cid)
    await keepers[0].client().submit(bundle)
    await world.time.advance(3_000)
    for (const keeper of keepers) {
      assert.equal((await headAt(keeper))?.hash, hexFromBytes(bundle.signed.hash))
      assert.deepEqual((await keeper.client().findPart(placed.placement.partId))?.placement, placed.placement)
      assert.equal((await keeper.client().listPublic(cid)).entries.length, 1)
    }
  })

  test('a keeper that was down catches up, many pages at once', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    await keepers[1].stop()
    const placed = await part()
    for (let i = 0; i < 250; i++) await keepers[0].client().submit(await log.next([placed]))
    await keepers[1].start()
    await world.time.advance(3_000)
    assert.equal((await headAt(keepers[1]))?.seq, 250)
  })

  test('a keeper that crashed goes on where it was', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    await keepers[0].client().submit(await log.next([await part()]))
    await world.time.advance(3_000)
    keepers[1].crash()
    await keepers[0].client().submit(await log.next([await part()]))
    await keepers[1].start()
    await world.time.advance(3_000)
    assert.equal((await headAt(keepers[1]))?.seq, 2)
  })

  test('logs that were split over keepers meet everywhere', async () => {
    const { world, keepers, alice, log, part } = await startedKeepers(3)
    const gateway = createLogWriter(world, alice.did, world.user('gateway'), await loginOf(world, alice))
    const bob = createPerson(world, 'bob')
    const bobs = createLogWriter(world, bob.did, bob.key)
    await keepers[0].client().submit(await log.next([await part()]))
    await keepers[1].client().submit(await gateway.next([await part()]))
    await keepers[2].client().submit(await bobs.next([]))
    await world.time.advance(5_000)
    for (const keeper of keepers) {
      assert.equal((await keeper.client().listHeads(alice.did)).length, 2)
      assert.equal((await keeper.client().listHeads(bob.did)).length, 1)
    }
  })

  test('an entry that a keeper lacks the earlier ones of makes it fetch them', async () => {
    const { world, keepers, alice, log, part, headAt } = await startedKeepers(2)
    // Keeper 1 cannot see the DID yet when the first entries come by, as with a chain that lags behind.
    const record = didRecordOf(alice.did, alice.key)
    await keepers[1].stop()
    for (let i = 0; i < 3; i++) await keepers[0].client().submit(await log.next([await part()]))
    world.chain.setDid({ ...record, authenticationKeys: [] })
    await keepers[1].start()
    await world.time.advance(3_000)
    assert.equal(await headAt(keepers[1]), undefined)
    assert.ok(keepers[1].events.some(({ type }) => type === 'log-postponed'))
    world.chain.setDid(record)
    await keepers[0].client().submit(await log.next([await part()]))
    await world.time.advance(3_000)
    assert.equal((await headAt(keepers[1]))?.seq, 4)
  })

  test('what was refused for a chain that lagged is tried again without news', async () => {
    const { world, keepers, alice, log, part, headAt } = await startedKeepers(2)
    await keepers[1].stop()
    await keepers[0].client().submit(await log.next([await part()]))
    const record = didRecordOf(alice.did, alice.key)
    world.chain.setDid({ ...record, authenticationKeys: [] })
    await keepers[1].start()
    await world.time.advance(3_000)
    world.chain.setDid(record)
    keepers[1].crash()
    await keepers[1].start() // it remembers across a crash
    await world.time.advance(12_000)
    assert.equal((await headAt(keepers[1]))?.seq, 1)
  })

  test('old entries are taken though their receipts are too old for new ones and their providers have left', async () => {
    const { world, keepers, holders, alice, log, headAt } = await startedKeepers(2)
    await keepers[1].stop()
    const expiry = nowOf(world) + RECEIPT_LIFE_SECONDS - 2 * 86_400 + 4_000
    await keepers[0].client().submit(await log.next([await createPart(world, alice.did, holders, { expiry })]))
    await world.time.advance(4_100_000)
    world.chain.setAccount({ address: holders[0]!.address, role: 'provider', state: 'exited' })
    await keepers[1].start()
    await world.time.advance(3_000)
    assert.equal((await headAt(keepers[1]))?.seq, 1)
  })

  test('a keeper that lost its records gets all of them back', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    for (let i = 0; i < 3; i++) await keepers[0].client().submit(await log.next([await part()]))
    await world.time.advance(3_000)
    await keepers[0].stop()
    const index = keepers[0].disk.openIndexStore()
    for (const { key } of await index.list({ prefix: '', limit: 1_000 })) await index.apply([{ key }])
    await keepers[0].start()
    await world.time.advance(5_000)
    assert.equal((await headAt(keepers[0]))?.seq, 3)
    await keepers[0].client().submit(await log.next([await part()]))
    await world.time.advance(5_000)
    assert.equal((await headAt(keepers[1]))?.seq, 4)
  })

  test('they go on after a network that failed for a while', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    world.net.setLink('*', keepers[0].endpoint, { state: 'refused' })
    await world.time.advance(300_000)
    world.net.clearLinks()
    await keepers[0].client().submit(await log.next([await part()]))
    await world.time.advance(31_000)
    assert.equal((await headAt(keepers[1]))?.seq, 1)
    assert.equal(keepers[1].events.filter(({ type }) => type === 'keeper-unread').length, 1, 'said once')
  })

  test('a disk that fails in the middle of a page loses nothing', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    for (let i = 0; i < 5; i++) await keepers[0].client().submit(await log.next([await part()]))
    let syncs = 0
    keepers[1].disk.setFault((operation) => {
      return operation === 'sync' && ++syncs === 3 ? new InjectedFaultError('bad sector') : undefined
    })
    await world.time.advance(10_000)
    assert.ok(syncs > 3)
    assert.equal((await headAt(keepers[1]))?.seq, 5)
  })

  test('a keeper that leaves the network is read no more, and one that joins is', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    const joined = world.keeper('joined')
    await joined.start()
    world.chain.setAccount({ address: keepers[0].signer.address, role: 'keeper', state: 'exited' })
    await keepers[1].client().submit(await log.next([await part()]))
    await world.time.advance(5_000)
    assert.equal((await headAt(joined))?.seq, 1)
    world.chain.setAccount({ address: keepers[0].signer.address, role: 'keeper', state: 'active' })
    await world.time.advance(5_000)
    assert.equal((await headAt(keepers[0]))?.seq, 1)
  })
})

describe('a writer that signs two entries with one number', () => {
  test('is seen, and each keeper stays with the one that it took first', async () => {
    const { world, keepers, log, part, headAt } = await startedKeepers(2)
    const placed = await part()
    const one = { signed: await log.draft(putOf([placed]), { time: 1 }), parts: [placed] }
    const two = { signed: await log.draft(putOf([placed]), { time: 2 }), parts: [placed] }
    await Promise.all([keepers[0].client().submit(one), keepers[1].client().submit(two)])
    await world.time.advance(10_000)
    assert.equal((await headAt(keepers[0]))?.hash, hexFromBytes(one.signed.hash))
    assert.equal((await headAt(keepers[1]))?.hash, hexFromBytes(two.signed.hash))
    for (const keeper of keepers) assert.ok(keeper.events.some(({ type }) => type === 'log-forked'))
  })
})

describe('a dishonest keeper', () => {
  async function withLiar(feed: (after: number) => Uint8Array) {
    const setting = await startedKeepers(1)
    const { world } = setting
    const signer = world.stranger('liar')
    const endpoint = 'http://liar.test'
    let polls = 0
    world.chain.setAccount({ address: signer.address, role: 'keeper', endpoint })
    world.net.listen(endpoint, async (request) => {
      polls++
      const after = Number(new URLSearchParams(request.url.split('?')[1]).get('after'))
      return bytesResponse(200, feed(after), CBOR_TYPE)
    })
    return { ...setting, countPolls: () => polls }
  }

  test('cannot slip an entry past the rules of submission', async () => {
    const bundles: Uint8Array[] = []
    const { world, keepers, alice, part, holders } = await withLiar(() => encodeFeed(bundles.length, bundles))
    const mallory = world.user('mallory')
    const placed = await part()
    const stranger = createLogWriter(world, alice.did, mallory)
    const bad = await createPart(world, alice.did, [holders[0], holders[1], undefined, undefined])
    bundles.push(encodeBundle(await stranger.next([placed])))
    bundles.push(encodeBundle(await createLogWriter(world, alice.did, alice.key).next([bad])))
    await world.time.advance(60_000)
    assert.deepEqual(await keepers[0].client().listHeads(alice.did), [])
    assert.ok(keepers[0].events.some(({ type }) => type === 'log-postponed'))
  })

  test('cannot keep us busy with a feed that never ends and says nothing', async () => {
    const { world, countPolls } = await withLiar((after) => encodeFeed(after + 100, []))
    await world.time.advance(60_000)
    assert.ok(countPolls() < 100, `${countPolls()} polls in a minute`)
  })

  test('cannot stop us from hearing honest ones by answering nonsense', async () => {
    const { world, keepers, log, part, headAt } = await withLiar(() => utf8('nonsense'))
    const honest = world.keeper('honest')
    await honest.start()
    await honest.client().submit(await log.next([await part()]))
    await world.time.advance(5_000)
    assert.equal((await headAt(keepers[0]))?.seq, 1)
  })
})

test('an entry whose time lies a year back is judged by the receipts of then, only among keepers', async () => {
  const { world, keepers, holders, alice, log, headAt } = await startedKeepers(1)
  const expiry = nowOf(world) - 10
  const placed = await createPart(world, alice.did, holders, { expiry })
  const bundle = await log.next([placed], { time: expiry - 86_400 })
  await assert.rejects(keepers[0].client().submit(bundle), (error: Error) => error.name === 'ReceiptRefusedError')
  assert.equal(await headAt(keepers[0]), undefined)
})
