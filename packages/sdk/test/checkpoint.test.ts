import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodePlacement, hex32, openCheckpoint, type SignedEntry } from '@memo/core'
import { didRecordOf } from '@memo/core/testing'
import {
  createCheckpointWorld,
  expected,
  hashOf,
  loginOf,
  POLICY,
  restoreAll,
  storedBytes,
  storedCheckpoints,
  write,
} from './support/checkpoint-world.ts'
import { listAll, putOptions, testBytes, testKey } from './support/world.ts'

describe('a checkpoint', () => {
  test('gives back every file when no keeper and only k providers are left, and asks no keeper', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'private')
    await world.putAs(storage, 'public', 300_000, { isPublic: true })
    const { seq } = await world.putAs(storage, 'deleted')
    await world.run(storage.remove(world.did, { writer: world.owner.signer.address, seq }))
    const written = await write(world, storage)
    assert.ok(written)
    assert.deepEqual([written.from, written.seq, written.links, written.isComplete], [1, 4, 1, true])
    world.killKeepers()
    const asked = world.keepers.map(({ requests }) => requests.length)
    const held = decodePlacement([...world.contract.slots.values()][0]!.placement).pieces
    world.kill(world.providers.find(({ address }) => address === held[0]!.provider)!.endpoint)
    const { found, report } = await restoreAll(world)
    assert.deepEqual(found, expected(['private'], ['public', 300_000]))
    assert.equal(report?.source, 'checkpoints')
    assert.deepEqual(report?.source === 'checkpoints' && report.logs.map(({ seq }) => seq), [4])
    assert.deepEqual(
      world.keepers.map(({ requests }) => requests.length),
      asked,
    )
  })

  test('is not asked for where a keeper answers, and is where the caller says so', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'old')
    await write(world, storage)
    await world.putAs(storage, 'new')
    const { found, report } = await restoreAll(world)
    assert.deepEqual([found, report?.source, report?.logs], [expected(['old'], ['new']), 'keepers', []])
    assert.deepEqual((await restoreAll(world, 'checkpoints')).found, expected(['old']))
  })

  test('shows what keepers hide, and nothing of those whom keepers have refused', async () => {
    const world = createCheckpointWorld()
    const gateway = testKey('gateway')
    const evidence = await loginOf(world)
    const storage = world.openFor(gateway)
    for (const name of ['one', 'two', 'three']) await world.putAs(storage, name, 1_000, { evidence })
    await write(world, storage, { readers: [world.owner.publicKey] })
    for (const { logs, parts } of world.keepers) {
      const [[key, log]] = [...logs] as [[string, SignedEntry[]]]
      const hidden = log[1]!.entry.action
      logs.set(key, log.slice(0, 1))
      for (const partId of hidden.kind === 'put' ? hidden.partIds : []) parts.delete(hex32(partId))
    }
    const { found, report } = await restoreAll(world)
    assert.deepEqual(found, expected(['one'], ['two'], ['three']))
    assert.deepEqual([report?.source, report?.logs.map(({ seq }) => seq)], ['keepers', [3]])
    assert.deepEqual((await restoreAll(world, 'checkpoints')).found, found)

    const thief = testKey('thief')
    const stolen = createCheckpointWorld()
    const theirs = stolen.openFor(thief)
    await stolen.putAs(theirs, 'junk', 1_000, { evidence })
    await write(stolen, theirs, { readers: [world.owner.publicKey] })
    const [slot] = [...stolen.contract.slots]
    world.contract.slots.set(...slot!)
    for (const [i, { pieces }] of stolen.providers.entries()) {
      for (const piece of pieces) (world.providers[i]!.pieces as Map<string, unknown>).set(...piece)
    }
    const again = await restoreAll(world)
    assert.deepEqual(again.found, found)
    assert.deepEqual(again.report?.strangers, [thief.signer.address])
  })

  test('appears in no listing, and nobody can put one by hand', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'a')
    await write(world, storage)
    const listed = await world.run(listAll(storage.list(world.did, { reader: world.owner })))
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['a'],
    )
    const blind = await world.run(listAll(world.openFor(testKey('stranger')).list(world.did)))
    assert.equal(blind.length, 1, 'nor in a listing without the key')
    const forged = { isPublic: true, metadata: { 'memo-checkpoint': `1 1 ${'00'.repeat(32)}` } }
    await assert.rejects(world.putAs(storage, 'b', 10, forged), { name: 'BadInputError' })
  })

  test('covers everything once: what only checkpoints have changed needs no other one', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    assert.equal(await write(world, storage), undefined)
    for (let i = 0; i < 11; i++) {
      await world.putAs(storage, `file ${i}`)
      const written = await write(world, storage)
      assert.ok(written?.isComplete)
      assert.ok(written.links <= 8, `${written.links} links`)
      assert.equal(await write(world, storage), undefined)
      assert.equal((await storedCheckpoints(world)).length, written.links, 'superseded ones are deleted')
    }
    assert.equal(await write(world, world.openFor()), undefined, 'nor after a restart')
    const { seq } = await world.putAs(storage, 'gone')
    await write(world, storage)
    await world.run(storage.remove(world.did, { writer: world.owner.signer.address, seq }))
    assert.ok(await write(world, storage), 'a deletion of a file is news')
    world.killKeepers()
    const names = Array.from({ length: 11 }, (_, i): [string] => [`file ${i}`])
    assert.deepEqual((await restoreAll(world)).found, expected(...names))
  })

  test('does not cover what was put or deleted after it, which is counted without checkpoints', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    const uncovered = async (one = storage) => await world.run(one.findUncovered(world.did))
    assert.deepEqual(await uncovered(), { seq: 0, changes: 0 })
    await world.putAs(storage, 'one')
    const { seq } = await world.putAs(storage, 'two')
    assert.deepEqual(await uncovered(), { seq: 0, changes: 2 })
    await write(world, storage)
    assert.deepEqual(await uncovered(), { seq: 2, changes: 0 })
    await world.putAs(storage, 'three')
    await write(world, storage)
    await world.run(storage.remove(world.did, { writer: world.owner.signer.address, seq }))
    // A client that was not there sees the same.
    for (const one of [storage, world.openFor()]) assert.equal((await uncovered(one)).changes, 1)
    await write(world, storage)
    assert.equal((await uncovered()).changes, 0)
  })

  test('covers nothing of what is put while it is written, so that it never names a file which it cannot give back', async () => {
    const world = createCheckpointWorld()
    const chain = world.contract.as(world.owner.signer.address)
    let isPutting = false
    const putOnce = async () => {
      if (isPutting) return
      isPutting = true
      const options = { ...putOptions(world.did, world.owner), policy: POLICY, name: 'while' }
      await storage.put(testBytes(1_000, hashOf('while')), options)
    }
    const find: typeof chain.find = async (did, writer) => {
      await putOnce()
      return await chain.find(did, writer)
    }
    const storage = world.openFor(world.owner, { checkpoints: { ...chain, find } })
    await world.putAs(storage, 'before')
    const first = await write(world, storage)
    assert.deepEqual([first?.seq, first?.isComplete], [1, true])
    assert.deepEqual((await restoreAll(world, 'checkpoints')).found, expected(['before']))
    assert.ok(await write(world, storage))
    assert.deepEqual((await restoreAll(world, 'checkpoints')).found, expected(['before'], ['while']))
  })

  test('larger than it may be is written in several, call by call', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    const names = Array.from({ length: 70 }, (_, i): [string, number] => [`file ${i}`, 10])
    for (const [name, size] of names) await world.putAs(storage, name, size, { policy: 'rs:1+1' })
    const first = await write(world, storage, { mostBytes: 60_000 })
    assert.ok(first && first.seq > 40 && first.seq < 70, `${first?.seq}`)
    assert.deepEqual([first.from, first.isComplete], [1, false])
    const second = await write(world, storage, { mostBytes: 60_000 })
    assert.deepEqual([second?.from, second?.links, second?.isComplete], [first.seq + 1, 2, true])
    assert.equal(await write(world, storage), undefined)
    world.killKeepers()
    assert.deepEqual((await restoreAll(world)).found, expected(...names))
  })

  test('that came to lie in two parts is put again in pieces of one', async () => {
    const world = createCheckpointWorld({ limits: { partBytes: 1 } })
    const storage = world.openFor()
    const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}`, 'x'.repeat(30_000)]))
    const names = Array.from({ length: 5 }, (_, i): [string, number] => [`file ${i}`, 10])
    for (const [name, size] of names) await world.putAs(storage, name, size, { metadata })
    const first = await write(world, storage)
    assert.deepEqual([first?.from, first?.seq, first?.isComplete], [1, 2, false])
    while ((await write(world, storage)) !== undefined);
    assert.equal((await storedCheckpoints(world)).length, 2, 'what did not fit is deleted')
    world.killKeepers()
    assert.deepEqual((await restoreAll(world)).found, expected(...names))
  })

  test('is found where repair has moved it and the files, though it names others', async () => {
    const world = createCheckpointWorld({ providers: 6 })
    const storage = world.openFor()
    await world.putAs(storage, 'a')
    await write(world, storage)
    world.killKeepers()
    // All pieces of the first three providers move to the others.
    const [from, to] = [world.providers.slice(0, 3), world.providers.slice(3)]
    for (const [i, { pieces }] of from.entries()) {
      const target = to[i]!.pieces as Map<string, unknown>
      for (const [root, piece] of pieces) target.set(root, piece)
      ;(pieces as Map<string, unknown>).clear()
    }
    assert.deepEqual((await restoreAll(world)).found, expected(['a']))
  })

  test('is sealed for keys that the DID has today, and for none that it has lost', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'a')
    const lost = testKey('lost key')
    await write(world, storage, { readers: [lost.publicKey] })
    const { placement } = [...world.contract.slots.values()][0]!
    const bytes = storedBytes(world, decodePlacement(placement))
    assert.equal(openCheckpoint(bytes, lost), undefined)
    assert.ok(openCheckpoint(bytes, world.owner))
    const { authenticationKeys, ...record } = didRecordOf(world.did, testKey('new key').signer)
    const addressOnly = authenticationKeys.map(({ id, type, address }) => ({ id, type, address }))
    await world.putAs(storage, 'b')
    world.chain.setDid({ ...record, authenticationKeys: addressOnly })
    await assert.rejects(write(world, storage), { name: 'OwnerKeyUnknownError' })
  })

  test('of a DID with more keys than a checkpoint has readers is sealed for the first ones, and opens', async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'a')
    const record = didRecordOf(world.did, world.owner.signer)
    const others = Array.from({ length: 70 }, (_, i) => didRecordOf(world.did, testKey(`key ${i}`).signer))
    const keys = [record, ...others].flatMap(({ authenticationKeys }) => authenticationKeys)
    world.chain.setDid({ ...record, authenticationKeys: keys })
    await write(world, storage)
    const bytes = storedBytes(world, decodePlacement([...world.contract.slots.values()][0]!.placement))
    assert.equal(openCheckpoint(bytes, testKey('key 69')), undefined)
    assert.ok(openCheckpoint(bytes, testKey('key 0')))
    assert.ok(openCheckpoint(bytes, world.owner))
  })
})
