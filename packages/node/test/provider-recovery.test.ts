import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, utf8 } from '@memo/core'
import { InjectedFaultError } from '@memo/core/testing'
import { createWorld, digestOf, inChunks, type ProviderNodeOptions, store } from './support/world.ts'

const refused = (name: string) => (error: Error) => error.name === name
const PIECE_BYTES = 200_000
const SEVEN_HOURS_MS = 7 * 3_600_000

async function startedProvider(options: ProviderNodeOptions = {}) {
  const world = createWorld()
  const provider = world.provider('a', options)
  await provider.start()
  const client = provider.client(world.user('alice'))
  const typesOf = () => provider.events.map((event) => event.type)
  const restart = async () => {
    provider.crash()
    await provider.start()
  }
  return { world, provider, client, typesOf, restart, piece: world.random.bytes(PIECE_BYTES) }
}

describe('after a crash', () => {
  test('between the bytes and their record, nothing was promised, and the bytes go after the grace', async () => {
    const limits = { scrubRestMs: 3_600_000, orphanGraceMs: 7_200_000 }
    const { world, provider, client, restart, typesOf, piece } = await startedProvider({ limits })
    const id = world.random.bytes(32)
    const { root, sizeBytes } = await client.upload(id, inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    let syncs = 0
    // The first sync of a commit is that of the bytes, the second that of the record.
    provider.disk.setFault((operation) => {
      return operation === 'sync' && ++syncs === 2 ? new InjectedFaultError('power cut') : undefined
    })
    await assert.rejects(client.commit(id, { root, sizeBytes }), refused('NodeFaultError'))
    provider.disk.setFault(undefined)
    assert.deepEqual(provider.disk.pieceRoots(), [hex32(root)], 'the bytes were there first')
    await restart()
    assert.equal(await client.findSize(root), undefined, 'they cannot be read')
    await assert.rejects(client.commit(id, { root, sizeBytes }), refused('NotFoundError'))
    assert.ok(typesOf().includes('piece-orphaned'))
    await world.time.advance(3_700_000)
    assert.deepEqual(provider.disk.pieceRoots(), [hex32(root)], 'they stay for the grace')
    await world.time.advance(7_200_000)
    assert.deepEqual(provider.disk.pieceRoots(), [])
  })

  test('the same piece can be uploaded again over what was left, and then it stays', async () => {
    const limits = { scrubRestMs: 3_600_000, orphanGraceMs: 1 }
    const { world, provider, client, restart, piece } = await startedProvider({ limits })
    const writer = await provider.disk.openPieceStore().create()
    await writer.write(piece)
    const { root, units } = digestOf(piece)
    await writer.commit(hex32(root), units)
    await restart()
    await store(client, world, piece)
    await world.time.advance(SEVEN_HOURS_MS)
    assert.equal(await client.findSize(root), PIECE_BYTES)
  })

  test('half-written pieces are gone', async () => {
    const { world, provider, client, typesOf, restart } = await startedProvider()
    await client.upload(world.random.bytes(32), inChunks(utf8('abc')), { maxBytes: 3, orderId: 0 })
    await restart()
    assert.ok(typesOf().includes('half-written-removed'))
    assert.deepEqual(provider.disk.pieceRoots(), [])
  })

  test('between the record and the bytes of a deletion, the piece is gone for all and its bytes go later', async () => {
    const limits = { scrubRestMs: 3_600_000, orphanGraceMs: 1 }
    const { world, provider, client, restart, piece } = await startedProvider({ limits })
    const { root } = await store(client, world, piece)
    let syncs = 0
    provider.disk.setFault((operation) => {
      return operation === 'sync' && ++syncs === 2 ? new InjectedFaultError('power cut') : undefined
    })
    await assert.rejects(client.delete(root), refused('NodeFaultError'))
    provider.disk.setFault(undefined)
    await restart()
    assert.equal(await client.findSize(root), undefined)
    await world.time.advance(SEVEN_HOURS_MS)
    assert.deepEqual(provider.disk.pieceRoots(), [])
  })
})

describe('a piece that was promised', () => {
  test('and is missing at the start is loudly remembered as lost, never dropped', async () => {
    const { world, provider, client, restart, typesOf, piece } = await startedProvider()
    const { root, id, sizeBytes } = await store(client, world, piece)
    provider.disk.losePiece(hex32(root))
    await restart()
    const event = provider.events.find(({ type }) => type === 'piece-lost')
    assert.equal(event?.level, 'error')
    await assert.rejects(client.readUnits(root, PIECE_BYTES), refused('PieceLostError'))
    await assert.rejects(client.commit(id, { root, sizeBytes }), refused('PieceLostError'), 'no new word for it')
    await restart()
    assert.equal(typesOf().filter((type) => type === 'piece-lost').length, 1, 'said once')
    await assert.rejects(client.readUnits(root, PIECE_BYTES), refused('PieceLostError'))
    assert.equal((await client.info()).pieces, 1)
  })

  test('and was lost is whole again when its owner uploads it again', async () => {
    const { world, provider, client, restart, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    provider.disk.losePiece(hex32(root))
    await restart()
    await store(client, world, piece)
    assert.equal(await client.findSize(root), PIECE_BYTES)
    assert.equal((await client.info()).pieces, 1)
  })

  test('and goes missing while it is served is lost from the first read on', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    provider.disk.losePiece(hex32(root))
    const answer = await provider.raw({ url: `/pieces/${hex32(root)}` })
    assert.equal(answer.status, 503)
    await assert.rejects(client.readUnits(root, PIECE_BYTES), refused('PieceLostError'))
  })
})

describe('the scrub', () => {
  test('finds a flipped bit, reports it, and reads of the piece are refused and blamed on the provider', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root, sizeBytes } = await store(client, world, piece)
    const other = await store(client, world, world.random.bytes(1_000))
    assert.ok(provider.disk.corruptPiece(hex32(root), 123_456))
    await world.time.advance(SEVEN_HOURS_MS)
    const event = provider.events.find(({ type }) => type === 'piece-corrupt')
    assert.equal(event?.level, 'error')
    assert.equal(event?.root, hex32(root))
    for (const path of ['', '/units', '/proof?leaf=0']) {
      const answer = await provider.raw({ url: `/pieces/${hex32(root)}${path}` })
      assert.equal(answer.status, 503, path)
      const { error } = JSON.parse(Buffer.from(answer.body).toString()) as { error: { name: string; blame: string } }
      assert.deepEqual([error.name, error.blame], ['PieceCorruptError', 'provider'])
    }
    await assert.rejects(client.readUnits(root, sizeBytes), refused('PieceCorruptError'))
    assert.equal(await client.findSize(other.root), 1_000, 'others are not touched')
  })

  test('and a good upload of a damaged piece takes the place of the damaged bytes', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root, sizeBytes } = await store(client, world, piece)
    provider.disk.corruptPiece(hex32(root), 5)
    await world.time.advance(SEVEN_HOURS_MS)
    await store(client, world, piece)
    const units = await client.readUnits(root, sizeBytes)
    const bytes = await client.read({ root, sizeBytes, units }, { offset: 0, length: 100 })
    assert.deepEqual(Buffer.from(bytes), Buffer.from(piece.subarray(0, 100)))
  })

  test('a proof whose leaf does not match is never given', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    provider.disk.corruptPiece(hex32(root), 5)
    assert.equal(
      (await provider.raw({ url: `/pieces/${hex32(root)}/proof?leaf=20` })).status,
      200,
      'this leaf is whole',
    )
    assert.equal((await provider.raw({ url: `/pieces/${hex32(root)}/proof?leaf=0` })).status, 503)
    assert.ok(provider.events.some(({ type }) => type === 'piece-corrupt'))
  })

  test('a disk that fails for a while convicts no piece', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    provider.disk.setFault((operation) => (operation === 'read' ? new InjectedFaultError('loose cable') : undefined))
    await world.time.advance(SEVEN_HOURS_MS)
    provider.disk.setFault(undefined)
    assert.equal(await client.findSize(root), PIECE_BYTES)
    await world.time.advance(SEVEN_HOURS_MS)
    assert.ok(
      provider.events.some(({ type }) => type === 'scrub-done'),
      'the next pass goes on',
    )
  })

  test('reads no faster than its bound', async () => {
    const limits = { scrubRestMs: 1_000, scrubBytesPerSecond: 1_000 }
    const { world, provider, client } = await startedProvider({ limits })
    await store(client, world, world.random.bytes(60_000))
    await world.time.advance(60_000)
    assert.ok(!provider.events.some(({ type }) => type === 'scrub-done'))
    await world.time.advance(2_000)
    assert.ok(provider.events.some(({ type }) => type === 'scrub-done'))
  })
})
