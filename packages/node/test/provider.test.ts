import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode } from '@ipld/dag-cbor'
import { hex32, hexFromBytes, isLeafProof, isReceipt, LEAF_BYTES, type LeafProof, leafCountOf, utf8 } from '@memo/core'
import { TEST_NETWORK } from '@memo/core/testing'
import { createWorld, digestOf, errorName, inChunks, signedHeaders, store } from './support/world.ts'

const PIECE_BYTES = 300_001

async function startedProvider(options: Parameters<ReturnType<typeof createWorld>['provider']>[1] = {}) {
  const world = createWorld()
  const provider = world.provider('a', options)
  const user = world.user('alice')
  await provider.start()
  const client = provider.client(user)
  return { world, provider, user, client, piece: world.random.bytes(PIECE_BYTES) }
}

const refused = (name: string) => (error: Error) => error.name === name

describe('a provider keeps pieces', () => {
  test('what is uploaded and committed is receipted, and comes back whole and in ranges', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root, receipt, sizeBytes } = await store(client, world, piece)
    assert.equal(hex32(root), hex32(digestOf(piece).root))
    assert.equal(receipt.provider, provider.signer.address)
    assert.ok(isReceipt(TEST_NETWORK, receipt))
    assert.equal(receipt.expiry, Math.floor(world.time.clock.nowMs() / 1000) + 365 * 86_400)
    assert.equal(await client.findSize(root), PIECE_BYTES)
    const units = await client.readUnits(root, sizeBytes)
    const range = { offset: 70_000, length: 150_000 }
    const read = await client.read({ root, sizeBytes, units }, range)
    assert.deepEqual(Buffer.from(read), Buffer.from(piece.subarray(70_000, 220_000)))
  })

  test('a committed piece is there after a crash, and its record with it', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root, id, receipt } = await store(client, world, piece)
    provider.crash()
    await provider.start()
    assert.equal(await client.findSize(root), PIECE_BYTES)
    const again = await client.commit(id, { root, sizeBytes: PIECE_BYTES })
    assert.deepEqual(again, receipt)
    assert.equal((await client.info()).pieces, 1)
  })

  test('a repeated commit repeats the receipt, also when both are sent at once', async () => {
    const { world, client, piece } = await startedProvider()
    const id = world.random.bytes(32)
    const { root, sizeBytes } = await client.upload(id, inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    const [one, two] = await Promise.all([
      client.commit(id, { root, sizeBytes }),
      client.commit(id, { root, sizeBytes }),
    ])
    assert.deepEqual(one, two)
    assert.deepEqual(await client.commit(id, { root, sizeBytes }), one)
  })

  test('nothing that was not committed can be read', async () => {
    const { world, client, piece } = await startedProvider()
    const { root } = await client.upload(world.random.bytes(32), inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    assert.equal(await client.findSize(root), undefined)
  })

  test('the same id sent again replaces what was sent', async () => {
    const { world, client, piece } = await startedProvider()
    const id = world.random.bytes(32)
    const other = world.random.bytes(1_000)
    await client.upload(id, inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    const second = await client.upload(id, inChunks(other), { maxBytes: PIECE_BYTES, orderId: 0 })
    const first = digestOf(piece)
    await assert.rejects(client.commit(id, first), refused('RootMismatchError'))
    const receipt = await client.commit(id, second)
    assert.equal(hex32(receipt.root), hex32(digestOf(other).root))
  })

  test('a commit with another root or size is refused, and the right one still works', async () => {
    const { world, client, piece } = await startedProvider()
    const id = world.random.bytes(32)
    const { root, sizeBytes } = await client.upload(id, inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    await assert.rejects(client.commit(id, { root: world.random.bytes(32), sizeBytes }), refused('RootMismatchError'))
    await assert.rejects(client.commit(id, { root, sizeBytes: sizeBytes + 1 }), refused('RootMismatchError'))
    assert.ok(await client.commit(id, { root, sizeBytes }))
  })

  test('one account cannot commit what another uploaded, nor ask for its receipt', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const id = world.random.bytes(32)
    const { root, sizeBytes } = await client.upload(id, inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 0 })
    const mallory = provider.client(world.user('mallory'))
    await assert.rejects(mallory.commit(id, { root, sizeBytes }), refused('NotFoundError'))
    await client.commit(id, { root, sizeBytes })
    await assert.rejects(mallory.commit(id, { root, sizeBytes }), refused('NotFoundError'))
  })

  test('only its owners may give a piece up, and the bytes go with the last of them', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const bob = provider.client(world.user('bob'))
    const { root } = await store(client, world, piece)
    await store(bob, world, piece)
    assert.equal((await client.info()).pieces, 1)
    await assert.rejects(provider.client(world.user('mallory')).delete(root), refused('ForbiddenError'))
    assert.equal(await client.delete(root), true)
    assert.equal(await client.findSize(root), PIECE_BYTES, 'bob holds it still')
    await assert.rejects(client.delete(root), refused('ForbiddenError'))
    assert.equal(await bob.delete(root), true)
    assert.equal(await bob.findSize(root), undefined)
    assert.equal(await bob.delete(root), false)
    assert.deepEqual(provider.disk.pieceRoots(), [])
    assert.equal((await client.info()).pieces, 0)
  })

  test('every leaf can be proven', async () => {
    const { world, provider, client } = await startedProvider()
    for (const sizeBytes of [1, LEAF_BYTES, 65_536, 65_537, 5 * 65_536 + 3 * LEAF_BYTES + 7]) {
      const piece = world.random.bytes(sizeBytes)
      const { root } = await store(client, world, piece)
      for (let leafIndex = 0; leafIndex < leafCountOf(sizeBytes); leafIndex++) {
        const answer = await provider.raw({ url: `/pieces/${hex32(root)}/proof?leaf=${leafIndex}` })
        const proof = { ...decode<Omit<LeafProof, 'leafIndex'>>(answer.body), leafIndex }
        assert.ok(isLeafProof(root, sizeBytes, proof), `leaf ${leafIndex} of ${sizeBytes}`)
      }
    }
  })
})

describe('a provider refuses', () => {
  test('uploads that are not signed, replayed, for another node, expired or of another path', async () => {
    const { world, provider, user } = await startedProvider()
    const path = `/uploads?id=${'ab'.repeat(32)}&order=0&max=10`
    const sign = (audience = provider.signer.address, at = path) =>
      signedHeaders(world, user, audience, { method: 'POST', path: at, body: 'stream' })
    const send = (headers: Record<string, string>) =>
      provider.raw({ method: 'POST', url: path, headers, body: utf8('0123456789') })
    assert.equal((await send({})).status, 401)
    const good = await sign()
    assert.equal((await send(good)).status, 200)
    assert.equal((await send(good)).status, 401, 'a nonce is good once')
    assert.equal((await send(await sign(user.address))).status, 401, 'signed for another audience')
    assert.equal((await send(await sign(undefined, path.replace('max=10', 'max=11')))).status, 401)
    const early = await sign()
    await world.time.advance(61_000)
    assert.equal((await send(early)).status, 401, 'expired')
    const other = { ...(await sign()), 'memo-account': world.user('mallory').address }
    assert.equal((await send(other)).status, 401, 'in the name of another')
  })

  test('uploads by who is no active user', async () => {
    const { world, provider, piece } = await startedProvider()
    const stranger = world.stranger('nobody')
    const upload = (by = stranger) => store(provider.client(by), world, piece)
    await assert.rejects(upload(), refused('ForbiddenError'))
    for (const role of ['provider', 'keeper'] as const) {
      world.chain.setAccount({ address: stranger.address, role })
      await assert.rejects(upload(), refused('ForbiddenError'))
    }
    for (const state of ['registered', 'suspended', 'exited', 'banned'] as const) {
      world.chain.setAccount({ address: stranger.address, role: 'user', state })
      await assert.rejects(upload(), refused('ForbiddenError'))
    }
    world.chain.setAccount({ address: stranger.address, role: 'user', state: 'active' })
    assert.ok(await upload())
  })

  test('bodies that are larger than announced, and empty ones', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const upload = (body: Uint8Array, maxBytes: number) =>
      client.upload(world.random.bytes(32), inChunks(body), { maxBytes, orderId: 0 })
    await assert.rejects(upload(piece, PIECE_BYTES - 1), refused('BodyTooLargeError'))
    await assert.rejects(upload(new Uint8Array(0), 10), refused('BadInputError'))
    await assert.rejects(upload(piece, 0), refused('BadInputError'))
    await assert.rejects(upload(piece, 64 * 1_048_576 + 1), refused('BadInputError'))
    assert.equal((await client.info()).freeBytes, 2 ** 40, 'nothing stays reserved')
    assert.deepEqual(provider.disk.pieceRoots(), [])
  })

  test('orders that it does not know', async () => {
    const { world, client, piece } = await startedProvider()
    const upload = client.upload(world.random.bytes(32), inChunks(piece), { maxBytes: PIECE_BYTES, orderId: 7 })
    await assert.rejects(upload, refused('OrderRefusedError'))
  })

  test('ids, roots and paths that are none', async () => {
    const { world, provider, user } = await startedProvider()
    const statusOf = async (url: string, method = 'GET') => (await provider.raw({ method, url })).status
    for (const root of [
      '..%2f..%2fetc%2fpasswd',
      '../../etc/passwd',
      'AB'.repeat(32),
      'ab'.repeat(31),
      `${'ab'.repeat(32)}%00`,
    ]) {
      assert.equal(await statusOf(`/pieces/${root}`), 404, root)
    }
    assert.equal(await statusOf(`/pieces/${'ab'.repeat(32)}`), 404)
    assert.equal(await statusOf('/pieces/'), 404)
    assert.equal(await statusOf('/%'), 404)
    assert.equal(await statusOf('info'), 400)
    assert.equal(await statusOf('/info', 'PUT'), 400)
    assert.equal(await statusOf(`/info?${'a'.repeat(5_000)}`), 400)
    const path = `/uploads?id=${'zz'.repeat(32)}&order=0&max=10`
    const headers = await signedHeaders(world, user, provider.signer.address, { method: 'POST', path, body: 'stream' })
    assert.equal((await provider.raw({ method: 'POST', url: path, headers, body: utf8('x') })).status, 400)
    const fat = await provider.raw({ url: '/info', headers: { 'x-fat': 'a'.repeat(20_000) } })
    assert.equal(fat.status, 400)
  })

  test('commits whose body is too large or no JSON', async () => {
    const { world, provider, user } = await startedProvider()
    const path = `/uploads/${'ab'.repeat(32)}/commit`
    const send = async (body: Uint8Array) => {
      const headers = await signedHeaders(world, user, provider.signer.address, { method: 'POST', path, body })
      return await provider.raw({ method: 'POST', url: path, headers, body })
    }
    assert.equal((await send(new Uint8Array(5_000))).status, 413)
    assert.equal((await send(utf8('{'))).status, 400)
    assert.equal((await send(utf8('null'))).status, 400)
    assert.equal(
      (await send(utf8(JSON.stringify({ root: hexFromBytes(new Uint8Array(32)), sizeBytes: 1.5 })))).status,
      400,
    )
  })

  test('a commit whose body was altered on the way', async () => {
    const { world, provider, user } = await startedProvider()
    const path = `/uploads/${'ab'.repeat(32)}/commit`
    const body = utf8('{"root":"0x00","sizeBytes":1}')
    const headers = await signedHeaders(world, user, provider.signer.address, { method: 'POST', path, body })
    const answer = await provider.raw({
      method: 'POST',
      url: path,
      headers,
      body: utf8('{"root":"0x00","sizeBytes":2}'),
    })
    assert.equal(answer.status, 401)
  })

  test('ranges that it cannot serve, and serves the others exactly', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    const get = (range: string) => provider.raw({ url: `/pieces/${hex32(root)}`, headers: { range } })
    for (const range of [
      'bytes=300001-',
      'bytes=5-4',
      'bytes=-0',
      'bytes=-',
      'bytes=0-1,3-4',
      'items=0-1',
      'bytes=a-b',
      'x',
    ]) {
      const answer = await get(range)
      assert.equal(answer.status, 416, range)
      assert.equal(answer.headers['content-range'], `bytes */${PIECE_BYTES}`)
    }
    const cases: [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=65536-', 65_536, PIECE_BYTES],
      ['bytes=-5', PIECE_BYTES - 5, PIECE_BYTES],
      ['bytes=-900000', 0, PIECE_BYTES],
      ['bytes=10-99999999', 10, PIECE_BYTES],
    ]
    for (const [range, from, to] of cases) {
      const answer = await get(range)
      assert.equal(answer.status, 206, range)
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${PIECE_BYTES}`)
      assert.equal(answer.headers['content-length'], `${to - from}`)
      assert.deepEqual(answer.body, Buffer.from(piece.subarray(from, to)))
    }
    const whole = await provider.raw({ url: `/pieces/${hex32(root)}` })
    assert.equal(whole.status, 200)
    assert.equal(whole.body.length, PIECE_BYTES)
  })

  test('leaves that the piece does not have', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    for (const leaf of ['74', '-1', 'x', '1e1', '']) {
      const answer = await provider.raw({ url: `/pieces/${hex32(root)}/proof?leaf=${leaf}` })
      assert.equal(answer.status, 400, leaf)
    }
    assert.equal((await provider.raw({ url: `/pieces/${hex32(root)}/proof` })).status, 400)
  })

  test('everything after it has stopped', async () => {
    const { provider } = await startedProvider()
    assert.equal((await provider.raw({ url: '/info' })).status, 200)
    await provider.stop()
    const answer = await provider.raw({ url: '/info' })
    assert.equal(answer.status, 503)
    assert.equal(errorName(answer), 'NotServingError')
  })

  test('uploads while the chain does not count it as active; what it holds can be read', async () => {
    const { world, provider, client, piece } = await startedProvider()
    const { root } = await store(client, world, piece)
    world.chain.setAccount({ address: provider.signer.address, role: 'provider', state: 'suspended' })
    await assert.rejects(store(client, world, world.random.bytes(10)), refused('NotServingError'))
    assert.equal((await client.info()).freeBytes, 0)
    assert.equal(await client.findSize(root), PIECE_BYTES)
  })

  test('what it cannot check, when the chain does not answer, and says nothing of its inside', async () => {
    const { world, provider, client, piece } = await startedProvider()
    world.chain.setFault(new TypeError('socket of /secret/path hung up'))
    await assert.rejects(store(client, world, piece), refused('NodeFaultError'))
    const answer = await provider.raw({ url: '/info' })
    assert.equal(answer.status, 503)
    assert.equal(errorName(answer), 'NodeFaultError')
    assert.doesNotMatch(Buffer.from(answer.body).toString(), /secret/)
    assert.ok(
      provider.events.some((event) => event.message.includes('secret')),
      'its own log says why',
    )
  })
})
