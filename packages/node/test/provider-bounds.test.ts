import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32 } from '@memo/core'
import { scriptOrder } from './support/orders.ts'
import { createWorld, inChunks, store } from './support/world.ts'

const MINUTE_MS = 60_000
const ORDER = 5n

async function startedProvider() {
  const world = createWorld('bounds')
  const provider = world.provider('a', { limits: { orderSweepRestMs: MINUTE_MS, graceSeconds: 3_600 } })
  await provider.start()
  const user = world.user('alice')
  const client = provider.client(user)
  const open = (options: Partial<Parameters<typeof scriptOrder>[2]> = {}) =>
    scriptOrder(world, ORDER, { user: user.address, provider: provider.signer.address, ...options })
  open()
  world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 3_600n })
  const put = async (sizeBytes: number) => await store(client, world, world.random.bytes(sizeBytes), Number(ORDER))
  return { world, provider, client, open, put }
}

test('an order that its user ends early is noticed in the next epoch, not at the end that it had', async () => {
  const { world, provider, open, put } = await startedProvider()
  const { root } = await put(1_000)
  await world.time.advance(3 * MINUTE_MS)
  open({ end: 11n }) // shrunk to nothing: what it had locked is his again
  world.chain.setEpochs({ current: 12n, closedBefore: 11n })
  await world.time.advance(90 * MINUTE_MS)
  assert.ok(provider.events.some(({ type, orderId }) => type === 'order-over' && orderId === 5))
  assert.ok(!provider.disk.pieceRoots().includes(hex32(root)))
})

describe('what was given up under an order and is kept for its window', () => {
  const SIZE = 1_000_000

  test('is never more than as much again as the order has, over a restart too', async () => {
    const { world, provider, client, put } = await startedProvider()
    const turn = async () => await client.delete((await put(500_000)).root)
    for (let i = 0; i < 2; i++) await turn()
    provider.crash()
    await provider.start()
    for (let i = 0; i < 2; i++) await turn()
    const upload = async () =>
      await client.upload(world.random.bytes(32), inChunks(world.random.bytes(500_000)), {
        maxBytes: 500_000,
        orderId: Number(ORDER),
      })
    await assert.rejects(upload(), (error: Error & { details?: Record<string, unknown>; fix?: string }) => {
      assert.equal(error.name, 'OrderRefusedError')
      assert.deepEqual([error.details?.reason, error.details?.usedBytes], ['too-small', SIZE])
      assert.match(error.message, /given up/)
      return true
    })
    assert.ok(provider.disk.pieceRoots().length <= 4)
    await world.time.advance(2 * MINUTE_MS)
    world.chain.setEpochs({ current: 40n, closedBefore: 38n })
    await world.time.advance(3 * MINUTE_MS)
    await upload()
  })

  test('counts no more once it is held again', async () => {
    const { world, client, put } = await startedProvider()
    const bytes = world.random.bytes(900_000)
    for (let i = 0; i < 5; i++) {
      const { root } = await store(client, world, bytes, Number(ORDER))
      await client.delete(root)
    }
    await store(client, world, bytes, Number(ORDER))
    await put(100_000)
  })
})

describe('an order that its user shrank under what is held', () => {
  test('is like one that is over: who pays for a byte is not kept for a year', async () => {
    const { world, provider, open, put } = await startedProvider()
    const { root } = await put(1_000)
    const isThere = () => provider.disk.pieceRoots().includes(hex32(root))
    open({ sizeBytes: 999n })
    world.chain.setEpochs({ current: 12n, closedBefore: 11n })
    await world.time.advance(50 * MINUTE_MS)
    assert.ok(isThere())
    provider.crash()
    await provider.start()
    await world.time.advance(20 * MINUTE_MS)
    assert.ok(!isThere())
    assert.ok(provider.events.some(({ type, orderId }) => type === 'order-short' && orderId === 5))
  })

  test('keeps all once it is large enough again, or enough was given up', async () => {
    const { world, provider, client, open, put } = await startedProvider()
    const [a, b] = [await put(1_000), await put(1_000)]
    const isThere = ({ root }: { readonly root: Uint8Array }) => provider.disk.pieceRoots().includes(hex32(root))
    open({ sizeBytes: 1_500n })
    world.chain.setEpochs({ current: 12n, closedBefore: 11n })
    await world.time.advance(50 * MINUTE_MS)
    open({ sizeBytes: 2_000n })
    await world.time.advance(50 * MINUTE_MS)
    open({ sizeBytes: 1_500n })
    world.chain.setEpochs({ current: 13n, closedBefore: 12n })
    await world.time.advance(50 * MINUTE_MS)
    assert.ok(isThere(a!) && isThere(b!))
    await client.delete(a!.root)
    await world.time.advance(50 * MINUTE_MS)
    assert.ok(isThere(b!))
  })
})
