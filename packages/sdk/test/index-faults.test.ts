import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Address, hex32, loginDigest, MAX_PART_BYTES, type MemoError } from '@memo/core'
import { didRecordOf } from '@memo/core/testing'
import type { KeeperFaults } from '@memo/sdk/testing'
import {
  collect,
  createWorld,
  listAll,
  putOptions,
  sha256Hex,
  testBytes,
  testKey,
  type World,
} from './support/world.ts'

async function names(world: World, writer?: Address): Promise<(string | undefined)[]> {
  const options = { reader: world.owner, ...(writer ? { writer } : {}) }
  return (await world.run(listAll(world.open().list(world.did, options)))).map((object) => object.name)
}

function allPieces(world: World): number {
  return world.providers.reduce((sum, one) => sum + one.pieces.size, 0)
}

describe('durable means two thirds of the keepers', () => {
  test('one keeper of three may be gone', async () => {
    const world = createWorld()
    world.kill(world.keepers[1]!.endpoint)
    const stored = await world.put(testBytes(10))
    assert.equal(stored.acks.length, 2)
    assert.deepEqual(await names(world), ['a.bin'])
  })

  test('with two gone the error names them, the bytes stay, and the next put makes up for it', async () => {
    const world = createWorld()
    for (const index of [1, 2]) world.kill(world.keepers[index]!.endpoint)
    const error = await world.put(testBytes(10)).then(
      () => assert.fail('durable'),
      (thrown: MemoError) => thrown,
    )
    assert.equal(error.name, 'NotDurableError')
    assert.equal(error.blame, 'keeper')
    assert.equal(error.retry, 'later')
    assert.deepEqual([error.details.needed, error.details.acks], [2, 1])
    const faults = error.details.faults as { address: string }[]
    assert.deepEqual(
      new Set(faults.map((fault) => fault.address)),
      new Set([1, 2].map((i) => world.keepers[i]!.address)),
    )
    assert.equal(allPieces(world), 6)
    world.network.clearLinks()
    await world.put(testBytes(11), { name: 'b.bin' })
    assert.deepEqual(await names(world), ['a.bin', 'b.bin'])
    assert.deepEqual(
      world.keepers.map((keeper) => [...keeper.logs.values()].map((log) => log.length)),
      [[2], [2], [2]],
    )
  })

  test('after a restart a keeper that lacks entries is given them', async () => {
    const world = createWorld()
    for (const index of [1, 2]) world.keepers[index]!.faults.refuseIndex = true
    await assert.rejects(world.put(testBytes(10)), { name: 'NotDurableError' })
    for (const index of [1, 2]) world.keepers[index]!.faults.refuseIndex = false
    const again = world.open()
    await world.run(again.put(testBytes(11), { ...putOptions(world.did, world.owner), name: 'b.bin' }))
    assert.deepEqual(await names(world), ['a.bin', 'b.bin'])
    assert.deepEqual(
      world.keepers.map((keeper) => [...keeper.logs.values()].map((log) => log.length)),
      [[2], [2], [2]],
    )
  })

  test('a false acknowledgement does not count', async () => {
    const world = createWorld()
    for (const index of [0, 1]) world.keepers[index]!.faults.ackSigner = testKey('stranger').signer
    await assert.rejects(world.put(testBytes(10)), { name: 'NotDurableError' })
  })

  test('a keeper that is silent holds nobody up', async () => {
    const world = createWorld()
    await world.put(testBytes(9))
    world.network.setLink('*', world.keepers[2]!.endpoint, { state: 'silent' })
    const start = world.time.clock.nowMs()
    const stored = await world.put(testBytes(10))
    assert.equal(stored.acks.length, 2)
    assert.ok(world.time.clock.nowMs() - start < 15_000)
    await world.run(world.storage.close())
    assert.equal(world.time.sleeping(), 0)
  })
})

describe('one log, one order', () => {
  test('puts at the same time get numbers in a row', async () => {
    const world = createWorld()
    const puts = Array.from({ length: 5 }, (_, i) =>
      world.storage.put(testBytes(100 + i), { ...putOptions(world.did, world.owner), name: `${i}` }),
    )
    const stored = await world.run(Promise.all(puts))
    assert.deepEqual(stored.map((one) => one.seq).sort(), [1, 2, 3, 4, 5])
  })

  test('when another process of the same account wrote meanwhile, the log is read again', async () => {
    const world = createWorld()
    const other = world.open()
    await world.put(testBytes(10), { name: 'one' })
    await world.run(other.put(testBytes(11), { ...putOptions(world.did, world.owner), name: 'two' }))
    const stored = await world.put(testBytes(12), { name: 'three' })
    assert.equal(stored.seq, 3)
    assert.deepEqual(await names(world), ['one', 'two', 'three'])
  })

  test('when another process writes while a put is under way, the put comes after it', async () => {
    const world = createWorld()
    const other = world.open()
    await world.put(testBytes(1))
    const stored = await world.put(testBytes(100), {
      beforeCommit: async () => void (await other.put(testBytes(2), putOptions(world.did, world.owner))),
    })
    assert.equal(stored.seq, 3)
    assert.equal((await names(world)).length, 3)
  })
})

describe('the same object twice', () => {
  for (const isPublic of [false, true]) {
    test(`${isPublic ? 'public' : 'private'}: the first is returned, the new pieces go, the old ones stay`, async () => {
      const world = createWorld()
      const bytes = testBytes(300_000)
      const first = await world.put(bytes, { isPublic })
      const pieces = allPieces(world)
      const second = await world.put(bytes, { isPublic, name: 'another name' })
      assert.equal(second.deduplicated, true)
      assert.deepEqual([second.seq, second.cid, second.manifest.name], [first.seq, first.cid, 'a.bin'])
      assert.equal(allPieces(world), pieces)
      assert.equal(sha256Hex(await world.read(second.manifest)), sha256Hex(bytes))
      const fresh = await world.run(world.open().put(bytes, { ...putOptions(world.did, world.owner), isPublic }))
      assert.equal(fresh.deduplicated, true)
      assert.equal(sha256Hex(await world.read(first.manifest)), sha256Hex(bytes))
    })
  }

  test('but not with another visibility, nor after it was deleted', async () => {
    const world = createWorld()
    const bytes = testBytes(3_000)
    const first = await world.put(bytes)
    assert.equal((await world.put(bytes, { isPublic: true })).deduplicated, false)
    await world.run(world.storage.remove(world.did, first))
    const again = await world.put(bytes)
    assert.equal(again.deduplicated, false)
    assert.equal(sha256Hex(await world.read(again.manifest)), sha256Hex(bytes))
  })

  test('a failed public put does not delete the pieces that an object of the same bytes needs', async () => {
    const world = createWorld()
    const bytes = testBytes(3_000)
    const first = await world.put(bytes, { isPublic: true })
    const refusal = new TypeError('no')
    const put = world.put(bytes, {
      isPublic: true,
      did: 'did:memo:other',
      beforeCommit: () => {
        throw refusal
      },
    })
    await assert.rejects(put, (thrown) => thrown === refusal)
    assert.equal(sha256Hex(await world.read(first.manifest)), sha256Hex(bytes))
  })
})

describe('deleting', () => {
  test('hides the object, then frees its pieces', async () => {
    const world = createWorld()
    const stored = await world.put(testBytes(3_000))
    const kept = await world.put(testBytes(4_000), { name: 'kept' })
    world.kill(world.providers[0]!.endpoint)
    const removal = await world.run(world.storage.remove(world.did, stored))
    assert.equal(removal.pieces.length, 6)
    assert.equal(removal.pieces.filter((piece) => piece.deleted).length, 5)
    assert.match(removal.pieces.find((piece) => !piece.deleted)?.reason ?? '', /cannot be reached/)
    assert.deepEqual(await names(world), ['kept'])
    world.network.clearLinks()
    assert.equal((await world.read(kept.manifest)).length, 4_000)
    await assert.rejects(world.run(world.storage.remove(world.did, stored)), { name: 'NotFoundError' })
    await assert.rejects(world.run(world.storage.remove(world.did, { ...stored, seq: 99 })), { name: 'NotFoundError' })
  })

  test('leaves the pieces of public bytes that another object has', async () => {
    const world = createWorld()
    const bytes = testBytes(3_000)
    const other = `did:memo:${'22'.repeat(32)}`
    world.chain.setDid(didRecordOf(other, world.owner.signer))
    const first = await world.put(bytes, { isPublic: true })
    const second = await world.put(bytes, { isPublic: true, did: other })
    const removal = await world.run(world.storage.remove(world.did, first))
    assert.equal(
      removal.pieces.every((piece) => !piece.deleted),
      true,
    )
    assert.equal(sha256Hex(await world.read(second.manifest)), sha256Hex(bytes))
    assert.equal((await world.run(world.storage.findPublicObject(first.cid)))?.did, other)
    const last = await world.run(world.storage.remove(other, second))
    assert.equal(
      last.pieces.every((piece) => piece.deleted),
      true,
    )
    assert.equal(await world.run(world.storage.findPublicObject(first.cid)), undefined)
  })

  test('frees public objects of several parts, but not what another file of this account begins with', async () => {
    const world = createWorld({ providers: 3 })
    const policy = 'rs:1+1'
    const bytes = testBytes(MAX_PART_BYTES + 10)
    const other = `did:memo:${'22'.repeat(32)}`
    world.chain.setDid(didRecordOf(other, world.owner.signer))
    const first = await world.put(bytes, { isPublic: true, policy })
    const longer = await world.put(testBytes(MAX_PART_BYTES + 99), { isPublic: true, policy, did: other })
    const removal = await world.run(world.storage.remove(world.did, first))
    assert.deepEqual(
      removal.pieces.map((piece) => piece.deleted),
      [false, false, true, true],
    )
    assert.equal((await world.read(longer.manifest, { offset: 5, length: 70_000 })).length, 70_000)
    const last = await world.run(world.storage.remove(other, longer))
    assert.equal(
      last.pieces.every((piece) => piece.deleted),
      true,
    )
    assert.equal(allPieces(world), 0)
  })
})

describe('finding', () => {
  test('by CID: private objects for their readers only, public ones for all', async () => {
    const world = createWorld()
    const secret = await world.put(testBytes(10))
    const open = await world.put(testBytes(11), { isPublic: true, name: 'open' })
    const stranger = testKey('stranger')
    const { storage, did, owner } = world
    assert.equal((await world.run(storage.findObject(did, secret.cid, owner)))?.seq, secret.seq)
    assert.equal(await world.run(storage.findObject(did, secret.cid, stranger)), undefined)
    assert.equal((await world.run(storage.findObject(did, open.cid, stranger)))?.name, 'open')
    assert.equal((await world.run(storage.findPublicObject(open.cid)))?.seq, open.seq)
    assert.equal(await world.run(storage.findPublicObject(secret.cid)), undefined)
    await assert.rejects(world.run(storage.findPublicObject('not a cid')), { name: 'BadCidError' })
    const listed = await world.run(listAll(storage.list(did, { reader: stranger })))
    assert.deepEqual(
      listed.map((object) => [object.name, object.sizeBytes]),
      [
        [undefined, 10],
        ['open', 11],
      ],
    )
  })

  test('logs of accounts that the DID never let write are not listed', async () => {
    const world = createWorld()
    const intruder = testKey('intruder')
    const gateway = testKey('gateway')
    const token = testBytes(16)
    const timestamp = Math.floor(world.time.clock.nowMs() / 1000)
    const signature = await world.owner.signer.signDigest(loginDigest(world.did, token, timestamp))
    const put = async (key: typeof intruder, name: string, evidence?: object) =>
      await world.run(
        world.open({}, key).put(testBytes(name.length), { ...putOptions(world.did, world.owner), name, ...evidence }),
      )
    await put(intruder, 'intruder')
    await put(gateway, 'gateway', { evidence: { token, timestamp, signature } })
    await put(world.owner, 'own')
    assert.deepEqual((await names(world)).sort(), ['gateway', 'own'])
    assert.deepEqual(await names(world, gateway.signer.address), ['gateway'])
    assert.deepEqual(await names(world, intruder.signer.address), ['intruder'])
  })

  const lies: [string, (faults: KeeperFaults) => void][] = [
    [
      'leaves an entry out',
      (faults) => {
        faults.hideEntry = 2
      },
    ],
    [
      'names a head that it cannot show',
      (faults) => {
        faults.boast = 5
      },
    ],
  ]
  for (const [what, lie] of lies) {
    test(`a keeper that ${what} is reported, and the others are believed`, async () => {
      const world = createWorld()
      for (const [i, name] of ['one', 'two', 'three'].entries()) await world.put(testBytes(7 + i), { name })
      lie(world.keepers[0]!.faults)
      assert.deepEqual(await names(world), ['one', 'two', 'three'])
      assert.deepEqual(
        world.faults.map((fault) => fault.address),
        [world.keepers[0]!.address],
      )
    })
  }

  test('a keeper that forgot the newest entries does not hide them', async () => {
    const world = createWorld()
    for (const [i, name] of ['one', 'two'].entries()) await world.put(testBytes(7 + i), { name })
    for (const [key, log] of world.keepers[0]!.logs) world.keepers[0]!.logs.set(key, log.slice(0, 1))
    assert.deepEqual(await names(world), ['one', 'two'])
  })

  test('one keeper is enough to restore everything', async () => {
    const world = createWorld()
    const bytes = [testBytes(10), testBytes(300_000), testBytes(0)]
    for (const [i, one] of bytes.entries()) await world.put(one, { name: `${i}` })
    for (const keeper of world.keepers.slice(1)) world.kill(keeper.endpoint)
    for (const provider of world.providers.slice(0, 2)) world.kill(provider.endpoint)
    const restored: string[] = []
    const restore = async () => {
      for await (const { object, open } of world.open().restore(world.did, { reader: world.owner })) {
        assert.equal(sha256Hex(await collect(open())), sha256Hex(bytes[Number(object.name)]!))
        restored.push(object.manifest.name)
      }
    }
    await world.run(restore())
    assert.deepEqual(restored, ['0', '1', '2'])
  })

  test('with no keeper the error says so', async () => {
    const world = createWorld()
    for (const keeper of world.keepers) world.kill(keeper.endpoint)
    await assert.rejects(names(world), { name: 'KeepersUnreachableError' })
  })
})

describe('an entry that keepers refuse for good', () => {
  test('fails the put by its own name, leaves nothing behind, and does not stand in the way of the next', async () => {
    const world = createWorld()
    for (const keeper of world.keepers) keeper.faults.forbidIndex = true
    const error = await world.put(testBytes(10)).then(
      () => assert.fail('durable'),
      (thrown: MemoError) => thrown,
    )
    assert.equal(error.name, 'EntryRefusedError')
    assert.equal(error.blame, 'user')
    assert.match(error.message, /not your log/)
    assert.equal(allPieces(world), 0)
    for (const keeper of world.keepers) keeper.faults.forbidIndex = false
    assert.equal((await world.put(testBytes(11), { name: 'b.bin' })).seq, 1)
    assert.deepEqual(await names(world), ['b.bin'])
  })

  test('but one has taken: its number is used, so it stays and is handed over again', async () => {
    const world = createWorld()
    for (const keeper of world.keepers.slice(0, 2)) keeper.faults.forbidIndex = true
    await assert.rejects(world.put(testBytes(10)), { name: 'NotDurableError' })
    for (const keeper of world.keepers) keeper.faults.forbidIndex = false
    assert.equal((await world.put(testBytes(11), { name: 'b.bin' })).seq, 2)
    assert.deepEqual(await names(world), ['a.bin', 'b.bin'])
    const hashes = world.keepers.map((keeper) => [...keeper.logs.values()].flat().map((signed) => hex32(signed.hash)))
    assert.deepEqual(hashes[0], hashes[2])
  })

  test('by one keeper of three alone does not matter', async () => {
    const world = createWorld()
    world.keepers[0]!.faults.forbidIndex = true
    assert.equal((await world.put(testBytes(10))).acks.length, 2)
  })
})

test('closing a storage ends what is under way', async () => {
  const world = createWorld()
  const source = (async function* () {
    yield testBytes(100)
    await new Promise(() => undefined)
  })()
  const put = assert.rejects(world.storage.put(source, putOptions(world.did, world.owner)), {
    name: 'StorageClosedError',
  })
  await world.time.settle()
  await world.run(world.storage.close())
  await world.run(put)
  await assert.rejects(world.put(testBytes(1)), { name: 'StorageClosedError' })
  assert.equal(world.time.sleeping(), 0)
})
