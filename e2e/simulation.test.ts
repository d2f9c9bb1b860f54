import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError } from '@memo/core'
import { digestOf, type SimulatedUser, sha256, startWorld, type World } from './simulation/world.ts'

const MIB = 1_048_576

async function put(world: World, user: SimulatedUser, name: string, bytes: Uint8Array, isPublic = false) {
  const options = {
    did: user.did,
    name,
    contentType: 'application/octet-stream',
    isPublic,
    readers: [user.keys.publicKey],
  }
  return await world.run(user.storage.put(bytes, options))
}

async function read(world: World, user: SimulatedUser, cid: string): Promise<string> {
  const found = await world.run(user.storage.findObject(user.did, cid, user.keys))
  assert.ok(found?.manifest, `object ${cid} is in the index`)
  return await world.run(digestOf(user.storage.read(found.manifest)))
}

/** What happens in the story that is told twice: puts, a provider's death, a keeper's death and return, reads. */
async function tellStory(seed: string): Promise<{ digest: string; events: number; outcome: string }> {
  const world = await startWorld({ seed, providers: 9, keepers: 3, link: { breakRate: 0.02 }, syncMs: 4 })
  const user = world.createUser('user')
  const outcome: string[] = []
  for (const [round, size] of [100, 3 * MIB, 5 * MIB].entries()) {
    const bytes = world.random.bytes(size)
    const { cid, acks } = await put(world, user, `object ${round}`, bytes)
    outcome.push(`${cid} ${acks.length}`)
    world.random.pick(world.providers.filter((node) => node.isUp())).kill()
    if (round === 0) world.keepers[1]?.kill()
    if (round === 1) await world.run(world.keepers[1]!.start())
    await world.time.advance(20_000)
    outcome.push(await read(world, user, cid))
    assert.equal(outcome.at(-1), sha256(bytes))
  }
  await world.stop()
  return { digest: world.trace.digest(), events: world.trace.events.length, outcome: outcome.join() }
}

describe('a network of one process', () => {
  test('stores an object durably and gives it back, to its owner and by its CID', async () => {
    const world = await startWorld({ seed: 'plain', providers: 8, keepers: 3 })
    const user = world.createUser('user')
    const bytes = world.random.bytes(9 * MIB + 12_345)
    const secret = await put(world, user, 'secret', bytes)
    assert.ok(secret.acks.length >= 2)
    assert.equal(await read(world, user, secret.cid), sha256(bytes))
    const shown = await put(world, user, 'shown', bytes.subarray(0, 1_000), true)
    const stranger = world.createUser('stranger')
    const found = await world.run(stranger.storage.findPublicObject(shown.cid))
    assert.equal(await world.run(digestOf(stranger.storage.read(found!.manifest!))), sha256(bytes.subarray(0, 1_000)))
    assert.equal(await world.run(stranger.storage.findPublicObject(secret.cid)), undefined)
    await world.stop()
  })

  test('gives it back with m providers dead, and says so when one more dies', async () => {
    const world = await startWorld({ seed: 'dead providers', providers: 6, keepers: 3 })
    const user = world.createUser('user')
    const bytes = world.random.bytes(5 * MIB)
    const { cid } = await put(world, user, 'object', bytes)
    const [first, second, third] = world.random.shuffle(world.providers)
    first!.kill()
    second!.kill()
    assert.equal(await read(world, user, cid), sha256(bytes))
    third!.kill()
    await assert.rejects(read(world, user, cid), { name: 'NotEnoughPiecesError', blame: 'provider' })
    await world.run(second!.start())
    await world.time.advance(120_000)
    assert.equal(await read(world, user, cid), sha256(bytes), 'what a provider gave a receipt for survives its crash')
    await world.stop()
  })

  test('completes a put whose providers die or fall silent while it runs', async () => {
    const world = await startWorld({ seed: 'dying', providers: 10, keepers: 3, link: { bytesPerMs: 20_000 } })
    const user = world.createUser('user')
    const bytes = world.random.bytes(12 * MIB)
    const putting = put(world, user, 'object', bytes)
    const dying = (async () => {
      await world.time.timers.sleep(150)
      world.providers[6]!.kill()
      world.network.setLink('*', world.providers[1]!.endpoint, { state: 'silent' })
    })()
    const { cid, providers } = await putting
    await dying
    const faults = world.trace.events.filter((event) => event.includes('user: fault'))
    for (const node of [world.providers[6]!, world.providers[1]!]) {
      assert.ok(
        faults.some((fault) => fault.includes(node.signer.address)),
        `${node.endpoint} was in use and failed`,
      )
    }
    assert.equal(providers.length, 6)
    assert.equal(await read(world, user, cid), sha256(bytes))
    await world.stop()
  })

  test('finds rotten bytes, reads around them, and names who gave them', async () => {
    const world = await startWorld({ seed: 'rot', providers: 6, keepers: 1 })
    const user = world.createUser('user')
    const bytes = world.random.bytes(2 * MIB)
    const { cid } = await put(world, user, 'object', bytes)
    for (const node of world.providers.slice(0, 2)) {
      for (const root of node.disk.pieceRoots()) assert.ok(node.disk.corruptPiece(root, 70_000))
    }
    assert.equal(await read(world, user, cid), sha256(bytes))
    assert.ok(world.trace.events.some((event) => event.includes('PieceCorruptError')))
    await world.stop()
  })

  test('a keeper that was down learns what it missed', async () => {
    const world = await startWorld({ seed: 'replication', providers: 6, keepers: 3 })
    const user = world.createUser('user')
    const [down, ...others] = world.keepers
    down!.kill()
    const bytes = world.random.bytes(50_000)
    const { cid, acks } = await put(world, user, 'object', bytes)
    assert.equal(acks.length, 2)
    await world.run(down!.start())
    await world.time.advance(60_000)
    for (const keeper of others) keeper.kill()
    await world.time.advance(60_000)
    assert.equal(await read(world, user, cid), sha256(bytes))
    await world.stop()
  })

  test('is not durable without two thirds of the keepers, and says so', async () => {
    const world = await startWorld({ seed: 'no quorum', providers: 6, keepers: 3 })
    const user = world.createUser('user')
    world.keepers[0]!.kill()
    world.keepers[1]!.kill()
    await assert.rejects(put(world, user, 'object', world.random.bytes(1_000)), {
      name: 'NotDurableError',
      blame: 'keeper',
    })
    await world.stop()
  })

  test('over links that break and corrupt, a put is durable and right or an error that says whose fault it is', async () => {
    let durable = 0
    for (const seed of ['one', 'two', 'three']) {
      const link = { breakRate: 0.1, corruptRate: 0.05 }
      const world = await startWorld({ seed, providers: 10, keepers: 3, link, syncMs: 3 })
      const user = world.createUser('user')
      for (let i = 0; i < 4; i++) {
        const bytes = world.random.bytes(world.random.int(3 * MIB) + 1)
        const outcome = await put(world, user, `object ${i}`, bytes).catch((error: unknown) => error)
        if (outcome instanceof Error) {
          assert.ok(outcome instanceof MemoError && outcome.blame !== 'us' && outcome.blame !== 'user', String(outcome))
          continue
        }
        durable++
        world.network.setLink('*', '*', { breakRate: 0, corruptRate: 0 })
        assert.equal(await read(world, user, (outcome as { cid: string }).cid), sha256(bytes))
        world.network.clearLinks()
      }
      await world.stop()
    }
    assert.ok(durable > 0, 'some puts succeed')
  })

  test('is repeated exactly by its seed, and another seed is another story', async () => {
    const [once, again, other] = [await tellStory('seed 1'), await tellStory('seed 1'), await tellStory('seed 2')]
    assert.deepEqual(again, once)
    assert.notEqual(other.digest, once.digest)
    assert.ok(once.events > 100)
  })
})
