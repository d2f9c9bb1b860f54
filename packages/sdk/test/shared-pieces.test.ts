import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signEntry, ZERO_HASH } from '@memo/core'
import { TEST_NETWORK } from '@memo/core/testing'
import { createWorld, listAll, putOptions, sha256Hex, testBytes, testKey, type World } from './support/world.ts'

/** As many providers as a part has pieces, so that two puts of the same bytes meet at all of them. */
const PROVIDERS = 6

function allPieces(world: World): number {
  return world.providers.reduce((sum, one) => sum + one.pieces.size, 0)
}

function createGate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

describe('pieces of public bytes that two puts share', () => {
  test('stay when one of the two is given up while the other is under way', async () => {
    const world = createWorld({ providers: PROVIDERS })
    const bytes = testBytes(3_000)
    const options = { ...putOptions(world.did, world.owner), isPublic: true }
    const isStored = createGate()
    const mayFail = createGate()
    const refusal = new TypeError('no')
    const givenUp = world.storage.put(bytes, {
      ...options,
      beforeCommit: async () => {
        isStored.open()
        await mayFail.opened
        throw refusal
      },
    })
    const kept = world.storage.put(bytes, {
      ...options,
      beforeCommit: async () => {
        await isStored.opened
        mayFail.open()
        await assert.rejects(givenUp, (thrown) => thrown === refusal)
      },
    })
    const { manifest } = await world.run(kept)
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
  })

  test('go when both are given up', async () => {
    const world = createWorld({ providers: PROVIDERS })
    const options = {
      ...putOptions(world.did, world.owner),
      isPublic: true,
      beforeCommit: () => {
        throw new TypeError('no')
      },
    }
    const puts = [1, 2].map(async () => await assert.rejects(world.storage.put(testBytes(3_000), options), TypeError))
    await world.run(Promise.all(puts))
    assert.equal(allPieces(world), 0)
  })

  test('stay when an object is removed while a put of the same bytes is under way', async () => {
    const world = createWorld({ providers: PROVIDERS })
    const bytes = testBytes(3_000)
    const first = await world.put(bytes, { isPublic: true })
    const remove = async () => {
      const { pieces } = await world.storage.remove(world.did, first)
      assert.equal(pieces.filter((piece) => piece.deleted).length, 0)
    }
    const { manifest, deduplicated } = await world.put(bytes, { isPublic: true, beforeCommit: remove })
    assert.equal(deduplicated, false)
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
    await world.run(world.storage.remove(world.did, { writer: first.writer, seq: first.seq + 2 }))
    assert.equal(allPieces(world), 0)
  })

  test('stay whatever one keeper says of them, and when too few say anything', async () => {
    const world = createWorld({ providers: PROVIDERS })
    const bytes = testBytes(3_000)
    const { manifest } = await world.put(bytes, { isPublic: true })
    const [liar] = world.keepers
    liar!.faults.holding = 'unknown'
    liar!.faults.alterPart = (part) => ({
      ...part,
      placement: {
        ...part.placement,
        pieces: part.placement.pieces.map((piece) => ({ ...piece, provider: liar!.address })),
      },
    })
    for (let i = 0; i < 5; i++) assert.equal((await world.put(bytes, { isPublic: true })).deduplicated, true)
    assert.equal(allPieces(world), PROVIDERS)
    const put = world.put(bytes, {
      isPublic: true,
      beforeCommit: () => {
        for (const keeper of world.keepers.slice(1)) world.kill(keeper.endpoint)
        throw new TypeError('no')
      },
    })
    await assert.rejects(put, TypeError)
    world.network.clearLinks()
    assert.equal(sha256Hex(await world.read(manifest)), sha256Hex(bytes))
  })
})

describe('deleting', () => {
  const nameParts = async (world: World, partIds: readonly Uint8Array[]) => {
    const stranger = testKey('stranger').signer
    const did = `did:memo:${'44'.repeat(32)}`
    const manifest = { kind: 'sealed', box: testBytes(40), keys: [] } as const
    const action = { kind: 'put', isPublic: false, cid: undefined, sizeBytes: 1, partIds, manifest } as const
    const base = { did, writer: stranger.address, seq: 1, previous: ZERO_HASH, time: 1, evidence: undefined }
    const signed = await signEntry(TEST_NETWORK, { ...base, action }, stranger)
    for (const keeper of world.keepers) keeper.logs.set(`${did}/${stranger.address}`, [signed])
  }

  test('a sealed object takes its pieces along, whoever names them as well', async () => {
    const world = createWorld()
    const stored = await world.put(testBytes(3_000))
    await nameParts(world, stored.partIds)
    const { pieces } = await world.run(world.storage.remove(world.did, stored))
    assert.deepEqual(new Set(pieces.map((piece) => piece.deleted)), new Set([true]))
    assert.equal(allPieces(world), 0)
  })
})

describe('an entry that was handed over', () => {
  test('keeps its pieces when whoever put it listens badly to its success', async () => {
    const world = createWorld()
    const bytes = testBytes(3_000)
    const put = world.put(bytes, {
      onStage: ({ stage }) => {
        if (stage === 'durable') throw new TypeError('a bug of the caller')
      },
    })
    await assert.rejects(put, TypeError)
    const [object] = await world.run(listAll(world.storage.list(world.did)))
    assert.equal(sha256Hex(await world.read(object!.manifest!)), sha256Hex(bytes))
  })

  test('keeps them when its put is aborted meanwhile, and the next put makes it durable', async () => {
    const world = createWorld()
    const bytes = testBytes(3_000)
    for (const keeper of world.keepers) keeper.faults.refuseIndex = true
    const control = new AbortController()
    const put = world.storage.put(bytes, { ...putOptions(world.did, world.owner), signal: control.signal })
    const aborted = assert.rejects(put, { name: 'AbortError' })
    while (!world.keepers[0]!.requests.includes('POST /index')) await world.time.advance(1)
    control.abort()
    await world.run(aborted)
    for (const keeper of world.keepers) keeper.faults.refuseIndex = false
    await world.put(testBytes(10), { name: 'next' })
    const [object] = await world.run(listAll(world.storage.list(world.did)))
    assert.equal(sha256Hex(await world.read(object!.manifest!)), sha256Hex(bytes))
  })

  test('and is not durable makes a later put fail, whose own pieces go', async () => {
    const world = createWorld()
    for (const keeper of world.keepers) keeper.faults.refuseIndex = true
    await assert.rejects(world.put(testBytes(3_000)), { name: 'NotDurableError' })
    const pieces = allPieces(world)
    await assert.rejects(world.put(testBytes(4_000)), { name: 'NotDurableError' })
    assert.equal(allPieces(world), pieces)
  })

  test('keeps pieces in clear that nobody else knows of when a second put of the same bytes fails', async () => {
    const world = createWorld({ providers: PROVIDERS })
    const bytes = testBytes(3_000)
    for (const keeper of world.keepers) keeper.faults.refuseIndex = true
    await assert.rejects(world.put(bytes, { isPublic: true }), { name: 'NotDurableError' })
    const again = world.put(bytes, {
      isPublic: true,
      beforeCommit: () => {
        throw new TypeError('no')
      },
    })
    await assert.rejects(again, TypeError)
    for (const keeper of world.keepers) keeper.faults.refuseIndex = false
    await world.put(testBytes(10), { name: 'next' })
    const [object] = await world.run(listAll(world.storage.list(world.did)))
    assert.equal(sha256Hex(await world.read(object!.manifest!)), sha256Hex(bytes))
  })
})
