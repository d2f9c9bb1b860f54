import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Checkpoint,
  decodePlacement,
  encodePlacement,
  hex32,
  type LoginEvidence,
  loginDigest,
  openCheckpoint,
  type Placement,
  type SignedEntry,
  sealCheckpoint,
  signEntry,
  ZERO_HASH,
} from '@memo/core'
import { createSeededRandomness, didRecordOf, TEST_NETWORK } from '@memo/core/testing'
import type { RestoreReport, Storage, StorageOptions } from '@memo/sdk'
import { createMemoryCheckpoints } from '@memo/sdk/testing'
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

const POLICY = 'rs:2+1'

/** A world with a contract of checkpoints, and clients that know it. */
function createCheckpointWorld(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld({ providers: 5, ...options })
  const contract = createMemoryCheckpoints()
  const open = (key = world.owner, more: Partial<StorageOptions> = {}) => {
    world.chain.setAccount({ address: key.signer.address, role: 'user' })
    return world.open({ checkpoints: contract.as(key.signer.address), ...more }, key)
  }
  const put = async (storage: Storage, name: string, size = 1_000, more = {}) => {
    const options = { ...putOptions(world.did, world.owner), policy: POLICY, name, ...more }
    return await world.run(storage.put(testBytes(size, hashOf(name)), options))
  }
  const killKeepers = () => {
    for (const keeper of world.keepers) world.kill(keeper.endpoint)
  }
  return { ...world, contract, openFor: open, putAs: put, killKeepers }
}

type CheckpointWorld = ReturnType<typeof createCheckpointWorld>

const hashOf = (name: string) => [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7)

/** Digest by name of all that comes back, and what was told of it. */
async function restoreAll(world: CheckpointWorld, from: 'any' | 'checkpoints' = 'any', key = world.owner) {
  const reports: RestoreReport[] = []
  const storage = world.openFor(key)
  const found = new Map<string, string>()
  const run = async () => {
    const options = { reader: key, from, onReport: (report: RestoreReport) => void reports.push(report) }
    for await (const { object, open } of storage.restore(world.did, options)) {
      found.set(object.manifest.name, sha256Hex(await collect(open())))
    }
  }
  await world.run(run())
  return { found, report: reports[0] }
}

const expected = (...names: [string, number?][]) =>
  new Map(names.map(([name, size = 1_000]) => [name, sha256Hex(testBytes(size, hashOf(name)))]))

const write = async (world: World, storage: Storage, options = {}) =>
  await world.run(storage.writeCheckpoint(world.did, { policy: POLICY, ...options }))

/** Checkpoints that keepers still count as live, by number of their entry. */
async function storedCheckpoints(world: CheckpointWorld): Promise<number[]> {
  const logs = [...world.keepers[0]!.logs.values()].flat()
  const deleted = new Set(logs.flatMap(({ entry: { action } }) => (action.kind === 'delete' ? [action.seq] : [])))
  return logs.flatMap(({ entry: { action, seq } }) => {
    return action.kind === 'put' && action.isPublic && action.cid && isCheckpointEntry(world, seq) && !deleted.has(seq)
      ? [seq]
      : []
  })
}

function isCheckpointEntry(world: CheckpointWorld, seq: number): boolean {
  const signed = [...world.keepers[0]!.logs.values()].flat().find(({ entry }) => entry.seq === seq)
  const { action } = signed!.entry
  return (
    action.kind === 'put' && action.manifest.kind === 'clear' && hasText(action.manifest.manifest, 'memo-checkpoint')
  )
}

const hasText = (bytes: Uint8Array, text: string) => Buffer.from(bytes).includes(text)

/** A login of the owner, which opens the log of whoever shows it. */
async function loginOf(world: CheckpointWorld): Promise<LoginEvidence> {
  const [token, timestamp] = [new Uint8Array(32), 2 ** 30 + 1]
  const signature = await world.owner.signer.signDigest(loginDigest(world.did, token, timestamp))
  return { token, timestamp, signature }
}

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
    const first = await write(world, storage, { mostBytes: 1 })
    assert.deepEqual([first?.from, first?.seq, first?.isComplete], [1, 64, false])
    const second = await write(world, storage, { mostBytes: 1 })
    assert.deepEqual([second?.from, second?.links, second?.isComplete], [65, 2, true])
    assert.equal(await write(world, storage), undefined)
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
})

/** The stored bytes of a part of one stripe, from the pieces in its providers' memory. */
function storedBytes(world: CheckpointWorld, placement: Placement): Uint8Array {
  const strips = placement.pieces.slice(0, placement.dataShards).map(({ root, provider }) => {
    const holder = world.providers.find(({ address }) => address === provider)
    return holder!.pieces.get(hex32(root))!.bytes
  })
  return new Uint8Array(Buffer.concat(strips)).subarray(0, placement.sizeBytes)
}

describe('a run that is cut off', () => {
  test('at whichever moment: the next one goes on, nothing is lost and nothing is left over', async () => {
    /** Runs the story; the client ends at call `dieAt` of a port. Gives how many calls there were. */
    const story = async (dieAt: number): Promise<number> => {
      const world = createCheckpointWorld({ limits: { submitAttempts: 2, submitPauseMs: 10 } })
      const before = world.openFor()
      await world.putAs(before, 'a')
      // Eight links, so that the ninth checkpoint merges and deletes.
      for (let i = 0; i < 8; i++) {
        await world.putAs(before, `b${i}`, 10)
        await write(world, before)
      }
      await world.putAs(before, 'c')
      const died = Promise.withResolvers<void>()
      let calls = 0
      const guard = async <T>(run: () => Promise<T>): Promise<T> => {
        for (const step of [async () => undefined, run]) {
          if (calls > dieAt) return await new Promise<never>(() => undefined)
          if (calls++ === dieAt) {
            if (step === run) await run()
            died.resolve()
            return await new Promise<never>(() => undefined)
          }
          if (step === run) return await run()
        }
        throw new TypeError('unreachable')
      }
      const chain = world.contract.as(world.owner.signer.address)
      const dying = world.openFor(world.owner, {
        checkpoints: { ...chain, write: (checkpoint) => guard(() => chain.write(checkpoint)) },
        ports: {
          network: TEST_NETWORK,
          clock: world.time.clock,
          timers: world.time.timers,
          random: createSeededRandomness(`dying ${dieAt}`),
          signer: world.owner.signer,
          transport: (request) => guard(() => world.transport(request)),
        },
      })
      const writing = dying.writeCheckpoint(world.did, { policy: POLICY })
      writing.catch(() => undefined)
      await world.run(Promise.race([writing, died.promise]))
      const seen = calls
      const again = world.openFor()
      for (let run = 0; run < 4; run++) if (!(await write(world, again))) break
      assert.equal(await write(world, again), undefined)
      assert.ok((await storedCheckpoints(world)).length <= 8)
      const slot = [...world.contract.slots.values()][0]!
      const newest = openCheckpoint(storedBytes(world, decodePlacement(slot.placement)), world.owner)
      assert.equal((await storedCheckpoints(world)).length, (newest?.links.length ?? 0) + 1, 'nothing is left over')
      world.killKeepers()
      const bs = Array.from({ length: 8 }, (_, i): [string, number] => [`b${i}`, 10])
      assert.deepEqual((await restoreAll(world)).found, expected(['a'], ...bs, ['c']))
      return seen
    }
    const calls = await story(Number.POSITIVE_INFINITY)
    assert.ok(calls > 40, `${calls} calls`)
    const stories = process.env.MEMO_LONG ? calls : 7
    for (let i = 0; i < stories; i++) {
      const dieAt = Math.floor((i * calls) / stories)
      await story(dieAt).catch((cause: unknown) => {
        throw new AggregateError([cause], `cut off at ${dieAt} of ${calls}: ${cause}`)
      })
    }
  })
})

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
