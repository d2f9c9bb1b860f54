import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IndexBundle, LogAction, Signer } from '@memo/core'
import { createLogWriter, createPerson, loginOf, putOf } from './support/entries.ts'
import { createWorld } from './support/world.ts'

const HOUR_MS = 3_600_000
const LIMITS = {
  userBudget: { entriesPerHour: 10, bytesPerHour: 1_000_000 },
  strangerBudget: { entriesPerHour: 3, bytesPerHour: 1_000 },
}
const refusal = { name: 'WriteBudgetError', blame: 'keeper', retry: 'later' }

async function started(limits: Partial<typeof LIMITS> = {}) {
  const world = createWorld()
  const keeper = world.keeper('k', { limits: { ...LIMITS, ...limits } })
  await keeper.start()
  const alice = createPerson(world, 'alice')
  return { world, keeper, client: keeper.client(), alice }
}

describe('a keeper bounds what one writer brings, where no provider has signed for it', () => {
  const fill = async (
    submit: (bundle: IndexBundle) => Promise<unknown>,
    next: () => Promise<IndexBundle>,
    most = 50,
  ) => {
    for (let taken = 0; taken < most; taken++) {
      const bundle = await next()
      try {
        await submit(bundle)
      } catch (thrown) {
        assert.equal((thrown as Error).name, refusal.name)
        return { taken, refused: bundle }
      }
    }
    return { taken: most, refused: await next() }
  }

  test('in entries: a key without an account brings few, and more with time', async () => {
    const { world, client, alice } = await started({ strangerBudget: { entriesPerHour: 3, bytesPerHour: 1_000_000 } })
    const log = createLogWriter(world, alice.did, alice.key)
    const { taken, refused } = await fill(client.submit, () => log.next([]))
    assert.equal(taken, 3)
    await world.time.advance(HOUR_MS / 4)
    await assert.rejects(client.submit(refused), refusal)
    await world.time.advance(HOUR_MS / 4)
    await client.submit(refused)
  })

  test('in entries: an active user brings more, and no writer uses up what is another’s', async () => {
    const { world, client, alice } = await started()
    const byUser = async (user: Signer) => {
      const log = createLogWriter(world, alice.did, user, await loginOf(world, alice))
      return (await fill(client.submit, () => log.next([]))).taken
    }
    assert.equal(await byUser(world.user('one gateway')), 10)
    assert.equal(await byUser(world.user('another')), 10)
  })

  test('in bytes: an entry that is larger than the budget is taken, and what follows waits for it', async () => {
    const { world, client, alice } = await started()
    const log = createLogWriter(world, alice.did, alice.key)
    const box = new Uint8Array(3_000)
    const large = await log.next([], {
      action: { ...putOf([]), manifest: { kind: 'sealed', box, keys: [] } } as LogAction,
    })
    await client.submit(large)
    const next = await log.next([])
    await world.time.advance(2 * HOUR_MS)
    await assert.rejects(client.submit(next), refusal)
    await world.time.advance(1.5 * HOUR_MS)
    await client.submit(next)
  })

  test('and what is refused, or known, costs nothing', async () => {
    const { world, client, alice } = await started()
    const log = createLogWriter(world, alice.did, alice.key)
    const bundle = await log.next([])
    for (let i = 0; i < 20; i++) await client.submit(bundle)
    const gap = {
      signed: await log.draft({ kind: 'delete', writer: alice.key.address, seq: 1 }, { seq: 9 }),
      parts: [],
    }
    for (let i = 0; i < 20; i++) await assert.rejects(client.submit(gap), { name: 'IndexConflictError' })
    await client.submit(await log.next([]))
  })

  test('while other keepers take all that one took', async () => {
    const { world, client, alice } = await started()
    const second = world.keeper('second', {
      limits: { ...LIMITS, strangerBudget: { entriesPerHour: 1, bytesPerHour: 1 } },
    })
    const log = createLogWriter(world, alice.did, alice.key)
    await client.submit(await log.next([]))
    await client.submit(await log.next([]))
    await second.start()
    await world.time.advance(60_000)
    assert.equal((await second.client().listHeads(alice.did))[0]?.seq, 2)
  })
})
