import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError } from '@memo/core'
import { digestOf, type SimulatedNode, sha256, startWorld, type World } from './simulation/world.ts'

/**
 * Nodes die and come back at random while objects are put over links that break and corrupt. Another story, or the one
 * that failed, is told with `MEMO_SEEDS=a,b,c node --conditions=source --test e2e/simulation-chaos.test.ts`.
 */
const SEEDS = process.env.MEMO_SEEDS?.split(',') ?? ['chaos 1', 'chaos 2']
const PUTS = 10
const POLICY_PARITY = 2
const SMALL_BYTES = 400_000
const LARGE_BYTES = 5_000_000

describe('through any weather', () => {
  for (const seed of SEEDS) {
    test(`what a put returned can be read, to the last byte (seed ${seed})`, async () => {
      const link = { breakRate: 0.05, corruptRate: 0.02 }
      const world = await startWorld({ seed, providers: 10, keepers: 4, link, syncMs: 5 })
      const user = world.createUser('user')
      const weather = startWeather(world)
      const kept = new Map<string, string>()
      for (let i = 0; i < PUTS; i++) {
        const bytes = world.random.bytes(1 + world.random.int(i % 3 ? SMALL_BYTES : LARGE_BYTES))
        const options = {
          did: user.did,
          name: `object ${i}`,
          contentType: 'application/octet-stream',
          isPublic: false,
          readers: [user.keys.publicKey],
        }
        const outcome = await world.run(user.storage.put(bytes, options)).catch((error: unknown) => error)
        if (outcome instanceof Error) assertBlamesOthers(outcome)
        else kept.set((outcome as { cid: string }).cid, sha256(bytes))
        await world.time.advance(1_000)
      }
      await world.run(weather.end())
      world.network.setLink('*', '*', { breakRate: 0, corruptRate: 0 })
      await world.time.advance(180_000)
      assert.ok(kept.size > PUTS / 2, `${kept.size} of ${PUTS} puts succeeded`)
      for (const [cid, digest] of kept) {
        const found = await world.run(user.storage.findObject(user.did, cid, user.keys))
        assert.ok(found?.manifest, `${cid} is in the index`)
        assert.equal(await world.run(digestOf(user.storage.read(found.manifest))), digest)
      }
      const killed = world.trace.events.filter((event) => event.endsWith(': killed'))
      assert.ok(killed.length >= 3, `${killed.length} nodes were killed`)
      assert.deepEqual(
        world.events.filter(({ level }) => level === 'error'),
        [],
      )
      await world.stop()
    })
  }
})

function assertBlamesOthers(error: Error): void {
  assert.ok(error instanceof MemoError, String(error))
  assert.ok(error.blame === 'provider' || error.blame === 'keeper', `${error.name} blames ${error.blame}`)
}

/** Kills and restarts nodes, never more at once than the network is to bear. */
function startWeather(world: World): { end(): Promise<void> } {
  const random = world.random.fork('weather')
  let isOver = false
  const down = (nodes: readonly SimulatedNode[]) => nodes.filter((node) => !node.isUp())
  const turn = async (nodes: readonly SimulatedNode[], mostDown: number) => {
    const fallen = down(nodes)
    if (fallen.length < mostDown && random.chance(0.6)) random.pick(nodes.filter((node) => node.isUp())).kill()
    else if (fallen.length > 0) await random.pick(fallen).start()
  }
  const blow = async () => {
    while (!isOver) {
      await world.time.timers.sleep(200 + random.int(3_000))
      await turn(world.providers, POLICY_PARITY)
      if (random.chance(0.5)) await turn(world.keepers, 1)
    }
    for (const node of down([...world.providers, ...world.keepers])) await node.start()
  }
  const blowing = blow()
  return {
    async end() {
      isOver = true
      await blowing
    },
  }
}
