import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Checkpoint,
  decodePlacement,
  encodePlacement,
  hex32,
  type SignedEntry,
  sealCheckpoint,
  signEntry,
  ZERO_HASH,
} from '@memo/core'
import { createSeededRandomness, didRecordOf, TEST_NETWORK } from '@memo/core/testing'
import {
  type CheckpointWorld,
  createCheckpointWorld,
  expected,
  loginOf,
  POLICY,
  restoreAll,
  write,
} from './support/checkpoint-world.ts'
import { putOptions, testBytes, testKey } from './support/world.ts'

describe('slots that others have left', () => {
  /** Stores bytes like an object of `key`, and gives where they lie. */
  const place = async (world: CheckpointWorld, key: ReturnType<typeof testKey>, bytes: Uint8Array) => {
    const options = { ...putOptions(world.did, key), isPublic: true, policy: POLICY, readers: [] }
    const storage = world.openFor(key)
    const { partIds } = await world.run(storage.put(bytes, options))
    const part = world.keepers[0]!.parts.get(hex32(partIds[0]!))
    return part!.placement
  }
  const set = (
    world: CheckpointWorld,
    key: ReturnType<typeof testKey>,
    slot: { seq: number; hash: Uint8Array },
    placement: Uint8Array,
  ) =>
    void world.contract.slots.set(`${world.did}/${key.signer.address}`, {
      ...slot,
      writer: key.signer.address,
      placement,
      blockNumber: 1,
    })
  const seal = (world: CheckpointWorld, checkpoint: Checkpoint) =>
    sealCheckpoint(checkpoint, [world.owner.publicKey], createSeededRandomness('forger').bytes)
  const entryOf = async (
    world: CheckpointWorld,
    key: ReturnType<typeof testKey>,
    change: Partial<SignedEntry['entry']>,
  ) =>
    await signEntry(
      TEST_NETWORK,
      {
        did: world.did,
        writer: key.signer.address,
        seq: 1,
        previous: ZERO_HASH,
        time: 1,
        evidence: undefined,
        action: { kind: 'delete', writer: world.owner.signer.address, seq: 1 },
        ...change,
      },
      key.signer,
    )
  const checkpointOf = (
    world: CheckpointWorld,
    entries: SignedEntry[],
    change: Partial<Checkpoint> = {},
  ): Checkpoint => ({
    did: world.did,
    writer: entries[0]!.entry.writer,
    from: 1,
    seq: entries.length,
    time: 1,
    entries,
    placements: [],
    links: [],
    ...change,
  })
  const start = async () => {
    const world = createCheckpointWorld()
    const storage = world.openFor()
    await world.putAs(storage, 'mine')
    await write(world, storage)
    return { world, storage, stranger: testKey('stranger') }
  }

  test('a stranger’s log is not believed, whatever it says', async () => {
    const { world, stranger } = await start()
    const entry = await entryOf(world, stranger, {})
    const placement = await place(world, stranger, seal(world, checkpointOf(world, [entry])))
    set(world, stranger, { seq: 1, hash: entry.hash }, encodePlacement(placement))
    world.killKeepers()
    const { found, report } = await restoreAll(world)
    assert.deepEqual(found, expected(['mine']))
    assert.deepEqual(report?.source === 'checkpoints' && report.strangers, [stranger.signer.address])
  })

  test('who shows a login that he saw elsewhere deletes nothing of others, and is told of', async () => {
    const { world } = await start()
    const gateway = testKey('gateway')
    const evidence = await loginOf(world)
    const storage = world.openFor(gateway)
    await world.putAs(storage, 'by gateway', 1_000, { evidence })
    await write(world, storage, { readers: [world.owner.publicKey] })
    const thief = testKey('thief')
    const first = await entryOf(world, thief, { evidence })
    const second = await entryOf(world, thief, {
      seq: 2,
      previous: first.hash,
      action: { kind: 'delete', writer: gateway.signer.address, seq: 1 },
    })
    const placement = await place(world, thief, seal(world, checkpointOf(world, [first, second])))
    set(world, thief, { seq: 2, hash: second.hash }, encodePlacement(placement))
    world.killKeepers()
    const { found, report } = await restoreAll(world)
    assert.deepEqual(found, expected(['mine'], ['by gateway']))
    const doubtful = report?.source === 'checkpoints' ? [...report.doubtful].sort() : []
    assert.deepEqual(doubtful, [gateway.signer.address, thief.signer.address].sort())
  })

  test('forged entries, an older state, another hash, another DID, noise, cycles: each is told of and costs nothing else', async () => {
    const forgeries: Record<
      string,
      (world: CheckpointWorld, mine: SignedEntry[]) => Promise<[number, Uint8Array, Uint8Array | Checkpoint]>
    > = {
      'forged entries': async (world, mine) => {
        const forged = { ...(await entryOf(world, testKey('forger'), {})), entry: mine[0]!.entry }
        return [1, forged.hash, { ...checkpointOf(world, mine.slice(0, 1)), entries: [forged] }]
      },
      'an older state': async (world, mine) => [2, mine[1]!.hash, checkpointOf(world, mine.slice(0, 1))],
      'another hash': async (world, mine) => [2, mine[0]!.hash, checkpointOf(world, mine.slice(0, 2))],
      'another DID': async (world, mine) => {
        return [1, mine[0]!.hash, { ...checkpointOf(world, mine.slice(0, 1)), did: 'did:memo:other' }]
      },
      noise: async (_, mine) => [1, mine[0]!.hash, testBytes(5_000)],
      'sealed for another': async (world, mine) => {
        const readers = [testKey('another').publicKey]
        const sealed = sealCheckpoint(checkpointOf(world, mine.slice(0, 1)), readers, createSeededRandomness('x').bytes)
        return [1, mine[0]!.hash, sealed]
      },
      'a link to noise': async (world, mine) => {
        const placement = await place(world, testKey('second'), testBytes(500, 9))
        const links = [{ from: 1, seq: 1, hash: mine[0]!.hash, placement }]
        return [2, mine[1]!.hash, { ...checkpointOf(world, mine.slice(1, 2)), from: 2, seq: 2, links }]
      },
      'a link to the checkpoint that is in force': async (world, mine) => {
        const { placement } = [...world.contract.slots.values()][0]!
        const links = [{ from: 1, seq: 3, hash: mine[0]!.hash, placement: decodePlacement(placement) }]
        return [4, mine[0]!.hash, { ...checkpointOf(world, mine.slice(0, 1)), from: 4, seq: 4, links }]
      },
    }
    for (const [what, forge] of Object.entries(forgeries)) {
      const { world, storage } = await start()
      const second = testKey('second')
      world.chain.setDid({
        ...didRecordOf(world.did, world.owner.signer),
        authenticationKeys: [world.owner, second].map(({ signer }, i) => ({
          id: i === 0 ? 'masterKey' : 'key-1',
          type: 'EcdsaSecp256k1VerificationKey2019',
          address: signer.address,
          publicKey: signer.publicKey,
        })),
      })
      await world.putAs(storage, 'newer')
      const mine = world.keepers[0]!.logs.get(`${world.did}/${world.owner.signer.address}`)!
      const [seq, hash, forged] = await forge(
        world,
        mine.map((signed) => ({ ...signed })),
      )
      const bytes = forged instanceof Uint8Array ? forged : seal(world, { ...forged, writer: second.signer.address })
      set(world, second, { seq, hash }, encodePlacement(await place(world, second, bytes)))
      world.killKeepers()
      const { found, report } = await restoreAll(world)
      assert.deepEqual(found, expected(['mine']), what)
      assert.deepEqual(
        report?.source === 'checkpoints' && report.faults.map(({ writer }) => writer),
        [second.signer.address],
        what,
      )
    }
  })

  test('a placement that is none, of another DID, or that names pieces which are not there', async () => {
    const { world, stranger, storage } = await start()
    const good = await place(world, stranger, testBytes(100))
    const pieces = good.pieces.map((piece) => ({ ...piece, root: testBytes(32, 3) }))
    const bad = [
      new Uint8Array(20_480),
      new Uint8Array(0),
      encodePlacement({ ...good, owner: 'did:memo:other' }),
      encodePlacement({ ...good, pieces }),
    ]
    for (const placement of bad) {
      set(world, stranger, { seq: 1, hash: ZERO_HASH }, placement)
      const { found, report } = await restoreAll(world, 'checkpoints')
      assert.deepEqual(found, expected(['mine']))
      assert.equal(report?.source === 'checkpoints' && report.faults.length, 1)
    }
    await world.run(storage.close())
  })

  test('providers that lie about a piece are found out by its root', async () => {
    const { world } = await start()
    world.killKeepers()
    const { pieces } = decodePlacement([...world.contract.slots.values()][0]!.placement)
    const liar = world.providers.find(({ address }) => address === pieces[0]!.provider)!
    for (const piece of liar.pieces.values()) piece.bytes[0]! ^= 1
    assert.deepEqual((await restoreAll(world)).found, expected(['mine']))
    const second = world.providers.find(({ address }) => address === pieces[1]!.provider)!
    for (const piece of second.pieces.values()) piece.bytes[0]! ^= 1
    await assert.rejects(restoreAll(world), { name: 'NoCheckpointError' })
  })
})
