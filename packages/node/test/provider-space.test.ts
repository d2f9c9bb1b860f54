import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, utf8 } from '@memo/core'
import { InjectedFaultError } from '@memo/core/testing'
import { createWorld, errorName, inChunks, type ProviderNodeOptions, signedHeaders, store } from './support/world.ts'

const refused = (name: string) => (error: Error) => error.name === name
const TEN_MINUTES_MS = 600_000

async function startedProvider(options: ProviderNodeOptions = {}) {
  const world = createWorld()
  const provider = world.provider('a', options)
  const user = world.user('alice')
  await provider.start()
  const client = provider.client(user)
  const upload = (bytes: Uint8Array | AsyncIterable<Uint8Array>, maxBytes: number, id = world.random.bytes(32)) =>
    client.upload(id, bytes instanceof Uint8Array ? inChunks(bytes) : bytes, { maxBytes, orderId: 0 })
  const freeBytes = async () => (await client.info()).freeBytes
  return { world, provider, user, client, upload, freeBytes }
}

/** A body that gives `first` and then nothing, until it is left. */
function stalled(first: Uint8Array): AsyncIterable<Uint8Array> {
  const done: IteratorResult<Uint8Array> = { done: true, value: undefined }
  const steps = [first]
  let leave = (_: IteratorResult<Uint8Array>): void => undefined
  const left = new Promise<IteratorResult<Uint8Array>>((resolve) => {
    leave = resolve
  })
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const value = steps.shift()
        return value ? { done: false, value } : await left
      },
      async return() {
        leave(done)
        return done
      },
    }),
  }
}

describe('space', () => {
  test('is bounded by what was pledged for, less what is held and reserved', async () => {
    const { world, client, upload, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    await store(client, world, world.random.bytes(400))
    assert.equal(await freeBytes(), 600)
    await upload(world.random.bytes(100), 300)
    assert.equal(await freeBytes(), 500, 'what arrived, not what was announced')
    await assert.rejects(upload(world.random.bytes(10), 501), refused('NoSpaceError'))
    await upload(world.random.bytes(500), 500)
    assert.equal(await freeBytes(), 0)
  })

  test('a refusal for lack of room has status 507 and is the provider’s', async () => {
    const { world, provider, user } = await startedProvider({ capacityBytes: 5 })
    const path = `/uploads?id=${'ab'.repeat(32)}&order=0&max=6`
    const headers = await signedHeaders(world, user, provider.signer.address, { method: 'POST', path, body: 'stream' })
    const answer = await provider.raw({ method: 'POST', url: path, headers, body: utf8('123456') })
    assert.equal(answer.status, 507)
    assert.equal(errorName(answer), 'NoSpaceError')
  })

  test('is bounded by the disk', async () => {
    const { world, client, upload, freeBytes } = await startedProvider({ diskBytes: 1_000 })
    await store(client, world, world.random.bytes(400))
    assert.equal(await freeBytes(), 600)
    await assert.rejects(upload(world.random.bytes(10), 601), refused('NoSpaceError'))
  })

  test('is counted again from the records after a crash', async () => {
    const { world, provider, client, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    await store(client, world, world.random.bytes(400))
    provider.crash()
    await provider.start()
    assert.equal(await freeBytes(), 600)
  })

  test('two uploads cannot both have the last of it', async () => {
    const { world, upload } = await startedProvider({ capacityBytes: 1_000 })
    const results = await Promise.allSettled([1, 2, 3].map(() => upload(world.random.bytes(600), 600)))
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1)
  })

  test('a piece that is held is counted once, whoever uploads it again', async () => {
    const { world, provider, client, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    const piece = world.random.bytes(300)
    await store(client, world, piece)
    await store(client, world, piece)
    await store(provider.client(world.user('bob')), world, piece)
    assert.equal(await freeBytes(), 700)
    await client.delete((await store(client, world, piece)).root)
    assert.equal(await freeBytes(), 700, 'bob holds it')
  })
})

describe('an open upload', () => {
  test('is dropped ten minutes after it arrived, with its bytes and its space', async () => {
    const { world, client, upload, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    const id = world.random.bytes(32)
    const { root, sizeBytes } = await upload(world.random.bytes(1_000), 1_000, id)
    await world.time.advance(TEN_MINUTES_MS - 1_000)
    assert.equal(await freeBytes(), 0)
    await world.time.advance(2_000)
    assert.equal(await freeBytes(), 1_000)
    await assert.rejects(client.commit(id, { root, sizeBytes }), refused('NotFoundError'))
  })

  test('is dropped when its sender goes away', async () => {
    const { world, client, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    const controller = new AbortController()
    const body = stalled(world.random.bytes(100))
    const sending = client.upload(world.random.bytes(32), body, { maxBytes: 1_000, orderId: 0 }, controller)
    sending.catch(() => undefined) // looked at below
    await world.time.settle()
    assert.equal(await freeBytes(), 0)
    controller.abort(new DOMException('gone', 'AbortError'))
    await assert.rejects(sending, refused('AbortError'))
    await world.time.settle()
    assert.equal(await freeBytes(), 1_000)
  })

  test('is dropped when its body stands still', async () => {
    const { world, client, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    const body = stalled(world.random.bytes(100))
    const options = { timeoutMs: 3_600_000 }
    const sending = client.upload(world.random.bytes(32), body, { maxBytes: 1_000, orderId: 0 }, options)
    const checked = assert.rejects(sending, refused('UploadEndedError'))
    await world.time.advance(241_000)
    await checked
    assert.equal(await freeBytes(), 1_000)
  })

  test('is dropped when the disk fails under it, and a full disk is a lack of room', async () => {
    const { world, provider, upload, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    provider.disk.setFault((operation) => (operation === 'write' ? new InjectedFaultError('bad sector') : undefined))
    await assert.rejects(upload(world.random.bytes(100), 100), refused('NodeFaultError'))
    class DiskFullError extends InjectedFaultError {
      override readonly name = 'DiskFullError'
    }
    provider.disk.setFault((operation) => (operation === 'write' ? new DiskFullError('full') : undefined))
    await assert.rejects(upload(world.random.bytes(100), 100), refused('NoSpaceError'))
    provider.disk.setFault(undefined)
    assert.equal(await freeBytes(), 1_000)
  })

  test('gives way to the same upload sent again, even while it still arrives', async () => {
    const { world, client, upload, freeBytes } = await startedProvider({ capacityBytes: 1_000 })
    const id = world.random.bytes(32)
    const first = client.upload(id, stalled(world.random.bytes(100)), { maxBytes: 1_000, orderId: 0 })
    const checked = assert.rejects(first, refused('UploadEndedError'))
    await world.time.settle()
    const piece = world.random.bytes(200)
    const { root } = await upload(piece, 1_000, id)
    await checked
    assert.equal(hex32((await client.commit(id, { root, sizeBytes: 200 })).root), hex32(root))
    assert.equal(await freeBytes(), 800)
  })

  test('cannot be committed while it still arrives', async () => {
    const { world, client } = await startedProvider()
    const id = world.random.bytes(32)
    const controller = new AbortController()
    const sending = client.upload(id, stalled(world.random.bytes(100)), { maxBytes: 1_000, orderId: 0 }, controller)
    sending.catch(() => undefined) // it is left below
    await world.time.settle()
    await assert.rejects(client.commit(id, { root: world.random.bytes(32), sizeBytes: 100 }), refused('BusyError'))
    controller.abort(new DOMException('gone', 'AbortError'))
  })

  test('is one of a bounded number, for one account and for all', async () => {
    const limits = { maxOpenUploads: 3, maxOpenUploadsPerAccount: 2 }
    const { world, provider, upload } = await startedProvider({ limits })
    const bob = provider.client(world.user('bob'))
    const byBob = () => bob.upload(world.random.bytes(32), inChunks(utf8('x')), { maxBytes: 1, orderId: 0 })
    await upload(utf8('x'), 1)
    await upload(utf8('x'), 1)
    await assert.rejects(upload(utf8('x'), 1), refused('BusyError'))
    await byBob()
    await assert.rejects(byBob(), refused('BusyError'))
  })

  test('is dropped when the provider stops', async () => {
    const { world, provider, client } = await startedProvider()
    const sending = client.upload(world.random.bytes(32), stalled(utf8('x')), { maxBytes: 10, orderId: 0 })
    sending.catch(() => undefined) // looked at below
    await world.time.settle()
    await provider.stop()
    await assert.rejects(sending)
    assert.equal(world.time.sleeping(), 0, 'nothing of it is left waiting')
  })
})

test('requests beyond the bound are told to come later', async () => {
  const { world, provider, client } = await startedProvider({ limits: { maxRunningRequests: 1 } })
  const controller = new AbortController()
  const sending = client.upload(world.random.bytes(32), stalled(utf8('x')), { maxBytes: 10, orderId: 0 }, controller)
  sending.catch(() => undefined) // it is left below
  await world.time.settle()
  const answer = await provider.raw({ url: '/info' })
  assert.equal(answer.status, 503)
  assert.equal(errorName(answer), 'BusyError')
  controller.abort(new DOMException('gone', 'AbortError'))
  await world.time.settle()
  assert.equal((await provider.raw({ url: '/info' })).status, 200)
})

test('answers that are still read count among them, until they are read, given up, or their requester is gone', async () => {
  const { provider, world, client } = await startedProvider({ limits: { maxRunningRequests: 1 } })
  const { root } = await store(client, world, world.random.bytes(100_000))
  const status = async () => (await provider.raw({ url: '/info' })).status
  const begun = async (signal?: AbortSignal) => {
    const request = { method: 'GET', url: `/pieces/${hex32(root)}`, headers: {}, ...(signal ? { signal } : {}) }
    const body = (await provider.handler(request)).body[Symbol.asyncIterator]()
    await body.next()
    assert.equal(await status(), 503)
    return body
  }
  const read = await begun()
  while (!(await read.next()).done) assert.equal(await status(), 503)
  assert.equal(await status(), 200)
  const left = await begun()
  await left.return?.()
  assert.equal(await status(), 200)
  const controller = new AbortController()
  await begun(controller.signal)
  controller.abort(new DOMException('gone', 'AbortError'))
  assert.equal(await status(), 200)
})
