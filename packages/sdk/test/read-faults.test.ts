import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CHUNK_BYTES,
  equalBytes,
  hex32,
  type Manifest,
  type MemoError,
  STRIP_BYTES,
  stripePlainBytesOf,
} from '@memo/core'
import fc from 'fast-check'
import { collect, createWorld, sha256Hex, testBytes, type World } from './support/world.ts'

const STRIPE = stripePlainBytesOf(4, true)

/** The providers of an object's pieces, by piece (of its first part). */
async function holdersOf(world: World, manifest: Manifest) {
  const pieces = await world.run(world.storage.status(manifest))
  return pieces.slice(0, 6).map((piece) => world.providers.find((one) => one.address === piece.provider)!)
}

function bytesRead(world: World): number {
  return world.providers.reduce(
    (sum, one) => sum + one.requests.filter((line) => /^GET .*[0-9a-f]{64}$/.test(line)).length,
    0,
  )
}

describe('ranges', () => {
  test('of any place and length give the bytes that stand there', async () => {
    const world = createWorld()
    const bytes = testBytes(STRIPE + 3 * CHUNK_BYTES + 1_234)
    const objects = [await world.put(bytes), await world.put(bytes, { isPublic: true })]
    const edges = [0, CHUNK_BYTES, STRIP_BYTES, 16 * CHUNK_BYTES, STRIPE, bytes.length]
    const near = fc
      .tuple(fc.constantFrom(...edges), fc.integer({ min: -3, max: 3 }))
      .map(([edge, by]) => Math.max(0, edge + by))
    const place = fc.oneof(near, fc.nat(bytes.length))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...objects), place, place, async ({ manifest }, a, b) => {
        const [offset, end] = a < b ? [a, b] : [b, a]
        const read = await world.read(manifest, { offset, length: end - offset })
        assert.equal(equalBytes(read, bytes.subarray(offset, end)), true)
      }),
      { numRuns: 60 },
    )
  })

  test('read one strip where one strip is enough', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(2 * STRIPE))
    const before = bytesRead(world)
    assert.equal((await world.read(manifest, { offset: STRIPE + 10, length: 100 })).length, 100)
    assert.equal(bytesRead(world) - before, 1)
  })

  test('beyond the end are cut, and without bytes read nothing', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(1_000))
    const before = bytesRead(world)
    assert.equal((await world.read(manifest, { offset: 1_000 })).length, 0)
    assert.equal((await world.read(manifest, { offset: 5_000, length: 7 })).length, 0)
    assert.equal((await world.read(manifest, { offset: 3, length: 0 })).length, 0)
    assert.equal(bytesRead(world), before)
    assert.equal((await world.read(manifest, { offset: 990, length: 100 })).length, 10)
    await assert.rejects(world.read(manifest, { offset: -1 }), { name: 'BadInputError' })
    await assert.rejects(world.read(manifest, { offset: 0.5 }), { name: 'BadInputError' })
  })
})

describe('any k of k + m pieces are enough', () => {
  for (const dead of [[0], [0, 1], [2, 3], [4, 5], [1, 5]]) {
    test(`with pieces ${dead} gone`, async () => {
      const world = createWorld()
      const bytes = testBytes(2 * STRIPE + 99)
      const { manifest } = await world.put(bytes)
      const holders = await holdersOf(world, manifest)
      for (const index of dead) world.kill(holders[index]!.endpoint)
      assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
      const range = await world.read(manifest, { offset: 70_000, length: STRIPE })
      assert.equal(equalBytes(range, bytes.subarray(70_000, 70_000 + STRIPE)), true)
    })
  }

  test('with m + 1 gone the error names every piece, its provider and why', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(STRIPE))
    const holders = await holdersOf(world, manifest)
    for (const index of [0, 2, 5]) world.kill(holders[index]!.endpoint)
    const error = await world.read(manifest).then(
      () => assert.fail('read'),
      (thrown: MemoError) => thrown,
    )
    assert.equal(error.name, 'NotEnoughPiecesError')
    assert.equal(error.blame, 'provider')
    assert.equal(error.retry, 'later')
    const pieces = error.details.pieces as { index: number; provider: string; reason: string }[]
    assert.deepEqual(
      pieces.map(({ index, provider }) => [index, provider]),
      [0, 2, 5].map((index) => [index, holders[index]!.address]),
    )
    assert.match(pieces[0]!.reason, /UnreachableError/)
    assert.equal(error.details.present, 3)
    await world.storage.close()
    assert.equal(world.time.sleeping(), 0)
  })
})

describe('a provider is not believed', () => {
  test('one that alters bytes is caught, reported by name and replaced', async () => {
    const world = createWorld()
    const bytes = testBytes(3 * STRIPE)
    const { manifest } = await world.put(bytes)
    const holders = await holdersOf(world, manifest)
    holders[1]!.faults.corruptReads = true
    holders[2]!.faults.refuseReads = true
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
    const named = world.faults.map(({ name, address }) => `${name} ${address}`)
    assert.equal(named.includes(`PieceCorruptError ${holders[1]!.address}`), true)
    assert.equal(new Set(world.faults.map((fault) => fault.address)).size, 2)
  })

  test('one that failed is not asked again in the same call while others serve', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(12 * STRIPE))
    const holders = await holdersOf(world, manifest)
    holders[0]!.faults.corruptReads = true
    await world.read(manifest)
    const failures = world.faults.filter((fault) => fault.address === holders[0]!.address)
    assert.ok(failures.length <= 2, `${failures.length} failures`)
  })

  test('one that lost the piece is replaced', async () => {
    const world = createWorld()
    const bytes = testBytes(500)
    const { manifest, partIds } = await world.put(bytes)
    const placed = world.keepers[0]!.parts.get(hex32(partIds[0]!))!
    for (const index of [0, 3]) {
      const { root, provider } = placed.placement.pieces[index]!
      world.providers.find((one) => one.address === provider)!.dropPiece(hex32(root))
    }
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
  })

  test('one that is slow is overtaken', async () => {
    const world = createWorld({ limits: { hedgeMs: 1_000 } })
    const bytes = testBytes(5 * STRIPE)
    const { manifest } = await world.put(bytes)
    const holders = await holdersOf(world, manifest)
    world.network.setLink('*', holders[3]!.endpoint, { bytesPerMs: 50 }) // 21 s for a strip
    const start = world.time.clock.nowMs()
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
    assert.ok(world.time.clock.nowMs() - start < 5_000)
  })

  test('one that never answers is overtaken', async () => {
    const world = createWorld({ limits: { hedgeMs: 1_000 } })
    const bytes = testBytes(5 * STRIPE)
    const { manifest } = await world.put(bytes)
    const holders = await holdersOf(world, manifest)
    for (const index of [0, 1]) world.network.setLink('*', holders[index]!.endpoint, { state: 'silent' })
    const start = world.time.clock.nowMs()
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
    assert.ok(world.time.clock.nowMs() - start < 10_000)
  })
})

describe('a keeper is not believed', () => {
  test('one that names wrong holders is overruled by the others', async () => {
    const world = createWorld()
    const bytes = testBytes(700)
    const { manifest } = await world.put(bytes)
    const liar = world.providers[7]!.address
    world.keepers[0]!.faults.alterPart = (part) => ({
      receipts: part.receipts.map(() => undefined),
      placement: { ...part.placement, pieces: part.placement.pieces.map((piece) => ({ ...piece, provider: liar })) },
    })
    for (let i = 0; i < 5; i++) assert.equal(sha256Hex(await collectFresh(world, manifest)), sha256Hex(bytes))
  })

  test('one that names another part is refused', async () => {
    const world = createWorld()
    const bytes = testBytes(700)
    const { manifest } = await world.put(bytes)
    world.keepers[0]!.faults.alterPart = (part) => ({
      ...part,
      placement: { ...part.placement, sizeBytes: part.placement.sizeBytes - 1 },
    })
    for (let i = 0; i < 5; i++) assert.equal(sha256Hex(await collectFresh(world, manifest)), sha256Hex(bytes))
    assert.equal(
      world.faults.some((fault) => fault.address === world.keepers[0]!.address),
      true,
    )
  })

  test('one that is silent holds nobody up for long', async () => {
    const world = createWorld()
    const { manifest, cid } = await world.put(testBytes(700), { isPublic: true })
    world.network.setLink('*', world.keepers[1]!.endpoint, { state: 'silent' })
    const storage = world.open()
    const start = world.time.clock.nowMs()
    for (let i = 0; i < 10; i++) {
      assert.equal((await world.run(storage.findPublicObject(cid)))?.cid, cid)
      await world.run(collect(world.open().read(manifest)))
    }
    const tookMs = world.time.clock.nowMs() - start
    assert.ok(tookMs < 10 * (300 + 4_000 / 2), `took ${tookMs} ms`)
    assert.equal(world.time.sleeping(), 0)
  })

  test('without keepers the error names each of them', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(700))
    for (const keeper of world.keepers) world.kill(keeper.endpoint)
    await assert.rejects(collectFresh(world, manifest), {
      name: 'KeepersUnreachableError',
      blame: 'keeper',
      retry: 'later',
    })
  })
})

describe('what was read is what was put', () => {
  test('a manifest with another CID is found out at the end of a full read', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(700))
    const other = await world.put(testBytes(701))
    await assert.rejects(world.read({ ...manifest, cid: other.cid }), { name: 'CidMismatchError' })
  })

  test('other CID profiles are checked as well', async () => {
    const world = createWorld()
    const bytes = testBytes(600_000)
    const cids = new Set<string>()
    for (const cidProfile of ['unixfs-v1-2025', 'kubo-legacy', 'memo-legacy'] as const) {
      const { manifest, cid } = await world.put(bytes, { cidProfile })
      cids.add(cid)
      assert.equal((await world.read(manifest)).length, bytes.length)
    }
    assert.equal(cids.size, 3)
  })

  test('a wrong key, swapped parts or a wrong size do not give bytes', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(700))
    const contentKey = manifest.contentKey!.slice()
    contentKey[0]! ^= 1
    await assert.rejects(world.read({ ...manifest, contentKey }), { name: 'SealBrokenError' })
    await assert.rejects(world.read({ ...manifest, sizeBytes: 699 }), { name: 'BadInputError' })
    const parts = manifest.parts.map((part) => ({ ...part, offset: 1 }))
    await assert.rejects(world.read({ ...manifest, parts }), { name: 'BadInputError' })
    const unknown = manifest.parts.map((part) => ({ ...part, partId: new Uint8Array(32) }))
    await assert.rejects(world.read({ ...manifest, parts: unknown }), { name: 'NotFoundError', blame: 'keeper' })
  })

  test('an aborted read ends at once and leaves nothing behind', async () => {
    const world = createWorld()
    const { manifest } = await world.put(testBytes(6 * STRIPE))
    const control = new AbortController()
    const read = async () => {
      for await (const _ of world.storage.read(manifest, { signal: control.signal }))
        control.abort(new TypeError('enough'))
    }
    await assert.rejects(world.run(read()), /enough/)
    const partly = async () => {
      for await (const _ of world.storage.read(manifest)) return
    }
    await world.run(partly())
    await world.storage.close()
    assert.equal(world.time.sleeping(), 0)
  })
})

/** A read by a storage that remembers no placement. */
async function collectFresh(world: World, manifest: Manifest): Promise<Uint8Array> {
  return await world.run(collect(world.open().read(manifest)))
}
