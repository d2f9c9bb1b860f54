import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { hex32 } from '@memo/core'
import { didRecordOf } from '@memo/core/testing'
import type { PutOptions, PutResult } from '@memo/sdk'
import { collect, createWorld, listAll, putOptions, sha256Hex, testBytes, type World } from './support/world.ts'

const LIMIT = 262_144

/** DIDs of one key, as a gateway writes for many. */
function createDids(world: World, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const did = `did:memo:${createHash('sha256').update(`packed ${i}`).digest('hex')}`
    world.chain.setDid(didRecordOf(did, world.owner.signer))
    return did
  })
}

async function putAll(
  world: World,
  sizes: readonly number[],
  more: (index: number) => Partial<PutOptions> = () => ({}),
): Promise<PromiseSettledResult<PutResult>[]> {
  const puts = createDids(world, sizes.length).map(async (did, i) => {
    return await world.storage.put(testBytes(sizes[i]!, i), { ...putOptions(did, world.owner), ...more(i) })
  })
  return await world.run(Promise.allSettled(puts))
}

/** As {@link putAll}, where all must succeed. */
async function putWell(world: World, sizes: readonly number[], more?: (index: number) => Partial<PutOptions>) {
  return (await putAll(world, sizes, more)).map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

function allPieces(world: World): number {
  return world.providers.reduce((sum, one) => sum + one.pieces.size, 0)
}

function partsOf(results: readonly PutResult[]): Set<string> {
  return new Set(results.flatMap(({ partIds }) => partIds.map(hex32)))
}

async function assertReadable(world: World, { manifest, did }: PutResult, bytes: Uint8Array): Promise<void> {
  const read = await world.run(collect(world.storage.read(manifest, { owner: did })))
  assert.equal(sha256Hex(read), sha256Hex(bytes))
}

describe('small objects that wait at the same time', () => {
  test('share parts, and each comes back whole and in ranges, to its own DID', async () => {
    const world = createWorld()
    const sizes = [0, 1, 63, 64, 1_000, 65_519, 65_520, 65_521, 131_072, LIMIT - 1, LIMIT, 7, 1_024, 1_024, 1_024, 300]
    const results = await putWell(world, sizes, (i) => ({ isPublic: i % 5 === 4 }))
    assert.ok(partsOf(results).size <= 3, `${partsOf(results).size} parts`)
    for (const [i, result] of results.entries()) {
      const bytes = testBytes(sizes[i]!, i)
      await assertReadable(world, result, bytes)
      const offset = sizes[i]! >> 1
      assert.deepEqual(
        await world.read(result.manifest, { offset, length: 70_000 }),
        bytes.slice(offset, offset + 70_000),
      )
      const [listed] = await world.run(listAll(world.storage.list(result.did)))
      assert.equal(listed?.cid, result.cid)
    }
  })

  test('are whole for who opens another storage and knows the key alone', async () => {
    const world = createWorld()
    const results = await putWell(world, [500, 600, 700, 800])
    const other = world.open()
    for (const [i, { did }] of results.entries()) {
      const [restored] = await world.run(listAll(other.restore(did, { reader: world.owner })))
      const bytes = await world.run(collect(restored!.open()))
      assert.equal(sha256Hex(bytes), sha256Hex(testBytes([500, 600, 700, 800][i]!, i)))
    }
  })

  test('take the requests of few: far fewer uploads than objects have pieces', async () => {
    const world = createWorld()
    await putWell(
      world,
      Array.from({ length: 30 }, () => 100),
    )
    const uploads = world.providers.flatMap(({ requests }) =>
      requests.filter((text) => text.startsWith('POST /uploads?')),
    )
    assert.ok(uploads.length <= 3 * 6, `${uploads.length} uploads`)
  })

  test('larger ones have parts of their own, and so have all where nothing is packed', async () => {
    const world = createWorld()
    const results = await putWell(world, [LIMIT + 1, LIMIT + 1, LIMIT + 1])
    assert.equal(partsOf(results).size, 3)
    for (const { manifest } of results) assert.equal(manifest.parts[0]!.offset, 0)
    const apart = createWorld({ limits: { packedBytes: 0 } })
    assert.equal(partsOf(await putWell(apart, [10, 10, 10])).size, 3)
  })

  test('one alone lies as it would without company', async () => {
    const [packed, apart] = [createWorld(), createWorld({ limits: { packedBytes: 0 } })]
    const [one, other] = await Promise.all(
      [packed, apart].map(async (world) => await world.put(testBytes(9_000), { isPublic: true })),
    )
    assert.deepEqual(one!.partIds, other!.partIds)
    assert.deepEqual(one!.manifest.parts, other!.manifest.parts)
  })

  test('are not mixed under different policies', async () => {
    const world = createWorld()
    const results = await putWell(world, [10, 20, 30, 40], (i) => ({ policy: i % 2 ? 'rs:2+1' : 'rs:4+2' }))
    const [even, odd] = [0, 1].map((rest) => partsOf(results.filter((_, i) => i % 2 === rest)))
    for (const id of even!) assert.equal(odd!.has(id), false)
    for (const [i, result] of results.entries()) await assertReadable(world, result, testBytes((i + 1) * 10, i))
  })
})

describe('a shared part', () => {
  const SIZES = [100, 2_000, 300, 4_000, 500, 600]

  /** The last of these were put into one part. */
  async function putShared(world: World): Promise<PutResult[]> {
    const results = await putWell(world, SIZES)
    const last = hex32(results.at(-1)!.partIds[0]!)
    const shared = results.filter(({ partIds }) => hex32(partIds[0]!) === last)
    assert.ok(shared.length >= 3, 'a part of several objects')
    return shared
  }
  const bytesOf = ({ sizeBytes }: PutResult) => testBytes(sizeBytes, SIZES.indexOf(sizeBytes))

  test('stays as long as one of its objects does, and goes with the last', async () => {
    const world = createWorld()
    const shared = await putShared(world)
    const before = allPieces(world)
    while (shared.length > 1) {
      const removed = shared.shift()!
      const { pieces } = await world.run(world.storage.remove(removed.did, removed))
      assert.equal(pieces.length, 6)
      assert.ok(pieces.every(({ deleted }) => !deleted))
      assert.equal(allPieces(world), before)
      assert.deepEqual(await world.run(listAll(world.storage.list(removed.did))), [])
      for (const kept of shared) await assertReadable(world, kept, bytesOf(kept))
    }
    const { pieces } = await world.run(world.storage.remove(shared[0]!.did, shared[0]!))
    assert.ok(pieces.every(({ deleted }) => deleted))
    assert.equal(allPieces(world), before - 6)
  })

  test('stays when its objects are of one DID and one of them is deleted', async () => {
    const world = createWorld()
    const puts = SIZES.map(
      async (size, i) => await world.storage.put(testBytes(size, i), putOptions(world.did, world.owner)),
    )
    const results = await world.run(Promise.all(puts))
    assert.ok(partsOf(results).size <= 3)
    for (const [i, removed] of results.entries()) {
      await world.run(world.storage.remove(world.did, removed))
      for (const kept of results.slice(i + 1)) await assertReadable(world, kept, bytesOf(kept))
    }
    assert.equal(allPieces(world), 0)
  })

  test('stays although two of three keepers say that nobody needs it', async () => {
    const world = createWorld()
    const [removed, ...kept] = await putShared(world)
    for (const keeper of world.keepers.slice(1)) keeper.faults.holding = 'released'
    const { pieces } = await world.run(world.storage.remove(removed!.did, removed!))
    assert.ok(pieces.every(({ deleted }) => !deleted))
    for (const one of kept) await assertReadable(world, one, bytesOf(one))
  })

  test('stays for the others when some of its puts are given up at the last moment', async () => {
    const world = createWorld()
    const refusal = new TypeError('no')
    const refuse = () => {
      throw refusal
    }
    const results = await putAll(world, SIZES, (i) => (i % 2 === 0 ? { beforeCommit: refuse } : {}))
    for (const [i, result] of results.entries()) {
      if (i % 2 === 0) assert.equal(result.status === 'rejected' && result.reason, refusal)
      else if (result.status === 'rejected') throw result.reason
      else await assertReadable(world, result.value, bytesOf(result.value))
    }
  })

  test('goes when all its puts are given up', async () => {
    const world = createWorld()
    const refuse = () => {
      throw new TypeError('no')
    }
    const results = await putAll(world, SIZES, (i) => ({ beforeCommit: refuse, isPublic: i === 3 }))
    assert.ok(results.every(({ status }) => status === 'rejected'))
    assert.equal(allPieces(world), 0)
  })

  test('stays when an entry that names it waits for keepers, though all other puts are given up', async () => {
    const world = createWorld()
    for (const keeper of world.keepers) keeper.faults.refuseIndex = true
    const results = await putAll(world, [100, 200, 300], (i) => {
      return i === 2 ? {} : { beforeCommit: () => Promise.reject(new TypeError('no')) }
    })
    const [waiting] = results.slice(2)
    assert.equal(waiting?.status === 'rejected' && waiting.reason.name, 'NotDurableError')
    for (const keeper of world.keepers) keeper.faults.refuseIndex = false
    const did = createDids(world, 3)[2]!
    await world.run(world.storage.put(testBytes(10, 9), { ...putOptions(did, world.owner), name: 'next' }))
    const [object] = await world.run(listAll(world.storage.list(did)))
    assert.equal(sha256Hex(await world.read(object!.manifest!)), sha256Hex(testBytes(300, 2)))
  })

  test('fails for all when no provider takes it, and says so to each', async () => {
    const world = createWorld()
    for (const provider of world.providers) world.kill(provider.endpoint)
    const results = await putAll(world, SIZES)
    for (const result of results) assert.equal(result.status === 'rejected' && result.reason.name, 'UploadFailedError')
  })
})

describe('a small put that is aborted', () => {
  /** A network on which a put takes a second. */
  const createSlowWorld = () => {
    const world = createWorld()
    world.network.setLink('*', '*', { delayMs: 100 })
    return world
  }

  test('ends at once with its reason, and the others of its part go on', async () => {
    const world = createSlowWorld()
    const controls = [0, 1, 2, 3, 4].map(() => new AbortController())
    const dids = createDids(world, controls.length)
    const puts = controls.map(async ({ signal }, i) => {
      return await world.storage.put(testBytes(100 + i, i), { ...putOptions(dids[i]!, world.owner), signal })
    })
    const settled = Promise.allSettled(puts)
    const isUploading = () => world.providers.some(({ requests }) => requests.some((text) => text.includes('/uploads')))
    while (!isUploading()) await world.time.advance(1)
    const reason = new Error('enough')
    for (const i of [0, 3]) controls[i]!.abort(reason)
    const results = await world.run(settled)
    for (const [i, result] of results.entries()) {
      if (i === 0 || i === 3) assert.equal(result.status === 'rejected' && result.reason, reason)
      else if (result.status === 'rejected') throw result.reason
      else await assertReadable(world, result.value, testBytes(100 + i, i))
    }
    for (const result of results)
      if (result.status === 'fulfilled') await world.run(world.storage.remove(result.value.did, result.value))
    assert.equal(allPieces(world), 0)
  })

  test('leaves nothing behind when all of its part are aborted', async () => {
    const world = createSlowWorld()
    const control = new AbortController()
    const puts = putAll(world, [1, 2, 3, 4], () => ({ signal: control.signal }))
    await world.time.advance(300)
    control.abort(new Error('enough'))
    for (const result of await puts) assert.equal(result.status === 'rejected' && result.reason.message, 'enough')
    await world.run(world.storage.close())
    assert.equal(allPieces(world), 0)
  })

  test('by the end of its storage does not outlive it', async () => {
    const world = createSlowWorld()
    const puts = putAll(world, [1, 2, 3, 4])
    await world.time.advance(300)
    await world.run(world.storage.close())
    for (const result of await puts)
      assert.equal(result.status === 'rejected' && result.reason.name, 'StorageClosedError')
  })
})

test('the same small bytes, put twice at once by one DID, are one object', async () => {
  const world = createWorld()
  const puts = [1, 2, 3].map(async () => await world.storage.put(testBytes(700), putOptions(world.did, world.owner)))
  const results = await world.run(Promise.all(puts))
  assert.deepEqual(results.map(({ deduplicated }) => deduplicated).sort(), [false, true, true])
  assert.equal((await world.run(listAll(world.storage.list(world.did)))).length, 1)
  await assertReadable(world, results[0]!, testBytes(700))
})
