import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { buyQuota, createCachedChain, payContractOf, quotaVoucherDigest } from '@memo/chain'
import { createKeySigner, hexFromBytes, keccak256 } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createGateway, type Gateway, type GatewayEvent, listenAt } from '@memo/gateway'
import { createSystemClock, createSystemRandomness, createSystemTimers, type Listener } from '@memo/platform'
import { createCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import { type MoneyNetwork, startMoneyNetwork } from './support/money-network.ts'
import { testKey } from './support/network.ts'

const MIB = 1_048_576
const DAY = 86_400
const GATEWAY = testKey(2)
/** Of the first DID of the network. */
const BUYER = testKey(1_001)
const SELLER = createKeySigner(GATEWAY).address
let network: MoneyNetwork
let gateway: Gateway
let listener: Listener
const events: GatewayEvent[] = []
/** How far the chain's time is behind everybody's clock, who sign no order for a time that is long to come. */
const behind = { ms: 1_200 * DAY * 1_000 }

before(async () => {
  network = await startMoneyNetwork({
    providers: 3,
    limits: { unpaidBytesPerAccount: 0, settleRestMs: 3_600_000 },
    seller: SELLER,
    chainClock: { nowMs: () => Date.now() - behind.ms },
  })
  gateway = await createGateway({
    chain: createCachedChain(network.owner, createSystemClock(), 200),
    transport: network.http.transport,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    contracts: await network.joinUser(GATEWAY),
    store: createMemoryIndexStore(),
    secretKey: GATEWAY,
    policy: 'rs:2+1',
    // Twenty epochs of an hour, renewed when ten are left.
    orders: { firstOrderBytes: 65_536, termSeconds: 72_000, minTermSeconds: 72_000, checkMs: 100, commitDelayMs: 100 },
    quota: { trialSpaceBytes: 10_000, endedPollMs: 50, cashPollMs: 1e9, cashDepthBlocks: 2 },
    onEvent: (event) => events.push(event),
  })
  await gateway.start()
  listener = await listenAt(gateway.server, '127.0.0.1', 0)
  await until('the gateway is ready', async () => (await fetch(`${listener.url}/readyz`)).ok)
})
after(async () => {
  await listener?.close(500)
  await gateway?.stop()
  await network?.close()
})

test('orders are renewed without what went with its quota, and the gateway pays for it no more', async () => {
  const { did, master } = await network.newDid()
  const caller = createCaller(listener.url, did, master)
  await caller.login()
  const buyer = await network.joinUser(BUYER)
  const { addresses } = buyer
  await buyQuota(buyer.client, { addresses, kind: 'space', sizeByte: BigInt(4 * MIB) })
  const fields = { buyer: master.address, seller: SELLER, nonce: 0n, sizeByte: BigInt(4 * MIB) }
  const verifier = { chainId: buyer.network.chainId, verifyingContract: payContractOf(addresses, 'space') }
  const sign = hexFromBytes(await master.signDigest(quotaVoucherDigest(verifier, fields)))
  const store = async (content: Uint8Array) => {
    const form = new FormData()
    const fieldsOfCall = { ...(await caller.sign(keccak256(content))), size: `${fields.sizeByte}`, sign }
    for (const [name, value] of Object.entries(fieldsOfCall)) form.set(name, String(value))
    form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'file.bin')
    const answer = await fetch(`${listener.url}/mefs/`, { method: 'POST', body: form })
    assert.equal(answer.status, 200, answer.ok ? '' : await answer.text())
  }
  const count = async () =>
    ((await (await caller.get('/mefs/listobjects')).json()) as { Objects: unknown[] }).Objects.length
  await store(new Uint8Array(randomBytes(8_000)))
  await store(new Uint8Array(randomBytes(3 * MIB)))
  const orderIds = [
    ...new Set(events.filter(({ type }) => type === 'order-opened').map(({ orderId }) => Number(orderId))),
  ]
  const sizesOf = async () =>
    await Promise.all(
      orderIds.map(async (id) => Number((await network.owner.findOrder(BigInt(id)))?.segments.at(-1)?.sizeBytes)),
    )
  const before = await sizesOf()
  assert.ok(before.length >= 3 && before.every((size) => size >= 1.5 * MIB), before.join())

  for (const days of [1_095.5, 30]) {
    behind.ms -= days * DAY * 1_000
    await network.devnet.mine(3)
    await until('the gateway has seen it', () => events.some(({ type }) => type === 'quota-ending'))
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  await until('it is gone', async () => (await count()) === 1)
  let rounds = 0
  await until('the orders are smaller', async () => {
    if (rounds++ % 5 === 0) await network.devnet.mine(4)
    return (await sizesOf()).every((size, i) => size < (before[i] ?? 0) / 2)
  })
  assert.equal(await count(), 1)
  assert.ok(!events.some(({ type }) => type === 'order-lapsed'), 'what the trial holds was paid for all the time')
})
