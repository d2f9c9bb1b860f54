import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodePlacement, encodePlacement, type Placement } from '@memo/core'
import type { RestoreReport, SlotProgress } from '@memo/sdk'
import {
  type CheckpointWorld,
  createCheckpointWorld,
  expected,
  loginOf,
  restoreAll,
  write,
} from './support/checkpoint-world.ts'
import { testBytes, testKey } from './support/world.ts'

const CROWD = 300
const TARPIT = 'http://tarpit'

/** An own log, one by login, and a crowd of registered strangers who each leave a slot before that login comes. */
async function startAmong(forge: (good: Placement, i: number) => Uint8Array) {
  const world = createCheckpointWorld()
  const tarpit = testKey('tarpit').signer.address
  world.chain.setAccount({ address: tarpit, role: 'provider', endpoint: TARPIT })
  world.network.listen(TARPIT, async () => await new Promise<never>(() => undefined))
  world.network.setLink('*', TARPIT, { state: 'silent' })
  const storage = world.openFor()
  await world.putAs(storage, 'mine')
  await write(world, storage)
  const [own] = [...world.contract.slots.values()]
  const good = decodePlacement(own!.placement)
  for (let i = 0; i < CROWD; i++) {
    const { address } = testKey(`hostile ${i}`).signer
    world.chain.setAccount({ address, role: 'user' })
    const hash = testBytes(32, i)
    const slot = { writer: address, seq: 9, hash, placement: forge(good, i), blockNumber: 1 }
    world.contract.slots.set(`${world.did}/${address}`, slot)
  }
  const gateway = world.openFor(testKey('gateway'))
  await world.putAs(gateway, 'by gateway', 1_000, { evidence: await loginOf(world) })
  await write(world, gateway, { readers: [world.owner.publicKey] })
  return { world, tarpit }
}

/** Restores without keepers; what it took in virtual time and questions to providers. */
async function measure(world: CheckpointWorld) {
  world.killKeepers()
  const asked = () => world.providers.reduce((sum, { requests }) => sum + requests.length, 0)
  const [startMs, before] = [world.time.clock.nowMs(), asked()]
  const { found, report } = await restoreAll(world)
  assert.deepEqual(found, expected(['mine'], ['by gateway']))
  return { ms: world.time.clock.nowMs() - startMs, questions: asked() - before, report: report as RestoreReport }
}

describe(`a crowd of ${CROWD} hostile slots`, () => {
  test('that lead to providers which never answer costs minutes, not hours, and nothing of the files', async () => {
    const tarpit = testKey('tarpit').signer.address
    const { world } = await startAmong((good, i) => {
      const pieces = good.pieces.map((piece, n) => ({ ...piece, root: testBytes(32, i * 10 + n), provider: tarpit }))
      return encodePlacement({ ...good, pieces })
    })
    const { ms, questions, report } = await measure(world)
    // 300 first looks of 4 s, 16 side by side, then second looks for five minutes at the most.
    assert.ok(ms < 420_000, `${ms} ms`)
    assert.ok(questions < 20_000, `${questions} questions`)
    assert.equal(report.faults.length, CROWD)
  })

  test('that name pieces which are nowhere asks no more of providers than is allowed for all of them', async () => {
    const { world } = await startAmong((good, i) => {
      const pieces = good.pieces.map((piece, n) => ({ ...piece, root: testBytes(32, i * 10 + n) }))
      return encodePlacement({ ...good, pieces })
    })
    const { ms, questions, report } = await measure(world)
    // A provider that does not answer is asked too: 4 s for each, 16 side by side.
    assert.ok(ms < 90_000, `${ms} ms`)
    assert.ok(questions <= CROWD * 2 * 3 * 6, `${questions} questions`)
    assert.equal(report.faults.length, CROWD)
  })

  test('that claim to be large costs minutes as well, and each is told of', async () => {
    const tarpit = testKey('tarpit').signer.address
    const { world } = await startAmong((good, i) => {
      const pieces = good.pieces.map((piece, n) => ({ ...piece, root: testBytes(32, i * 10 + n), provider: tarpit }))
      return encodePlacement({ ...good, sizeBytes: 200_000_000, pieces })
    })
    const { ms, report } = await measure(world)
    assert.ok(ms < 320_000, `${ms} ms`)
    assert.equal(report.faults.length, CROWD)
  })

  test('of noise, or for other DIDs, is not asked for at all', async () => {
    const { world } = await startAmong((good, i) => {
      return i % 2 ? testBytes(500, i) : encodePlacement({ ...good, owner: 'did:memo:other' })
    })
    const { questions, report } = await measure(world)
    assert.ok(questions < 60, `${questions} questions`)
    assert.equal(report.faults.length, CROWD)
  })

  test('is told of while it is read', async () => {
    const { world } = await startAmong((_, i) => testBytes(500, i))
    world.killKeepers()
    const told: SlotProgress[] = []
    const storage = world.openFor()
    const options = { reader: world.owner, onProgress: (progress: SlotProgress) => void told.push(progress) }
    await world.run(
      (async () => {
        for await (const { object } of storage.restore(world.did, options)) assert.ok(object.cid)
      })(),
    )
    assert.equal(told.length, CROWD + 2)
    assert.deepEqual(told.at(-1), { looked: CROWD + 2, slots: CROWD + 2 })
    assert.ok(told.every(({ looked }, i) => looked === i + 1))
  })
})
