import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type IndexStore, keccak256, MemoError, utf8 } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { cidOf, createCaller, openUpload, type TestCaller } from './support/caller.ts'
import { startGateway, startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork, type TestNode } from './support/network.ts'
import { fresh, type Listed, list, store } from './support/objects.ts'

const STRIPE_BYTES = 2_097_152
let network: TestNetwork

before(async () => {
  network = await startNetwork()
})
beforeEach(async () => {
  for (const node of [...network.providers, ...network.keepers]) node.isDown = false
  for (const { endpoint } of network.keepers) {
    await until(
      'the keeper has seen all providers',
      async () => (await countMatches(endpoint)) === network.providers.length,
    )
  }
})
after(async () => await network.close())

async function with503(answer: Response, text: RegExp): Promise<void> {
  const { Code, Description, HTTPStatusCode } = (await answer.json()) as Record<string, unknown>
  assert.deepEqual([answer.status, Code, HTTPStatusCode], [503, 'Storage', 503], String(Description))
  assert.match(String(Description), /^Storage Error \(.+\)$/)
  assert.match(String(Description), text)
  assert.ok(Number(answer.headers.get('retry-after')) > 0)
}

/** Providers that a keeper would propose. */
async function countMatches(keeper: string): Promise<number> {
  const body = JSON.stringify({ count: network.providers.length, pieceBytes: 1, exclude: [] })
  const answer = await fetch(`${keeper}/match`, { method: 'POST', body })
  return ((await answer.json()) as { providers: unknown[] }).providers.length
}

/** Pieces that providers hold, and uploads that they would still commit. */
async function countPieces(): Promise<number> {
  const infos = await Promise.all(
    network.providers.map(
      async ({ endpoint }) => (await (await fetch(`${endpoint}/info`)).json()) as { pieces: number },
    ),
  )
  return infos.reduce((sum, info) => sum + info.pieces, 0)
}

async function countMarks(gateway: TestGateway): Promise<number> {
  return (await gateway.store.list({ prefix: 'mark/', limit: 100 })).length
}

/** Runs `work` with a gateway and somebody who is logged in to it. */
async function withGateway(
  work: (gateway: TestGateway, caller: TestCaller) => Promise<void>,
  options: { readonly store?: IndexStore } = {},
): Promise<void> {
  const gateway = await startReadyGateway(network, options)
  try {
    await work(gateway, await gateway.join())
  } finally {
    await gateway.close()
  }
}

/** The same person at another gateway. */
async function moved(caller: TestCaller, gateway: TestGateway): Promise<TestCaller> {
  const there = createCaller(gateway.url, caller.did, caller.signer)
  const answer = await there.login(Date.now() + 3_000 + Math.floor(Math.random() * 40_000))
  assert.equal(answer.status, 200)
  return there
}

describe('an upload that ends early', () => {
  test('because the client went away leaves no object, no piece, no mark, and room for the next', async () => {
    await withGateway(async (gateway, caller) => {
      const before = await countPieces()
      const content = fresh(3 * STRIPE_BYTES)
      for (let attempt = 0; attempt < 8; attempt += 1) {
        const sent = await openUpload(caller, content)
        sent.write(content.subarray(0, attempt % 2 === 0 ? 1_000 : 2 * STRIPE_BYTES + 5))
        await new Promise((resolve) => setTimeout(resolve, 30))
        sent.destroy()
      }
      await until('all marks are gone', async () => (await countMarks(gateway)) === 0)
      assert.deepEqual(await list(caller), [])
      await until('all pieces are gone', async () => (await countPieces()) === before)
      await store(caller, content)
      assert.equal((await list(caller)).length, 1)
    })
  })

  test('in the middle of its form, though its length was as announced, is refused', async () => {
    await withGateway(async (gateway, caller) => {
      const content = fresh(100_000)
      for (const end of ['', '\r\n--x', '\r\n--y--\r\n']) {
        const sent = await openUpload(caller, content)
        sent.end(Buffer.concat([content, utf8(end)]))
        const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
        answer.resume()
        assert.equal(answer.statusCode, 516, JSON.stringify(end))
      }
      assert.deepEqual(await list(caller), [])
      assert.equal(await countMarks(gateway), 0)
    })
  })

  test('by a refusal is told to a client that is still sending', async () => {
    await withGateway(async (gateway, caller) => {
      const content = fresh(3 * STRIPE_BYTES)
      const answer = await caller.upload(content, { payload: keccak256(fresh()) })
      assert.equal(answer.status, 516)
      const form = new FormData()
      form.set('did', caller.did)
      form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'x')
      const refused = await fetch(`${gateway.url}/mefs/`, { method: 'POST', body: form })
      assert.equal(refused.status, 401)
    })
  })
})

describe('a network that cannot serve', () => {
  test('for want of keepers answers 503 with what is missing, and serves again when they are back', async () => {
    await withGateway(async (gateway, caller) => {
      await store(caller, fresh())
      for (const keeper of network.keepers) keeper.isDown = true
      await with503(await caller.upload(fresh()), /keepers: 0 answer, 2 are needed/)
      const ready = await fetch(`${gateway.url}/readyz`)
      const { missing } = (await ready.json()) as { missing: string[] }
      assert.equal(ready.status, 503)
      assert.match(missing.join(), /keepers: 0 answer, 2 are needed/)
      assert.equal((await list(caller)).length, 1)
      await with503(await fetch(`${gateway.url}/mefs/${cidOf(fresh())}`), /keeper/)

      for (const keeper of network.keepers) keeper.isDown = false
      await until('it is ready', async () => (await fetch(`${gateway.url}/readyz`)).status === 200)
      await store(caller, fresh())
    })
  })

  test('works with one keeper and one provider less', async () => {
    await withGateway(async (_gateway, caller) => {
      down(network.keepers[0])
      down(network.providers[0])
      const content = fresh(STRIPE_BYTES + 1)
      const cid = await store(caller, content)
      const answer = await caller.get(`/mefs/${cid}`)
      assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content)
    })
  })

  test('for want of providers answers 503, says how many there are, and lists nothing', async () => {
    await withGateway(async (gateway, caller) => {
      for (const provider of network.providers.slice(1)) provider.isDown = true
      await with503(await caller.upload(fresh()), /provider|piece/)
      const { missing } = (await (await fetch(`${gateway.url}/readyz`)).json()) as { missing: string[] }
      assert.match(missing.join(), /providers: 1 answer, 3 are needed/)
      assert.deepEqual(await list(caller), [])
      assert.equal(await countMarks(gateway), 0)
    })
  })

  test('answers a download that cannot begin with 503, not with an empty file', async () => {
    await withGateway(async (_gateway, caller) => {
      const cid = await store(caller, fresh(1_000))
      for (const provider of network.providers) provider.isDown = true
      const answer = await caller.get(`/mefs/${cid}`)
      assert.equal(answer.headers.get('content-disposition'), null)
      await with503(answer, /piece/)
    })
  })

  test('in the middle of a download cuts the connection, so that no short file looks whole', async () => {
    await withGateway(async (_gateway, caller) => {
      const content = fresh(8 * STRIPE_BYTES)
      const cid = await store(caller, content)
      const answer = await caller.get(`/mefs/${cid}`)
      assert.equal(answer.headers.get('content-length'), String(content.length))
      const reader = answer.body?.getReader()
      assert.ok(reader)
      let received = (await reader.read()).value?.length ?? 0
      for (const provider of network.providers) provider.isDown = true
      await assert.rejects(async () => {
        for (let step = await reader.read(); !step.done; step = await reader.read()) received += step.value.length
      })
      assert.ok(received > 0 && received < content.length)
    })
  })
})

describe('a gateway that starts again', () => {
  test('on its store knows sessions and objects, and goes on counting', async () => {
    const kept = createMemoryIndexStore()
    let caller: TestCaller | undefined
    let id = 0
    await withGateway(
      async (_gateway, first) => {
        caller = first
        await store(first, fresh(), { name: 'a.txt' })
        id = (await list(first))[0]?.ID ?? 0
      },
      { store: kept },
    )
    const again = await startReadyGateway(network, { store: kept })
    try {
      assert.ok(caller)
      caller.baseUrl = again.url
      assert.deepEqual(
        (await list(caller)).map(({ ID, Name }) => [ID, Name]),
        [[id, 'a.txt']],
      )
      await store(caller, fresh())
      assert.deepEqual(
        (await list(caller)).map(({ ID }) => ID),
        [id, id + 1],
      )
    } finally {
      await again.close()
    }
  })

  test('on an empty store fills it from the keepers: same objects, same numbers, nothing deleted comes back', async () => {
    const callers: TestCaller[] = []
    const contents = [fresh(), fresh(), fresh(), fresh()] as const
    let listed: Listed[][] = []
    await withGateway(async (gateway, first) => {
      const second = await gateway.join()
      callers.push(first, second)
      await store(first, contents[0], { name: 'one' })
      await store(second, contents[1], { name: 'two', isPublic: true })
      await store(first, contents[2], { name: 'three' })
      await store(first, contents[3], { name: 'four' })
      const [, middle] = await list(first)
      assert.equal((await first.get(`/mefs/delete?id=${middle?.ID}`)).status, 200)
      listed = [await list(first), await list(second)]
    })
    await withGateway(async (gateway) => {
      const [first, second] = [await moved(callers[0]!, gateway), await moved(callers[1]!, gateway)]
      const lasting = (objects: Listed[]) => objects.map((object) => ({ ...object, Expire: undefined }))
      const again = [await list(first), await list(second)]
      assert.deepEqual(again.map(lasting), listed.map(lasting), 'all but the time, of which until when is reckoned')
      const answer = await first.get(`/mefs/${cidOf(contents[3])}`)
      assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), contents[3])
      assert.equal((await first.get(`/mefs/${cidOf(contents[2])}`)).status, 404)
      assert.equal((await fetch(`${gateway.url}/mefs/${cidOf(contents[1])}`)).status, 200)
      await store(second, fresh())
      const ids = [...(await list(first)), ...(await list(second))].map(({ ID }) => ID)
      assert.equal(new Set(ids).size, 4)
      assert.equal((await second.get(`/mefs/delete?id=${listed[0]?.[0]?.ID}`)).status, 403)
      assert.equal((await first.get(`/mefs/delete?id=${listed[0]?.[0]?.ID}`)).status, 200)
    })
  })

  test('while the keepers are away says so, and does not take an empty table for the truth', async () => {
    let caller: TestCaller | undefined
    const content = fresh()
    await withGateway(async (_gateway, first) => {
      caller = first
      await store(first, content)
    })
    for (const keeper of network.keepers) keeper.isDown = true
    const gateway = await startGateway(network)
    try {
      assert.ok(caller)
      const there = await moved(caller, gateway)
      await with503(await there.get('/mefs/listobjects'), /reading its records/)
      await with503(await there.upload(fresh()), /reading its records/)
      await with503(await there.get(`/mefs/${cidOf(content)}`), /reading its records/)
      const { missing } = (await (await fetch(`${gateway.url}/readyz`)).json()) as { missing: string[] }
      assert.match(missing.join(), /reading its records/)
      for (const keeper of network.keepers) keeper.isDown = false
      await until('it has read them', async () => (await there.get('/mefs/listobjects')).status === 200)
      assert.deepEqual(
        (await list(there)).map(({ Cid }) => Cid),
        [cidOf(content)],
      )
    } finally {
      await gateway.close()
    }
  })

  test('after it ended between keepers and table has both agree', async () => {
    const kept = createMemoryIndexStore()
    const crashing = crashingStore(kept, (key) => key.startsWith('object/'))
    const content = fresh()
    let caller: TestCaller | undefined
    let id = 0
    await withGateway(
      async (gateway, first) => {
        caller = first
        crashing.isArmed = true
        assert.equal((await first.upload(content)).status, 500)
        assert.ok(gateway.events.some((event) => event.type === 'request-failed'))
        crashing.isArmed = false
        assert.deepEqual(await list(first), [])
        const [mark, ...others] = await gateway.store.list({ prefix: 'mark/', limit: 100 })
        assert.deepEqual(others, [])
        id = Number(mark?.key.slice('mark/'.length))
      },
      { store: crashing.store },
    )
    const again = await startReadyGateway(network, { store: kept })
    try {
      assert.ok(caller)
      caller.baseUrl = again.url
      assert.deepEqual(
        (await list(caller)).map(({ Cid, ID }) => [Cid, ID]),
        [[cidOf(content), id]],
      )
      assert.equal(await countMarks(again), 0)
    } finally {
      await again.close()
    }
  })
})

function down(node: TestNode | undefined): void {
  assert.ok(node)
  node.isDown = true
}

/** A store that fails where it is told to. */
function crashingStore(inner: IndexStore, isFatal: (key: string) => boolean) {
  const state = {
    isArmed: false,
    store: {
      ...inner,
      apply: async (changes: Parameters<IndexStore['apply']>[0]) => {
        if (state.isArmed && changes.some(({ key }) => isFatal(key))) {
          throw new MemoError('the disk is gone', { blame: 'us', retry: 'later' })
        }
        await inner.apply(changes)
      },
    },
  }
  return state
}
