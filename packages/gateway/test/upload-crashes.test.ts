import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { IndexStore } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import type { TestCaller } from './support/caller.ts'
import { startReadyGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, fresh, list } from './support/objects.ts'

/** More writes of its store than an upload takes are not tried. */
const MAX_WRITES = 40

let network: TestNetwork
before(async () => {
  network = await startNetwork()
})
after(async () => await network.close())

/** A store of a process that ends just before or just after its `last` write: nothing more is written or read. */
function mortalStore(inner: IndexStore, last: number, phase: 'before' | 'after') {
  const life = { isArmed: false, isOver: false, isBuried: false, writes: 0 }
  const assertAlive = () => {
    if (life.isOver) throw new RangeError('this process is over')
  }
  const store: IndexStore = {
    ...inner,
    async get(key) {
      if (life.isBuried) return undefined
      assertAlive()
      return await inner.get(key)
    },
    async list(query) {
      if (life.isBuried) return []
      assertAlive()
      return await inner.list(query)
    },
    async apply(changes) {
      if (life.isBuried) return
      assertAlive()
      if (life.isArmed) life.writes += 1
      const isLast = life.isArmed && life.writes === last
      if (isLast && phase === 'before') life.isOver = true
      assertAlive()
      await inner.apply(changes)
      if (isLast) life.isOver = true
      assertAlive()
    },
  }
  return { store, life }
}

describe('a gateway that ends in an upload', () => {
  for (const phase of ['before', 'after'] as const) {
    test(`just ${phase} any write of its store has the object or has it not, and takes it again`, async () => {
      let last = 1
      for (; last <= MAX_WRITES; last += 1) {
        const kept = createMemoryIndexStore()
        const { store, life } = mortalStore(kept, last, phase)
        const dying = await startReadyGateway(network, { store })
        const caller: TestCaller = await dying.join()
        const content = fresh(2_000)
        life.isArmed = true
        const status = await caller.upload(content).then(
          (answer) => answer.status,
          () => undefined, // it was gone before it could answer
        )
        const isOver = life.isOver
        const again = await startReadyGateway(network, { store: kept })
        try {
          caller.baseUrl = again.url
          await caller.login(Date.now() + 20_000)
          const listed = await list(caller)
          if (status === 200) assert.equal(listed.length, 1, `write ${last}: what was stored is listed`)
          for (const { Cid } of listed) assert.deepEqual(await bytesOf(await caller.get(`/mefs/${Cid}`)), content)
          assert.equal((await caller.upload(content)).status, 200, `write ${last}: it is taken again`)
          assert.equal((await list(caller)).length, 1, `write ${last}: once`)
          await until('no mark is left', async () => (await kept.list({ prefix: 'mark/', limit: 10 })).length === 0)
        } finally {
          await again.close()
          life.isBuried = true // what is left of it in this process ends, and writes nothing
          await dying.close()
        }
        if (!isOver) break
      }
      assert.ok(last > 2 && last <= MAX_WRITES, `${last} writes`)
    })
  }
})
