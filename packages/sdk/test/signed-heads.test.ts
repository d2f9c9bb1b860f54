import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, type IndexStore, MemoError, type Transport } from '@memo/core'
import { createMemoryDisk, createSeededRandomness, type MemoryDisk } from '@memo/core/testing'
import { createWorld, listAll, putOptions, testBytes, type World } from './support/world.ts'

let processes = 0
const never = () => new Promise<never>(() => undefined)

/** A process of a client: it ends at call `dieAt` of a port, before the call (even) or after it (odd). */
function createProcess(world: World, disk: MemoryDisk | undefined, dieAt = Number.POSITIVE_INFINITY) {
  const died = Promise.withResolvers<void>()
  let moments = 0
  const guard = async <T>(run: () => Promise<T>): Promise<T> => {
    const end = async () => {
      disk?.crash()
      died.resolve()
      return await never()
    }
    if (moments > dieAt) return await never()
    if (moments++ === dieAt) return await end()
    const result = await run()
    if (moments > dieAt) return await never()
    return moments++ === dieAt ? await end() : result
  }
  const transport: Transport = (request) => guard(async () => await world.transport(request))
  const index = disk?.openIndexStore()
  const store: IndexStore | undefined = index && { ...index, apply: (changes) => guard(() => index.apply(changes)) }
  const storage = world.open({
    store,
    ports: {
      network: world.chain.network,
      ...world.time,
      transport,
      random: createSeededRandomness(`process ${processes++}`),
      signer: world.owner.signer,
    },
  })
  return { storage, died: died.promise, moments: () => moments }
}

/** One story: a client dies at a moment of its second put, one keeper is away when it comes back, then all are there. */
async function runStory(hasStore: boolean, dieAt: number | undefined, away: number): Promise<number> {
  const world = createWorld({ providers: 3, limits: { submitAttempts: 2, submitPauseMs: 10, askMs: 100 } })
  const disk = hasStore ? createMemoryDisk() : undefined
  const put = (process: ReturnType<typeof createProcess>, name: string) =>
    process.storage.put(testBytes(100, name.length), {
      ...putOptions(world.did, world.owner),
      policy: 'rs:2+1',
      name,
    })
  const first = createProcess(world, disk, dieAt)
  const putting = put(first, 'a')
  putting.catch(() => undefined) // it never ends when the client dies
  await world.run(Promise.race([putting, first.died]))
  if (dieAt === undefined) return first.moments()
  world.kill(world.keepers[away]!.endpoint)
  const again = createProcess(world, disk)
  await world.run(put(again, 'bb').catch((thrown) => assert.ok(thrown instanceof MemoError, thrown)))
  world.network.clearLinks()
  await world.run(put(again, 'ccc'))
  await world.run(again.storage.close())
  const seen = new Map<string, string>()
  for (const { logs } of world.keepers) {
    for (const { entry, hash } of [...logs.values()].flat()) {
      const key = `${entry.writer}:${entry.seq}`
      assert.equal(seen.get(key) ?? hex32(hash), hex32(hash), `two entries were signed as ${key}`)
      seen.set(key, hex32(hash))
    }
  }
  const listed = await world.run(listAll(world.storage.list(world.did, { reader: world.owner })))
  const names = listed.map(({ name }) => name)
  assert.ok(names.includes('bb') && names.includes('ccc'), names.join())
  return first.moments()
}

describe('a client that is killed while it puts, and comes back while one keeper is away', () => {
  test('never signs two entries under one number, at whichever moment it was killed', async () => {
    const moments = await runStory(true, undefined, 0)
    for (let dieAt = 0; dieAt < moments; dieAt++) {
      for (const away of [0, 1, 2]) {
        await runStory(true, dieAt, away).catch((cause: unknown) => {
          throw new AggregateError([cause], `killed at ${dieAt} of ${moments}, keeper ${away} away: ${cause}`)
        })
      }
    }
  })

  test('would fork its log at some moment if it kept nothing', async () => {
    const moments = await runStory(false, undefined, 0)
    let forks = 0
    for (let dieAt = 0; dieAt < moments; dieAt++) {
      for (const away of [0, 1, 2]) {
        await runStory(false, dieAt, away).catch((thrown: unknown) => {
          if (!/two entries|moved on|not durable|writes to this log/.test(String(thrown))) throw thrown
          forks++
        })
      }
    }
    assert.ok(forks > 0)
  })
})
