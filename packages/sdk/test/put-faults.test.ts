import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DeadlineError, encodeStripe, type MemoError, type Signer, stripePlainBytesOf } from '@memo/core'
import type { StageEvent } from '@memo/sdk'
import type { ProviderFaults } from '@memo/sdk/testing'
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

const STRIPE = stripePlainBytesOf(4, true)
/** Stripes of `rs:2+1`: less to hash where a test needs many. */
const SMALL = { policy: 'rs:2+1' }
const SMALL_STRIPE = stripePlainBytesOf(2, true)
const MIB = 1_048_576

/** Pieces that providers hold, all together. */
function piecesIn(world: World): number {
  return world.providers.reduce((sum, provider) => sum + provider.pieces.size, 0)
}

/** A body that breaks off, as a transport tells it. */
async function* breaking(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1)
  throw new DeadlineError('the connection broke', { blame: 'provider', retry: 'now' })
}

async function* blocks(bytes: Uint8Array, size: number, pause?: (at: number) => Promise<void>) {
  for (let at = 0; at < bytes.length; at += size) {
    await pause?.(at)
    yield bytes.subarray(at, at + size)
  }
}

describe('a put survives providers', () => {
  test('that nobody can reach: others take their pieces', async () => {
    const world = createWorld({ providers: 8 })
    world.kill(world.providers[0]!.endpoint)
    world.kill(world.providers[1]!.endpoint)
    const bytes = testBytes(3 * STRIPE)
    const stored = await world.put(bytes)
    assert.equal(stored.providers.length, 6)
    assert.equal(stored.providers.includes(world.providers[0]!.address), false)
    assert.deepEqual(
      new Set(world.faults.map((fault) => fault.address)),
      new Set([0, 1].map((i) => world.providers[i]!.address)),
    )
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })

  test('that failed a moment ago are not chosen again', async () => {
    const world = createWorld({ providers: 8 })
    world.kill(world.providers[0]!.endpoint)
    await world.put(testBytes(10))
    const before = world.faults.length
    await world.put(testBytes(11))
    assert.equal(world.faults.length, before)
  })

  const behaviours: [string, (faults: ProviderFaults, stranger: Signer) => void][] = [
    [
      'refuses the upload',
      (faults) => {
        faults.refuseUpload = 'full'
      },
    ],
    [
      'refuses when it has all',
      (faults) => {
        faults.refuseStored = 'full'
      },
    ],
    [
      'says that it received another piece',
      (faults) => {
        faults.lieAboutRoot = true
      },
    ],
    [
      'refuses to commit',
      (faults) => {
        faults.refuseCommit = true
      },
    ],
    [
      'signs its receipt with another key',
      (faults, key) => {
        faults.receiptSigner = key
      },
    ],
    [
      'gives a receipt that soon expires',
      (faults) => {
        faults.receiptSeconds = 600
      },
    ],
  ]
  for (const [what, misbehave] of behaviours) {
    for (const stripes of [0, 7]) {
      test(`one that ${what} loses its piece of ${stripes} stripes and a bit to another`, async () => {
        const world = createWorld({ providers: 5 })
        misbehave(world.providers[2]!.faults, testKey('stranger').signer)
        const bytes = testBytes(stripes * SMALL_STRIPE + 100)
        const stored = await world.put(bytes, SMALL)
        assert.equal(stored.providers.length, 3)
        assert.equal(stored.providers.includes(world.providers[2]!.address), false)
        assert.equal(world.faults.length > 0, true)
        assert.equal(
          world.faults.every((fault) => fault.address === world.providers[2]!.address),
          true,
        )
        const status = await world.run(world.storage.status(stored.manifest))
        assert.equal(status.length, 3)
        assert.equal(
          status.every((piece) => piece.alive),
          true,
        )
        assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
      })
    }
  }

  test('one that dies in the middle: its piece is rebuilt from the others', async () => {
    const world = createWorld({ providers: 7 })
    const bytes = testBytes(9 * SMALL_STRIPE)
    const victim = world.providers[1]!
    let taken = 0
    victim.faults.onBytes = async () => {
      taken++
      if (taken === 7) throw new TypeError('disk gone')
    }
    const stored = await world.put(bytes, { policy: 'rs:2+2' })
    assert.equal(taken, 7)
    assert.deepEqual(new Set(stored.providers), new Set([0, 2, 3, 4].map((i) => world.providers[i]!.address)))
    const status = await world.run(world.storage.status(stored.manifest))
    assert.equal(
      status.every((piece) => piece.alive),
      true,
    )
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })

  test('a commit whose answer is lost is asked for again', async () => {
    const world = createWorld({ providers: 6 })
    const lost = world.providers[2]!
    let commits = 0
    const handler: typeof lost.handler = async (request) => {
      const answer = await lost.handler(request)
      if (request.url.endsWith('/commit') && commits++ === 0) {
        return { ...answer, body: breaking() }
      }
      return answer
    }
    world.network.listen(lost.endpoint, handler)
    const stored = await world.put(testBytes(100))
    assert.equal(commits, 2)
    assert.equal(stored.providers.length, 6)
    assert.deepEqual(world.faults, [])
  })

  test('with nobody to replace it, k + ⌈m/2⌉ pieces are enough and one stays unplaced', async () => {
    const world = createWorld({ providers: 6 })
    world.providers[5]!.faults.refuseCommit = true
    const bytes = testBytes(2 * STRIPE + 5)
    const stored = await world.put(bytes)
    assert.equal(stored.providers.length, 5)
    const status = await world.run(world.storage.status(stored.manifest))
    assert.deepEqual(
      status.filter((piece) => !piece.alive).map((piece) => piece.reason),
      ['nobody holds it'],
    )
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })

  test('one that is slow is dropped and holds nobody up', async () => {
    const world = createWorld({ providers: 7, limits: { lagMs: 2_000 } })
    const slow = world.providers[3]!
    world.network.setLink('*', slow.endpoint, { bytesPerMs: 100 }) // 10 s for a strip
    const start = world.time.clock.nowMs()
    const bytes = testBytes(10 * SMALL_STRIPE)
    const stored = await world.put(bytes, { policy: 'rs:2+2' })
    const tookMs = world.time.clock.nowMs() - start
    assert.equal(stored.providers.includes(slow.address), false)
    assert.deepEqual(
      world.faults.map(({ name, address }) => [name, address]),
      [['TooSlowError', slow.address]],
    )
    assert.ok(tookMs < 10_000, `took ${tookMs} ms`)
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })

  test('two that are slow are dropped when two others can be had, and kept when not', async () => {
    for (const [providers, isDropped] of [
      [8, true],
      [6, false],
    ] as const) {
      const world = createWorld({ providers, limits: { lagMs: 2_000 } })
      const slow = world.providers.slice(2, 4)
      for (const { endpoint } of slow) world.network.setLink('*', endpoint, { bytesPerMs: 200 }) // 5 s for a strip
      const start = world.time.clock.nowMs()
      const bytes = testBytes(6 * STRIPE)
      const stored = await world.put(bytes)
      assert.equal(stored.providers.length, 6)
      assert.equal(
        slow.some(({ address }) => stored.providers.includes(address)),
        !isDropped,
      )
      assert.equal(world.time.clock.nowMs() - start < 20_000, isDropped)
      assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
    }
  })

  test('one that is a little slow for every strip is dropped as well', async () => {
    const world = createWorld({ providers: 7, limits: { lagMs: 2_000 } })
    world.network.setLink('*', world.providers[3]!.endpoint, { bytesPerMs: 1_000 }) // 1 s for a strip
    const start = world.time.clock.nowMs()
    const stored = await world.put(testBytes(15 * SMALL_STRIPE), { policy: 'rs:2+2' })
    assert.equal(stored.providers.includes(world.providers[3]!.address), false)
    assert.ok(world.time.clock.nowMs() - start < 6_000)
  })

  test('when all are slow nobody is dropped: it is our own line', async () => {
    const world = createWorld({ providers: 7, limits: { lagMs: 2_000 } })
    world.network.setLink('*', '*', { bytesPerMs: 150 })
    for (const { endpoint } of world.keepers) world.network.setLink('*', endpoint, {})
    const stored = await world.put(testBytes(4 * STRIPE))
    assert.equal(stored.providers.length, 6)
    assert.deepEqual(world.faults, [])
  })

  test('a provider that takes nothing at all does not hold the put for ever', async () => {
    const world = createWorld({ providers: 7, limits: { lagMs: 2_000 } })
    world.network.setLink('*', world.providers[0]!.endpoint, { state: 'silent' })
    const stored = await world.put(testBytes(2 * STRIPE))
    assert.equal(stored.providers.length, 6)
    assert.equal(stored.providers.includes(world.providers[0]!.address), false)
  })
})

describe('a put fails with a name, and leaves nothing behind', () => {
  test('when there are too few providers', async () => {
    const world = createWorld({ providers: 4 })
    await assert.rejects(world.put(testBytes(100)), {
      name: 'NotEnoughProvidersError',
      blame: 'provider',
      retry: 'later',
    })
    assert.equal(piecesIn(world), 0)
  })

  test('when too many providers fail: each is named with its fault', async () => {
    const world = createWorld({ providers: 6 })
    world.providers[0]!.faults.refuseCommit = true
    world.providers[4]!.faults.refuseStored = 'my disk is full'
    const error = await world.put(testBytes(2 * STRIPE)).then(
      () => assert.fail('stored'),
      (thrown: MemoError) => thrown,
    )
    assert.equal(error.name, 'UploadFailedError')
    assert.equal(error.blame, 'provider')
    const faults = error.details.faults as { address: string; message: string }[]
    const named = new Set(faults.map((fault) => fault.address))
    assert.deepEqual(named, new Set([world.providers[0]!.address, world.providers[4]!.address]))
    assert.match(error.message, /my disk is full/)
    assert.equal(piecesIn(world), 0, 'what was stored is deleted')
    assert.equal(
      world.keepers.every((keeper) => keeper.logs.size === 0),
      true,
    )
    await world.storage.close()
    assert.equal(world.time.sleeping(), 0)
  })

  test('when beforeCommit throws: it sees CID and size, and nothing is visible', async () => {
    const world = createWorld()
    const seen: unknown[] = []
    const refusal = new TypeError('another file than was signed')
    const put = world.put(testBytes(STRIPE + 1), {
      beforeCommit: (info) => {
        seen.push(info)
        assert.equal(piecesIn(world) > 0, true)
        throw refusal
      },
    })
    await assert.rejects(put, (thrown) => thrown === refusal)
    assert.equal(seen.length, 1)
    assert.equal(piecesIn(world), 0)
    assert.deepEqual(await world.run(listAll(world.storage.list(world.did))), [])
  })

  test('when the source breaks off', async () => {
    const world = createWorld()
    const broken = new TypeError('connection lost')
    const source = blocks(testBytes(20 * STRIPE), MIB, async (at) => {
      if (at > 12 * STRIPE) throw broken
    })
    await assert.rejects(world.put(source), (thrown) => thrown === broken)
    assert.equal(piecesIn(world), 0)
    await world.storage.close()
    assert.equal(world.time.sleeping(), 0)
  })

  test('when it is aborted midway: the source is told, uploads end, nothing waits', async () => {
    const world = createWorld()
    const control = new AbortController()
    let isReturned = false
    const source = (async function* () {
      try {
        for (let i = 0; ; i++) {
          if (i === 30) control.abort(new TypeError('enough'))
          yield testBytes(MIB, i)
        }
      } finally {
        isReturned = true
      }
    })()
    await assert.rejects(world.put(source, { signal: control.signal }), /enough/)
    assert.equal(isReturned, true)
    assert.equal(piecesIn(world), 0)
    await world.storage.close()
    assert.equal(world.time.sleeping(), 0)
  })

  test('when it is aborted while the source is silent', async () => {
    const world = createWorld()
    const control = new AbortController()
    const source = (async function* () {
      yield testBytes(2 * STRIPE)
      await new Promise(() => undefined)
    })()
    const put = world.storage.put(source, { ...putOptions(world.did, world.owner), signal: control.signal })
    const failed = assert.rejects(put, /enough/)
    await world.time.settle()
    control.abort(new TypeError('enough'))
    await world.run(failed)
    assert.equal(piecesIn(world), 0)
    assert.equal(world.time.sleeping(), 0)
  })

  test('for a name, type or policy that cannot be, before a byte is read', async () => {
    const world = createWorld()
    const source = { [Symbol.asyncIterator]: () => assert.fail('read') }
    await assert.rejects(world.put(source, { name: 'x'.repeat(2_000) }), { name: 'BadInputError' })
    await assert.rejects(world.put(source, { readers: [] }), { name: 'BadInputError' })
    await assert.rejects(world.put(source, { readers: [new Uint8Array(33)] }), { name: 'BadInputError' })
    await assert.rejects(world.put(source, { metadata: { 'memo-cid-profile': 'x' } }), { name: 'BadInputError' })
    await assert.rejects(world.put(source, { policy: 'rs:0+1' }), { name: 'InvalidErasurePolicyError' })
    await assert.rejects(world.put(source, { cidProfile: 'none' as 'kubo-legacy' }), { name: 'BadInputError' })
    await assert.rejects(world.put(source, { signal: AbortSignal.abort(new TypeError('no')) }), /no/)
  })
})

describe('a put of any length takes the same memory', () => {
  test('stripes in memory stay within their limit, and their buffers are used again', async () => {
    const stripesInMemory = 4
    let encoded = 0
    const buffers = new Set<ArrayBufferLike>()
    const world = createWorld({
      limits: { stripesInMemory },
      encode: (stripe) => {
        encoded++
        const made = encodeStripe(stripe)
        buffers.add(made.strips[0]!.buffer)
        return made
      },
    })
    for (const provider of world.providers) {
      provider.faults.onBytes = async () => await world.time.timers.sleep(5)
    }
    const bytes = testBytes(16 * STRIPE + 9)
    const stored = await world.put(blocks(bytes, MIB))
    assert.equal(encoded, 17)
    assert.ok(buffers.size <= stripesInMemory + 1, `${buffers.size} buffers`)
    assert.equal(stored.partIds.length, 2)
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })

  for (const stripesInMemory of [1, 2, 3]) {
    test(`even ${stripesInMemory} stripes in memory are enough to get on, with a provider that dies`, async () => {
      const world = createWorld({ providers: 6, limits: { stripesInMemory } })
      let taken = 0
      world.providers[1]!.faults.onBytes = async () => {
        if (++taken === 5) throw new TypeError('disk gone')
      }
      const start = world.time.clock.nowMs()
      const bytes = testBytes(9 * SMALL_STRIPE)
      const stored = await world.put(bytes, { policy: 'rs:2+2' })
      assert.equal(stored.providers.length, 4)
      assert.equal(stored.partIds.length, 1)
      assert.ok(world.time.clock.nowMs() - start < 5_000)
      assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
    })
  }

  test('a source is not read on while providers do not keep up', async () => {
    const world = createWorld({ limits: { stripesInMemory: 3, stallMs: 60_000_000 } })
    world.network.setLink('*', '*', { bytesPerMs: 10 })
    for (const { endpoint } of world.keepers) world.network.setLink('*', endpoint, {})
    const control = new AbortController()
    let read = 0
    const source = blocks(testBytes(12 * STRIPE), STRIPE, async () => void read++)
    const put = world.storage.put(source, { ...putOptions(world.did, world.owner), signal: control.signal })
    const failed = assert.rejects(put, /enough/)
    await world.time.advance(20_000)
    assert.ok(read <= 5, `${read} stripes were read`)
    control.abort(new TypeError('enough'))
    await world.run(failed)
  })

  test('a source that pauses for long does not keep uploads open', async () => {
    const world = createWorld()
    const bytes = testBytes(5 * STRIPE)
    const source = blocks(bytes, STRIPE, async (at) => {
      if (at === 4 * STRIPE) await world.time.timers.sleep(600_000)
    })
    const stored = await world.put(source)
    assert.equal(stored.partIds.length, 2)
    assert.deepEqual(world.faults, [])
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })
})

test('keepers are asked for as much room as a small object needs, and a full piece where its size is not known', async () => {
  const world = createWorld()
  const asked = () => world.keepers.flatMap((keeper) => keeper.matches).map((match) => match.pieceBytes)
  await world.put(testBytes(1_000))
  assert.deepEqual(new Set(asked()), new Set([256]))
  await world.put(testBytes(STRIPE + 1))
  assert.deepEqual(new Set(asked()), new Set([256, 16 * MIB]))
})

test('stages are told in order: received, encoded, stored, durable', async () => {
  const world = createWorld()
  const events: StageEvent[] = []
  await world.put(blocks(testBytes(2 * STRIPE), MIB), { onStage: (event) => void events.push(event) })
  const firsts = [...new Set(events.map((event) => event.stage))]
  assert.deepEqual(firsts, ['received', 'encoded', 'stored', 'durable'])
  assert.deepEqual(events.at(-1)?.stage, 'durable')
  const stored = events.filter((event) => event.stage === 'stored')
  assert.deepEqual(stored.at(-1), { stage: 'stored', pieces: 6, wanted: 6, readableFrom: 4 })
  const received = events.filter((event) => event.stage === 'received')
  assert.equal(received.at(-1)?.sizeBytes, 2 * STRIPE)
  await collect(world.storage.read((await world.put(testBytes(2 * STRIPE))).manifest))
})
