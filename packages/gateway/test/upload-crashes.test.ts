import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { accountFromSecretKey, connectNetwork } from '@memo/chain'
import type { IndexStore, Transport } from '@memo/core'
import { createMemoryIndexStore, createSeededRandomness, InjectedFaultError } from '@memo/core/testing'
import type { TestCaller } from './support/caller.ts'
import { startReadyGateway, until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, fresh, list } from './support/objects.ts'

/** More writes of its store than an upload takes are not tried. */
const MAX_WRITES = 40
/** Of the calls to others that an upload takes, so many are tried on each side; all of them in a long run. */
const DRAWN = process.env.MEMO_LONG ? Number.POSITIVE_INFINITY : 3
const SEED = process.env.MEMO_SEED ?? `${Date.now()}`
const CONTENT_BYTES = 2_000

type Phase = 'before' | 'after'
/** What a process does that others see, or that outlives it. */
type Deed = 'write' | 'request' | 'chain call'

let network: TestNetwork
before(async () => {
  network = await startNetwork()
})
after(async () => await network.close())

/** The life of a process that ends just before or just after its `last` deed of some kinds: nothing more is done or read. */
function createLife(kinds: readonly Deed[], last: number, phase: Phase) {
  const life = { isArmed: false, isOver: false, isBuried: false, deeds: 0, ended: '' }
  const assertAlive = () => {
    if (life.isOver) throw new InjectedFaultError('this process is over')
  }
  const act = async <T>(kind: Deed, name: string, work: () => Promise<T>): Promise<T> => {
    assertAlive()
    const isCounted = life.isArmed && kinds.includes(kind)
    if (isCounted) life.deeds += 1
    const isLast = isCounted && life.deeds === last
    if (isLast) life.ended = `${phase} ${kind} ${last}, ${name}`
    if (isLast && phase === 'before') life.isOver = true
    assertAlive()
    const done = await work()
    if (isLast) life.isOver = true
    assertAlive()
    return done
  }
  return { life, assertAlive, act }
}
type Life = ReturnType<typeof createLife>

function mortalStore(inner: IndexStore, { life, assertAlive, act }: Life): IndexStore {
  return {
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
      await act('write', `${changes[0]?.key}`, async () => await inner.apply(changes))
    },
  }
}

/** How it reaches keepers, providers and the chain. */
async function mortalEdge({ act }: Life) {
  const { transport } = network.http
  const { devnet, gatewayChain } = network
  const mortal: Transport = async (request) =>
    await act('request', `${request.method} ${request.url}`, async () => await transport(request))
  const contracts = await connectNetwork({
    rpcUrl: gatewayChain.client.rpcUrl,
    registry: gatewayChain.addresses.registry,
    account: accountFromSecretKey(GATEWAY_KEY),
    pollingIntervalMs: 20,
    provider: {
      request: async (call: Parameters<typeof devnet.request>[0]) =>
        await act('chain call', call.method, async () => await devnet.request(call)),
    },
  })
  return { transport: mortal, contracts }
}

/** An upload in which the gateway ends, and what the next one over the same store makes of it. */
async function story(kinds: readonly Deed[], last: number, phase: Phase) {
  const one = createLife(kinds, last, phase)
  const { life } = one
  const kept = createMemoryIndexStore()
  const dying = await startReadyGateway(network, { store: mortalStore(kept, one), edge: await mortalEdge(one) })
  const caller: TestCaller = await dying.join()
  const content = fresh(CONTENT_BYTES)
  life.isArmed = true
  const status = await caller.upload(content).then(
    (answer) => answer.status,
    () => undefined, // it was gone before it could answer
  )
  const { isOver, deeds, ended } = life
  const where = ended || `${deeds} deeds`
  life.isOver = true // as a process that is killed: what it has not made durable is gone
  const again = await startReadyGateway(network, { store: kept })
  try {
    caller.baseUrl = again.url
    await caller.login(Date.now() + 20_000)
    const listed = await list(caller)
    if (status === 200) assert.equal(listed.length, 1, `${where}: what was stored is listed`)
    for (const { Cid } of listed) assert.deepEqual(await bytesOf(await caller.get(`/mefs/${Cid}`)), content)
    assert.equal((await caller.upload(content)).status, 200, `${where}: it is taken again`)
    assert.equal((await list(caller)).length, 1, `${where}: once`)
    await until('no mark is left', async () => (await kept.list({ prefix: 'mark/', limit: 10 })).length === 0)
  } finally {
    await again.close()
    life.isBuried = true // what is left of it in this process ends, and writes nothing
    await dying.close()
  }
  return { isOver, deeds }
}

describe('a gateway that ends in an upload', () => {
  for (const phase of ['before', 'after'] as const) {
    test(`just ${phase} any write of its store has the object or has it not, and takes it again`, async () => {
      let last = 1
      for (; last <= MAX_WRITES; last += 1) if (!(await story(['write'], last, phase)).isOver) break
      assert.ok(last > 2 && last <= MAX_WRITES, `${last} writes`)
    })

    test(`just ${phase} a call to keepers, providers or the chain as well (seed ${SEED})`, async () => {
      const kinds = ['request', 'chain call'] as const
      const { deeds } = await story(kinds, Number.POSITIVE_INFINITY, phase)
      assert.ok(deeds > 10, `${deeds} calls`)
      const all = Array.from({ length: deeds }, (_, i) => i + 1)
      const drawn = createSeededRandomness(`${SEED} ${phase}`).shuffle(all).slice(0, DRAWN)
      let died = 0
      for (const last of drawn) {
        const { isOver } = await story(kinds, last, phase).catch((cause: unknown) => {
          throw new AggregateError([cause], `seed ${SEED}, cut off ${phase} ${last} of ${deeds}: ${cause}`)
        })
        if (isOver) died += 1
      }
      assert.ok(died > 0, 'it died')
    })
  }
})
