import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { registerUser, transferGas } from '@memo/chain'
import { createKeySigner, type IndexStore, utf8 } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createCaller, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { errorOf, fresh, list, store as put } from './support/objects.ts'

const WATCH_MS = 200
let network: TestNetwork
let keys = 0
const open: TestGateway[] = []

/** Closed after the test, however that ends. */
async function start(options: Parameters<typeof startReadyGateway>[1]): Promise<TestGateway> {
  const gateway = await startReadyGateway(network, options)
  open.push(gateway)
  return gateway
}

async function close(gateway: TestGateway): Promise<void> {
  open.splice(open.indexOf(gateway), 1)
  await gateway.close()
}

/** An account of a gateway that nobody else has. */
async function newAccount() {
  keys += 1
  const secretKey = testKey(800 + keys)
  const contracts = await network.connect(secretKey)
  await transferGas(network.chain.client, { to: createKeySigner(secretKey).address, amountWei: 10n ** 18n })
  await registerUser(contracts.client, { addresses: contracts.addresses })
  return { secretKey, contracts }
}

before(async () => {
  network = await startNetwork()
})
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close()
})
after(async () => await network.close())

/** A data directory that has been in use for a while. */
function usedStore(name: string): IndexStore {
  const sinceSeconds = Math.floor(Date.now() / 1000) - 10_000
  return createMemoryIndexStore([{ key: 'instance', value: utf8(JSON.stringify({ id: name, sinceSeconds })) }])
}

async function at(
  gateway: TestGateway,
  who: Awaited<ReturnType<TestNetwork['newDid']>>,
  laterMs = 0,
): Promise<TestCaller> {
  const caller = createCaller(gateway.url, who.did, who.master)
  assert.equal((await caller.login(Date.now() + laterMs)).status, 200)
  return caller
}

const isWarned = (gateway: TestGateway) => gateway.events.some(({ type }) => type === 'other-instance')

describe('two gateways with one key', () => {
  test('see each other in the logs, and take no changes until one is told that it is alone', async () => {
    const [storeA, storeB] = [usedStore('a'.repeat(64)), usedStore('b'.repeat(64))]
    const a = await start({ store: storeA, watchMs: WATCH_MS })
    const b = await start({ store: storeB, watchMs: WATCH_MS })
    const [first, second] = [await network.newDid(), await network.newDid()]
    const atA = await at(a, first)
    const atB = await at(b, second)
    const kept = await put(atA, fresh())
    await put(atB, fresh())
    await until('both know', () => isWarned(a) && isWarned(b))

    for (const caller of [atA, atB]) {
      const refused = await caller.upload(fresh())
      assert.equal(refused.status, 503)
      assert.match((await errorOf(refused)).Description, /gateway instance [ab]+ writes with the key of 0x/)
      const [object] = await list(caller)
      assert.equal((await caller.get(`/mefs/delete?id=${object?.ID}`)).status, 503)
    }
    // What is there can still be read.
    assert.equal((await atA.get(`/mefs/${kept}`)).status, 200)
    const ready = await fetch(`${a.url}/readyz`)
    assert.match(await ready.text(), /stop one of them/)
    assert.equal(ready.status, 503)
    await close(b)
    await close(a)

    const still = await start({ store: storeA, watchMs: WATCH_MS })
    atA.baseUrl = still.url
    assert.equal((await atA.upload(fresh())).status, 503)
    await close(still)

    const alone = await start({ store: storeA, watchMs: WATCH_MS, takeOver: true })
    atA.baseUrl = alone.url
    await put(atA, fresh())
    // What the other one stored is known as well.
    assert.equal((await list(await at(alone, second, 30_000))).length, 1)
    await new Promise((resolve) => setTimeout(resolve, 3 * WATCH_MS))
    assert.ok(!isWarned(alone))
    await close(alone)
  })

  test('see each other at the next upload for the same DID at the latest', async () => {
    const never = 1e9
    const other = await newAccount()
    const a = await start({ store: usedStore('c'.repeat(64)), watchMs: never, other })
    const b = await start({ store: usedStore('d'.repeat(64)), watchMs: never, other })
    const who = await network.newDid()
    const atA = await at(a, who)
    await put(atA, fresh())
    const atB = await at(b, who, 20_000)
    await put(atB, fresh())
    await until('the second knows', () => isWarned(b))
    await put(atA, fresh())
    await until('the first knows', () => isWarned(a))
  })

  test('are told apart by a name that a data directory keeps', async () => {
    const store = createMemoryIndexStore()
    const names: unknown[] = []
    for (const used of [store, store, createMemoryIndexStore()]) {
      const gateway = await start({ store: used })
      names.push(((await (await fetch(`${gateway.url}/info`)).json()) as { instance: string }).instance)
      await close(gateway)
    }
    assert.match(String(names[0]), /^[0-9a-f]{64}$/)
    assert.equal(names[0], names[1])
    assert.notEqual(names[0], names[2])
  })
})

describe('one gateway', () => {
  test('goes on from its directory, and from an empty one, though its logs are full', async () => {
    const store = createMemoryIndexStore()
    const who = await network.newDid()
    const first = await start({ store, watchMs: WATCH_MS })
    const caller = await at(first, who)
    await put(caller, fresh())
    await put(caller, fresh())
    const [object] = await list(caller)
    assert.equal((await caller.get(`/mefs/delete?id=${object?.ID}`)).status, 200)
    await close(first)
    for (const [index, used] of [store, createMemoryIndexStore()].entries()) {
      const gateway = await start({ store: used, watchMs: WATCH_MS })
      const again = await at(gateway, who, 10_000 * (index + 1))
      await put(again, fresh())
      await new Promise((resolve) => setTimeout(resolve, 3 * WATCH_MS))
      assert.ok(!isWarned(gateway))
      assert.equal((await list(again)).length, 2 + index)
      await close(gateway)
    }
  })
})
