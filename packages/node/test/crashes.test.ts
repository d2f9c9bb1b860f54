import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hexFromBytes, type IndexBundle } from '@memo/core'
import { createLogWriter, createPart, createPerson, type LogWriter, putOf } from './support/entries.ts'
import { createWorld, digestOf, inChunks, type World } from './support/world.ts'

const SEEDS = 8
const STEPS = 60
const SYNC_MS = 4

/** Runs what is started here side by side, and lets virtual time pass until all of it has ended. */
function createParallel(world: World) {
  const running = new Set<Promise<void>>()
  return {
    start(work: () => Promise<void>) {
      const task = work().finally(() => running.delete(task))
      running.add(task)
    },
    async end() {
      await world.time.run(Promise.all(running))
    },
  }
}

describe('crashes at any moment', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    test(`a provider keeps every piece that it gave a receipt for, and its accounts straight (seed ${seed})`, async () => {
      const world = createWorld(`provider-crash-${seed}`)
      const capacityBytes = 1_000_000
      const provider = world.provider('a', { capacityBytes, syncMs: SYNC_MS })
      await world.time.run(provider.start())
      const pieces = Array.from({ length: 5 }, () => world.random.bytes(1 + world.random.int(90_000)))
      const users = ['alice', 'bob'].map((name) => provider.client(world.user(name)))
      /** By user and piece: promised, given up, or unknown because nobody heard how it ended. */
      const state = new Map<string, 'promised' | 'gone' | 'unknown' | 'busy'>()
      const parallel = createParallel(world)

      const attempt = (key: string, success: 'promised' | 'gone', work: () => Promise<unknown>) =>
        parallel.start(async () => {
          const before = state.get(key) ?? 'gone'
          if (before === 'busy') return
          state.set(key, 'busy')
          try {
            await work()
            state.set(key, success)
          } catch {
            state.set(key, before === success ? before : 'unknown') // a crash cut it short
          }
        })
      for (let step = 0; step < STEPS; step++) {
        const u = world.random.int(users.length)
        const p = world.random.int(pieces.length)
        const client = users[u]!
        const piece = pieces[p]!
        const dice = world.random.int(10)
        if (dice < 5) {
          attempt(`${u}/${p}`, 'promised', async () => {
            const id = world.random.bytes(32)
            const sent = await client.upload(id, inChunks(piece, 20_000), { maxBytes: piece.length, orderId: 0 })
            await client.commit(id, sent)
          })
        } else if (dice < 7) attempt(`${u}/${p}`, 'gone', () => client.delete(digestOf(piece).root))
        else if (dice < 9) await world.time.advance(world.random.int(3 * SYNC_MS))
        else {
          provider.crash()
          await world.time.run(provider.start())
        }
      }
      await parallel.end()
      provider.crash()
      await world.time.run(provider.start())

      let heldBytes = 0
      for (const [p, piece] of pieces.entries()) {
        const { root, sizeBytes, units } = digestOf(piece)
        const size = await world.time.run(users[0]!.findSize(root))
        if (size !== undefined) heldBytes += size
        const states = users.map((_, u) => state.get(`${u}/${p}`) ?? 'gone')
        if (states.every((each) => each === 'gone')) assert.equal(size, undefined, `piece ${p} was given up`)
        if (!states.includes('promised')) continue
        assert.equal(size, sizeBytes, `piece ${p} was promised`)
        const read = users[0]!.read({ root, sizeBytes, units }, { offset: 0, length: sizeBytes })
        assert.deepEqual(Buffer.from(await world.time.run(read)), Buffer.from(piece))
      }
      const { freeBytes } = await world.time.run(users[0]!.info())
      assert.equal(freeBytes, capacityBytes - heldBytes)
      assert.deepEqual(
        provider.events.filter(({ type }) => type === 'piece-lost' || type === 'piece-corrupt'),
        [],
      )
    })

    test(`keepers acknowledge one entry a number, keep it, and agree (seed ${seed})`, async () => {
      const world = createWorld(`keeper-crash-${seed}`)
      const keepers = [world.keeper('x', { syncMs: SYNC_MS }), world.keeper('y', { syncMs: SYNC_MS })]
      for (const keeper of keepers) await world.time.run(keeper.start())
      const holder = world.stranger('holder')
      world.chain.setAccount({ address: holder.address, role: 'provider' })
      const people = ['alice', 'bob'].map((name) => createPerson(world, name))
      const part = new Map<string, Awaited<ReturnType<typeof createPart>>>()
      for (const { did } of people) part.set(did, await createPart(world, did, [holder, holder, holder, holder]))
      const logs = people.map(({ did, key }) => createLogWriter(world, did, key))
      /** Hash by keeper, log and number, of what was acknowledged. */
      const acknowledged = new Map<string, string>()
      const parallel = createParallel(world)

      const submit = (k: number, bundle: IndexBundle) =>
        parallel.start(async () => {
          const { did, seq } = bundle.signed.entry
          const hash = hexFromBytes(bundle.signed.hash)
          try {
            await keepers[k]!.client().submit(bundle)
          } catch {
            return // a crash, or a conflict: nothing was promised
          }
          const key = `${k} ${did} ${seq}`
          assert.equal(acknowledged.get(key) ?? hash, hash, 'two acknowledgements with one number')
          acknowledged.set(key, hash)
        })
      for (let step = 0; step < STEPS; step++) {
        const k = world.random.int(keepers.length)
        const log = world.random.pick(logs)
        const dice = world.random.int(12)
        if (dice < 5) submit(k, await nextOf(log, part))
        else if (dice < 7) submit(k, await rivalOf(log, part, step))
        else if (dice < 11) await world.time.advance(world.random.int(3 * SYNC_MS))
        else {
          keepers[k]!.crash()
          await world.time.run(keepers[k]!.start())
        }
      }
      await parallel.end()
      for (const keeper of keepers) {
        keeper.crash()
        await world.time.run(keeper.start())
      }
      for (const [key, hash] of acknowledged) {
        const [k = '', did = '', seq = ''] = key.split(' ')
        const writer = people.find((person) => person.did === did)!.key.address
        const [entry] = await world.time.run(keepers[Number(k)]!.client().listEntries(did, writer, Number(seq)))
        assert.equal(entry && hexFromBytes(entry.hash), hash, key)
      }
      // Without rivals the two would agree on every head; with them each number is one of the two entries.
      await world.time.advance(60_000)
      for (const { did } of people) {
        const heads = await Promise.all(keepers.map((keeper) => world.time.run(keeper.client().listHeads(did))))
        const isForked = keepers.some(({ events }) =>
          events.some((event) => event.type === 'log-forked' && event.did === did),
        )
        if (!isForked) assert.deepEqual(heads[0], heads[1])
      }
    })
  }
})

type Parts = ReadonlyMap<string, Awaited<ReturnType<typeof createPart>>>

function partOf(log: LogWriter, parts: Parts) {
  return parts.get(log.did)!
}

async function nextOf(log: LogWriter, parts: Parts): Promise<IndexBundle> {
  return await log.next([partOf(log, parts)])
}

/** Another entry with the number that comes next. */
async function rivalOf(log: LogWriter, parts: Parts, time: number): Promise<IndexBundle> {
  const placed = partOf(log, parts)
  return { signed: await log.draft(putOf([placed]), { time }), parts: [placed] }
}
