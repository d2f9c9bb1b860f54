import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createCachedChain } from '@memo/chain'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createGateway, type Gateway, listenAt } from '@memo/gateway'
import { createSystemClock, createSystemRandomness, createSystemTimers, type Listener } from '@memo/platform'
import { createCaller, type TestCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import { type MoneyNetwork, startMoneyNetwork } from './support/money-network.ts'
import { testKey } from './support/network.ts'

const MIB = 1_048_576
const GATEWAY = testKey(2)
const ROUNDS = 8
const STOP_MS = 500

const store = createMemoryIndexStore()
let network: MoneyNetwork
let gateway: Gateway
let listener: Listener
let caller: TestCaller

async function start(): Promise<void> {
  gateway = await createGateway({
    chain: createCachedChain(network.owner, createSystemClock(), 200),
    transport: network.http.transport,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    contracts: await network.joinUser(GATEWAY),
    store,
    secretKey: GATEWAY,
    policy: 'rs:2+1',
    orders: { firstOrderBytes: MIB, commitDelayMs: 100 },
  })
  await gateway.start()
  listener = await listenAt(gateway.server, '127.0.0.1', 0)
  await until('the gateway is ready', async () => (await fetch(`${listener.url}/readyz`)).ok)
  const { did, master } = await network.newDid()
  caller = createCaller(listener.url, did, master)
  await caller.login()
}

async function stop(): Promise<void> {
  await listener.close(STOP_MS)
  await gateway.stop()
}

/** Stores an object, and deletes it. */
async function storeAndDelete(): Promise<void> {
  const stored = await caller.upload(new Uint8Array(randomBytes(1.5 * MIB)))
  const said = (await stored.json()) as { Description?: string }
  assert.equal(stored.status, 200, said.Description)
  const { Objects } = (await (await caller.get('/mefs/listobjects')).json()) as { Objects: { ID: number }[] }
  assert.equal(Objects.length, 1)
  const deleted = await caller.get(`/mefs/delete?id=${Objects[0]?.ID}`)
  assert.equal(deleted.status, 200)
}

before(async () => {
  // Epochs do not end here: what is given up stays where it is.
  network = await startMoneyNetwork({ providers: 3, limits: { unpaidBytesPerAccount: 0, settleRestMs: 3_600_000 } })
})
after(async () => {
  await stop()
  await network?.close()
})

test('who stores and deletes again and again always finds room, though providers keep what was given up', async () => {
  await start()
  for (let i = 0; i < ROUNDS; i++) await storeAndDelete()
  await stop()
  await start()
  for (let i = 0; i < ROUNDS; i++) await storeAndDelete()
  for (const { address } of network.providers) {
    const liable = await network.owner.getLiableBytes(address)
    assert.ok(liable <= BigInt(16 * MIB), `${address} is paid for ${liable} bytes`)
  }
})
