import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createPayer } from './support/payer.ts'
import { createWorld, putOptions } from './support/world.ts'

const MIB = 1_048_576
const heldPieces = (world: ReturnType<typeof createWorld>) =>
  world.providers.reduce((sum, { pieces }) => sum + pieces.size, 0)

/** A put whose source stops to bring anything once some parts are stored. */
async function stuckPut(world: ReturnType<typeof createWorld>, isPublic: boolean) {
  const payer = createPayer(world)
  const storage = world.open({ orders: payer.orders, limits: { partBytes: MIB } })
  const source = (async function* () {
    for (let i = 0; i < 24; i++) yield randomBytes(MIB)
    await new Promise(() => undefined)
  })()
  const putting = storage.put(source, { ...putOptions(world.did, world.owner), isPublic })
  putting.catch(() => undefined) // asserted below, where it is of interest
  for (let step = 0; step < 120; step++) await world.time.advance(500)
  assert.ok(heldPieces(world) >= 6, 'some parts are stored')
  return { payer, storage, putting }
}

for (const isPublic of [false, true]) {
  test(`a storage that closes gives up what a put had stored, ${isPublic ? 'in clear' : 'sealed'}: nobody pays for it`, async () => {
    const world = createWorld({ providers: 6 })
    const { payer, storage, putting } = await stuckPut(world, isPublic)
    await world.run(storage.close())
    assert.equal(heldPieces(world), 0)
    await assert.rejects(putting, { name: 'StorageClosedError' })
    const { orders } = await world.run(payer.orders.status())
    assert.equal(
      orders.reduce((sum, order) => sum + order.heldBytes, 0),
      0,
    )
  })
}

test('a storage closes in time though providers do not answer', async () => {
  const world = createWorld({ providers: 6 })
  const { storage } = await stuckPut(world, false)
  for (const { endpoint } of world.providers) world.network.setLink('*', endpoint, { state: 'silent' })
  const startedMs = world.time.clock.nowMs()
  await world.run(storage.close())
  assert.ok(world.time.clock.nowMs() - startedMs <= 6_000)
})
