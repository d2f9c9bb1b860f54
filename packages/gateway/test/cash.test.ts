import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { endQuota, getQuotaWithdrawable, ReceiptTimeout } from '@memo/chain'
import { createKeySigner, type IndexStore, pathOf, type Signer, signRequest } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { type Buyer, createBuyer, SELLER } from './support/buyer.ts'
import { createCaller } from './support/caller.ts'
import { startGateway, startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { errorOf, fresh, list } from './support/objects.ts'

const PRICE = 25_000n
const QUOTA = { trialSpaceBytes: 0, trialTrafficBytes: 0, cashBytes: 4_000, cashPollMs: 100, attoPerGasWei: 0n }
let network: TestNetwork

before(async () => {
  network = await startNetwork()
})
after(async () => await network.close())

async function withGateway(
  options: Parameters<typeof startReadyGateway>[1],
  work: (gateway: TestGateway, buyer: Buyer) => Promise<void>,
): Promise<void> {
  const gateway = await startReadyGateway(network, { quota: { ...QUOTA, cashPollMs: 1e9 }, ...options })
  try {
    await work(gateway, await createBuyer(network, gateway))
  } finally {
    await gateway.close()
  }
}

/** A request signed by an account, as between nodes. */
async function signedGet(url: string, signer: Signer): Promise<Response> {
  const signing = {
    network: network.chain.network,
    signer,
    clock: createSystemClock(),
    random: createSystemRandomness(),
  }
  const request = { method: 'GET', path: pathOf(url), body: new Uint8Array(0) }
  return await fetch(url, { headers: await signRequest(signing, request, SELLER) })
}

async function income(): Promise<bigint> {
  const { client, addresses } = network.chain
  return await getQuotaWithdrawable(client, { addresses, kind: 'space', account: SELLER })
}

async function is(answer: Response, status: number): Promise<Response> {
  assert.equal(answer.status, status, answer.status === status ? '' : await answer.text())
  return answer
}

type Status = { readonly Nonce: number; readonly Used: number; readonly Signed: number; readonly SizeByte: number }
async function space(buyer: Buyer): Promise<Status> {
  return JSON.parse(await buyer.ask('/mefs/space')) as Status
}

describe('a voucher', () => {
  test('is cashed by itself at the threshold; what it paid and was not used stays its buyer’s', async () => {
    await withGateway({ quota: QUOTA }, async (gateway, buyer) => {
      await buyer.buy('space', 20_000n)
      const before = await income()
      const voucher = await buyer.voucher({ size: 6_000n })
      await is(await buyer.upload(fresh(3_000), voucher), 200)
      assert.ok(!gateway.events.some(({ type }) => type === 'voucher-cashed'))
      await is(await buyer.upload(fresh(1_000)), 200)
      await until('it is cashed', () => gateway.events.some(({ type }) => type === 'voucher-cashed'))
      assert.equal((await income()) - before, 6_000n * PRICE)
      await until('the answer is young', async () => (await space(buyer)).Nonce === 1)
      const { Nonce, Used, Signed, SizeByte } = await space(buyer)
      assert.deepEqual([Nonce, Used, Signed, SizeByte], [1, 0, 0, 14_000])
      // 2,000 bytes are paid for and not used.
      await is(await buyer.upload(fresh(1_500)), 200)
      await is(await buyer.upload(fresh(501)), 518)
      await is(await buyer.upload(fresh(1_500), await buyer.voucher({ size: 1_000n })), 200)
    })
  })

  test('that was cashed is worth nothing any more', async () => {
    await withGateway({}, async (gateway, buyer) => {
      await buyer.grant('space', 20_000n)
      const voucher = await buyer.voucher({ size: 2_000n })
      await is(await buyer.upload(fresh(2_000), voucher), 200)
      const hash = await (await is(await signedGet(cashUrl(gateway, buyer), operator()), 200)).json()
      assert.match(String(hash), /^0x[0-9a-f]{64}$/)
      const refused = await is(await buyer.upload(fresh(100), voucher), 518)
      assert.match((await errorOf(refused)).Description, /not signed by .* under the nonce of now/)
      await is(await signedGet(cashUrl(gateway, buyer), operator()), 518)
      await is(await buyer.upload(fresh(100), await buyer.voucher({ size: 100n })), 200)
    })
  })

  test('is cashed when its quota is about to end, and by its age', async () => {
    const day = 86_400_000
    for (const laterMs of [7 * day, 1_094.5 * day]) {
      const offset = { ms: 0 }
      const clock = { nowMs: () => Date.now() + offset.ms }
      const cashAgeMs = laterMs === 7 * day ? 7 * day - 1_000 : 1e15
      const quota = { ...QUOTA, cashAgeMs, cashBytes: 1e9 }
      await withGateway({ quota, clock }, async (gateway, buyer) => {
        await buyer.buy('space', 20_000n)
        await is(await buyer.upload(fresh(1_000), await buyer.voucher({ size: 1_000n })), 200)
        await new Promise((resolve) => setTimeout(resolve, 300))
        assert.equal((await buyer.info('space')).nonce, 0n)
        offset.ms = laterMs
        await until('it is cashed', async () => (await buyer.info('space')).nonce === 1n)
        await until('it says so', () => gateway.events.some(({ type }) => type === 'voucher-cashed'))
      })
    }
  })

  test('whose cashing was cut off by a crash is neither cashed nor credited twice', async () => {
    const store = createMemoryIndexStore()
    const before = await income()
    const contracts = { ...network.gatewayChain, client: brokenAfterSend() }
    const secretKey = GATEWAY_KEY
    let buyer!: Buyer
    await withGateway({ store, other: { secretKey, contracts } }, async (gateway, who) => {
      buyer = who
      await buyer.buy('space', 20_000n)
      await is(await buyer.upload(fresh(2_000), await buyer.voucher({ size: 5_000n })), 200)
      await is(await signedGet(cashUrl(gateway, buyer), operator()), 503)
    })
    assert.equal((await income()) - before, 5_000n * PRICE)
    await again(store, async (gateway) => {
      buyer.caller.baseUrl = gateway.url
      await is(await signedGet(cashUrl(gateway, buyer), operator()), 518)
      await is(await buyer.upload(fresh(3_000)), 200)
      await is(await buyer.upload(fresh(1)), 518)
    })
    assert.equal((await income()) - before, 5_000n * PRICE)
  })

  test('lives through a restart', async () => {
    const store = createMemoryIndexStore()
    let buyer!: Buyer
    await withGateway({ store }, async (_gateway, who) => {
      buyer = who
      await buyer.grant('space', 20_000n)
      await is(await buyer.upload(fresh(2_000), await buyer.voucher({ size: 5_000n })), 200)
    })
    await again(store, async (gateway) => {
      buyer.caller.baseUrl = gateway.url
      await is(await buyer.upload(fresh(3_000)), 200)
      await is(await buyer.upload(fresh(1)), 518)
      assert.equal((await list(buyer.caller)).length, 2)
      assert.match(String(await (await is(await signedGet(cashUrl(gateway, buyer), operator()), 200)).json()), /^0x/)
    })
  })
})

describe('cashing', () => {
  test('is for the operator, granters and admin DIDs alone', async () => {
    await withGateway({}, async (gateway, buyer) => {
      await buyer.grant('space', 20_000n)
      await is(await buyer.upload(fresh(2_000), await buyer.voucher({ size: 2_000n })), 200)
      await is(await fetch(cashUrl(gateway, buyer)), 401)
      const denied = await is(await buyer.caller.get(`/mefs/cashspace?address=${buyer.address}`), 526)
      assert.equal((await errorOf(denied)).Code, 'Permission')
      await is(await signedGet(cashUrl(gateway, buyer), createKeySigner(testKey(950))), 526)
      const forged = { ...operator(), signDigest: createKeySigner(testKey(950)).signDigest }
      await is(await signedGet(cashUrl(gateway, buyer), forged), 401)
      await is(await signedGet(`${gateway.url}/mefs/cashspace?address=0x12`, operator()), 517)
      assert.equal((await buyer.info('space')).nonce, 0n)
      // The deployer of the test network is its granter.
      await is(await signedGet(cashUrl(gateway, buyer), createKeySigner(testKey(1))), 200)
      assert.equal((await buyer.info('space')).nonce, 1n)
    })
    const admin = await network.newDid()
    const spelled = admin.did.toUpperCase().replace('DID:MEMO:', 'did:memo:')
    await assert.rejects(startGateway(network, { quota: { adminDids: [admin.did.slice(1)] } }), { name: 'BadDidError' })
    await withGateway({ quota: { ...QUOTA, cashPollMs: 1e9, adminDids: [spelled] } }, async (gateway, buyer) => {
      const caller = createCaller(gateway.url, admin.did, admin.master)
      await caller.login()
      await is(await caller.get(`/mefs/cashspace?address=${buyer.address}`), 518)
    })
  })

  test('takes no request twice, not even after a restart', async () => {
    const store = createMemoryIndexStore()
    let headers: Record<string, string> = {}
    let path = ''
    await withGateway({ store }, async (gateway, buyer) => {
      const url = cashUrl(gateway, buyer)
      path = pathOf(url)
      const ports = { clock: createSystemClock(), random: createSystemRandomness() }
      const signing = { network: network.chain.network, signer: operator(), ...ports }
      headers = await signRequest(signing, { method: 'GET', path, body: new Uint8Array(0) }, SELLER)
      await is(await fetch(url, { headers }), 518)
      await is(await fetch(url, { headers }), 401)
    })
    await again(store, async (gateway) => await is(await fetch(`${gateway.url}${path}`, { headers }), 401))
  })
})

/** Last, since it moves the chain's time. */
describe('a quota that ended', () => {
  test('takes its voucher along, and what was used under it is owed by nobody', async () => {
    const offset = { ms: 0 }
    const clock = { nowMs: () => Date.now() + offset.ms }
    const days = 1_096
    await withGateway({ clock }, async (_gateway, buyer) => {
      const { client, addresses } = network.chain
      await buyer.buy('space', 20_000n)
      const voucher = await buyer.voucher({ size: 5_000n })
      await is(await buyer.upload(fresh(2_000), voucher), 200)
      offset.ms = days * 86_400_000
      await network.devnet.increaseTime(days * 86_400)
      await network.devnet.mine(1)
      await endQuota(client, { addresses, kind: 'space', buyer: buyer.address })
      await buyer.buy('space', 9_000n)
      await buyer.caller.login(clock.nowMs())
      await until('the answer is young', async () => (await space(buyer)).Nonce === 1)
      const { Used, Signed, SizeByte } = await space(buyer)
      assert.deepEqual([Used, Signed, SizeByte], [0, 0, 9_000])
      const refused = await is(await buyer.upload(fresh(2_000), voucher), 518)
      assert.match((await errorOf(refused)).Description, /under the nonce of now/)
    })
  })
})

function operator(): Signer {
  return createKeySigner(GATEWAY_KEY)
}

function cashUrl(gateway: TestGateway, buyer: Buyer): string {
  return `${gateway.url}/mefs/cashspace?address=${buyer.address}`
}

/** The gateway's chain, which takes a transaction and then answers nothing about it. */
function brokenAfterSend(): TestNetwork['gatewayChain']['client'] {
  const { client } = network.gatewayChain
  const sender: NonNullable<typeof client.sender> = {
    forget: async (once) => await client.sender?.forget(once),
    async send(request: Parameters<NonNullable<typeof client.sender>['send']>[0]) {
      await client.sender?.send(request)
      throw new ReceiptTimeout('0x00', 1)
    },
  }
  return { ...client, sender }
}

async function again(store: IndexStore, work: (gateway: TestGateway) => Promise<unknown>): Promise<void> {
  const gateway = await startReadyGateway(network, { store, quota: { ...QUOTA, cashPollMs: 1e9 } })
  try {
    await work(gateway)
  } finally {
    await gateway.close()
  }
}

// The last one: the chain's time goes ahead of everybody's clock, and no order is signed for that.
describe('a voucher whose quota has expired', () => {
  test('is not taken', async () => {
    const offset = { ms: 0 }
    const clock = { nowMs: () => Date.now() + offset.ms }
    await withGateway({ clock }, async (_gateway, buyer) => {
      await buyer.buy('space', 20_000n)
      await is(await buyer.upload(fresh(1_000), await buyer.voucher({ size: 5_000n })), 200)
      offset.ms = 4_000 // what the chain said before is asked for again
      await network.devnet.increaseTime(1_096 * 86_400)
      await network.devnet.mine(1)
      await is(await buyer.upload(fresh(1_000)), 518)
      const refused = await is(await buyer.upload(fresh(1_000), await buyer.voucher({ size: 6_000n })), 518)
      assert.match((await errorOf(refused)).Description, /has expired; `memo buy space`/)
    })
  })
})
