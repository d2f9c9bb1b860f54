import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient } from '@memo/sdk'
import { type Buyer, createBuyer } from './support/buyer.ts'
import { cidOf } from './support/caller.ts'
import { startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, errorOf, fresh } from './support/objects.ts'

const DAY = 86_400
const TERM = 1_095 * DAY
const GRACE = 30 * DAY
const QUOTA = {
  trialSpaceBytes: 100,
  trialTrafficBytes: 1e9,
  cashPollMs: 1e9,
  attoPerGasWei: 0n,
  endedPollMs: 50,
  cashDepthBlocks: 2,
}
/** How far the chain's time is behind everybody's clock, who sign no order for a time that is long to come. */
const behind = { ms: 5_000 * DAY * 1_000 }
let network: TestNetwork
let gateway: TestGateway

before(async () => {
  network = await startNetwork({ chainClock: { nowMs: () => Date.now() - behind.ms } })
  gateway = await startReadyGateway(network, { quota: QUOTA })
})
after(async () => {
  await gateway.close()
  await network.close()
})

/** Lets the chain's time pass; the machine's clock stands. */
async function pass(seconds: number): Promise<void> {
  behind.ms -= seconds * 1_000
  await network.devnet.mine(3)
}

async function is(answer: Response, status: number): Promise<Response> {
  assert.equal(answer.status, status, answer.status === status ? '' : await answer.text())
  return answer
}

type Listing = { readonly Objects: { readonly Cid: string; readonly Expire: number }[]; readonly Warning?: string }

async function look(buyer: Buyer): Promise<Listing & { readonly header: string | null }> {
  const answer = await is(await buyer.caller.get('/mefs/listobjects'), 200)
  return { ...((await answer.json()) as Listing), header: answer.headers.get('x-memo-warning') }
}

async function cidsOf(buyer: Buyer): Promise<readonly string[]> {
  return (await look(buyer)).Objects.map(({ Cid }) => Cid)
}

/** A buyer of 20,000 bytes who has stored one file in the trial, and one of 5,000 bytes under a voucher. */
async function storeBeyond() {
  const buyer = await createBuyer(network, gateway)
  await buyer.buy('space', 20_000n)
  const [free, paid] = [fresh(100), fresh(5_000)]
  await is(await buyer.upload(free), 200)
  await is(await buyer.upload(paid, await buyer.voucher({ size: 5_000n })), 200)
  return { buyer, free: cidOf(free), paid, cid: cidOf(paid), expire: Number((await buyer.info('space')).expire) }
}

const dayOf = (seconds: number) => new Date(seconds * 1_000).toISOString().slice(0, 10)
const eventsOf = (type: string, buyer: Buyer) =>
  gateway.events.filter((event) => event.type === type && event.buyer === buyer.address)

describe('what is stored beyond the trial', () => {
  test('shows the end of its quota and grace, and the end of its order beside it', async () => {
    const { buyer, cid, free, expire } = await storeBeyond()
    const { Objects, Warning, header } = await look(buyer)
    const expiries = new Map(Objects.map(({ Cid, Expire }) => [Cid, Expire]))
    assert.equal(expiries.get(cid), expire + GRACE)
    assert.deepEqual([Warning, header], [undefined, null], 'nothing ends soon')
    const status = (await (await buyer.caller.get(`/mefs/status/${cid}`)).json()) as Record<string, number>
    assert.equal(status.expire, expire + GRACE)
    assert.equal(status.orderEnd, expiries.get(free), 'the trial lasts with its order, which the gateway renews')
    assert.notEqual(status.orderEnd, expire + GRACE)
  })

  test('is warned of, lives through its grace, and stays for who buys and signs again', async () => {
    const { buyer, cid, free, paid, expire } = await storeBeyond()
    await pass(TERM - 20 * DAY)
    await until('it is warned of', async () => (await look(buyer)).Warning !== undefined)
    const { Warning, header } = await look(buyer)
    assert.match(String(Warning), new RegExp(`5000 bytes .* paid until ${dayOf(expire)}.*\`memo buy space \\d+\``))
    assert.equal(header, Warning)
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as { Warning?: string }).Warning, Warning)
    await until('the operator is told', () => eventsOf('quota-ending', buyer).length > 0)

    await pass(20 * DAY + DAY / 2)
    await until('it is over', async () => /in grace until/.test((await look(buyer)).Warning ?? ''))
    const refused = await errorOf(await is(await buyer.upload(fresh(50)), 518))
    assert.match(refused.Description, /`memo buy space 5050` buys them.*5000 bytes/)
    assert.match(refused.Description, new RegExp(`in grace until ${dayOf(expire + GRACE)}`))
    assert.deepEqual(await bytesOf(await is(await buyer.download(cid), 200)), paid, 'it is still read')
    assert.deepEqual(new Set(await cidsOf(buyer)), new Set([cid, free]))

    await buyer.buy('space', 6_000n)
    const late = await errorOf(await is(await buyer.upload(fresh(50), await buyer.voucher({ size: 50n })), 518))
    assert.match(late.Description, /space are missing/, 'what is stored comes before what is to be stored')
    const voucher = await buyer.voucher({ size: 5_050n })
    await is(await buyer.caller.get(`/mefs/space?size=${voucher.size}&sign=${voucher.sign}`), 200)
    const after = await look(buyer)
    assert.equal(after.Warning, undefined)
    const { expire: next } = await buyer.info('space')
    assert.equal(after.Objects.find(({ Cid }) => Cid === cid)?.Expire, Number(next) + GRACE)
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as { Used: number }).Used, 5_000)
    await is(await buyer.upload(fresh(50)), 200)

    await pass(60 * DAY)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal((await cidsOf(buyer)).length, 3)
    assert.equal(eventsOf('quota-ending', buyer).length, 1, 'once a day')
    assert.deepEqual(eventsOf('quota-ended', buyer), [])
  })

  test('is signed for by the session of who bought again, where that may, without being told', async () => {
    const { buyer, cid, expire } = await storeBeyond()
    const warnings: string[] = []
    const { chainId } = network.chain.network
    await new Promise((resolve) => setTimeout(resolve, 1_100)) // its login is newer than the buyer's own
    const client = createGatewayClient({
      endpoint: gateway.url,
      transport: network.http.transport,
      did: buyer.caller.did,
      signer: buyer.caller.signer,
      clock: createSystemClock(),
      random: createSystemRandomness(),
      vouchers: { chainId, maxVoucherBytes: 50_000 },
      onWarning: (text) => warnings.push(text),
    })
    const expiresAt = async () => (await client.list()).find((object) => object.cid === cid)?.expiresAt
    assert.equal(await expiresAt(), expire + GRACE)
    assert.deepEqual(warnings, [])
    await pass(TERM + DAY / 2)
    await until('it is warned', async () => (await expiresAt()) !== undefined && warnings.length > 0)
    assert.match(String(warnings[0]), /5000 bytes .* in grace .*`memo buy space 5000`/)
    await buyer.buy('space', 6_000n)
    const { expire: next } = await buyer.info('space')
    await until('it is signed for', async () => (await expiresAt()) === Number(next) + GRACE)
    assert.equal((await client.quota('space')).usedBytes, 5_000n)
  })

  test('goes after its grace, and its bytes are no more in the orders; what the trial holds stays', async () => {
    const { buyer, cid, free } = await storeBeyond()
    const held = async () => ((await (await fetch(`${gateway.url}/info`)).json()) as Info).orders.heldBytes
    const before = await held()
    await pass(TERM + DAY / 2)
    await until('it is over', async () => /in grace until/.test((await look(buyer)).Warning ?? ''))
    await pass(GRACE - DAY)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.deepEqual(new Set(await cidsOf(buyer)), new Set([cid, free]), 'to its last day')
    await pass(DAY)
    await until('it is gone', async () => (await cidsOf(buyer)).length === 1)
    assert.deepEqual(await cidsOf(buyer), [free])
    await is(await buyer.download(cid), 404)
    await until('the operator is told', () => eventsOf('quota-ended', buyer).length > 0)
    assert.deepEqual(
      eventsOf('quota-ended', buyer).map(({ bytes }) => bytes),
      ['5000'],
    )
    await until('its bytes are given up', async () => (await held()) < before)
  })
})

type Info = { readonly orders: { readonly heldBytes: number } }
