import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { createCachedChain, getEscrow, type MemoChain, readProviderIncome, withdrawEscrow } from '@memo/chain'
import { createKeySigner, type IndexStore } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createGateway, type Gateway, type GatewayEvent, listenAt } from '@memo/gateway'
import { createSystemClock, createSystemRandomness, createSystemTimers, type Listener } from '@memo/platform'
import { createOrders, type OrderPolicy, type Orders } from '@memo/sdk'
import { createOrderMoney } from '@memo/sdk/chain'
import { createCaller, type TestCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import {
  ESCROW_ATTO,
  type MoneyNetwork,
  READ_PRICE,
  STORAGE_PRICE,
  startMoneyNetwork,
} from './support/money-network.ts'
import { testKey } from './support/network.ts'

const MIB = 1_048_576
const GATEWAY = testKey(2)
/** Twenty epochs of an hour, renewed when ten are left. */
const POLICY: Partial<OrderPolicy> = {
  termSeconds: 72_000,
  minTermSeconds: 72_000,
  checkMs: 100,
  commitDelayMs: 200,
  voucherStepBytes: 262_144,
}

describe('a gateway in a network where nothing is free', () => {
  let network: MoneyNetwork
  let contracts: MemoChain
  let gateway: Gateway
  let listener: Listener
  let caller: TestCaller
  const store: IndexStore = createMemoryIndexStore()
  const events: GatewayEvent[] = []
  const account = createKeySigner(GATEWAY).address
  const big = new Uint8Array(randomBytes(3 * MIB))
  const small = new Uint8Array(randomBytes(50_000))

  const chainNow = () => createCachedChain(network.owner, createSystemClock(), 200)
  const portsOf = () => ({
    chain: chainNow(),
    transport: network.http.transport,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
  })
  const start = async () => {
    gateway = await createGateway({
      ...portsOf(),
      contracts,
      store,
      secretKey: GATEWAY,
      policy: 'rs:2+1',
      orders: POLICY,
      onEvent: (event) => events.push(event),
    })
    await gateway.start()
    listener = await listenAt(gateway.server, '127.0.0.1', 0)
    await until('the gateway is ready', async () => (await fetch(`${listener.url}/readyz`)).ok)
  }
  const stop = async () => {
    await listener.close(500)
    await gateway.stop()
  }
  const upload = async (content: Uint8Array) => {
    const answer = await caller.upload(content)
    const said = (await answer.json()) as { cid: string; Description?: string }
    assert.equal(answer.status, 200, said.Description)
    return said.cid
  }
  const download = async (cid: string) => {
    const answer = await caller.get(`/mefs/${cid}`)
    assert.equal(answer.status, 200)
    return new Uint8Array(await answer.arrayBuffer())
  }
  const bookOf = (chain: MemoChain, secretKey: Uint8Array, of: IndexStore, money = createOrderMoney(chain)): Orders =>
    createOrders({
      ports: {
        network: chain.network,
        transport: network.http.transport,
        clock: createSystemClock(),
        timers: createSystemTimers(),
        random: createSystemRandomness(),
        signer: createKeySigner(secretKey),
      },
      chain: chainNow(),
      money,
      store: of,
      policy: POLICY,
    })
  const info = async () => (await (await fetch(`${listener.url}/info`)).json()) as { orders: Record<string, unknown> }
  const freeOf = async (of: string) =>
    (await getEscrow(network.owner.client, { ...network.owner, account: of as typeof account })).freeAtto

  before(async () => {
    network = await startMoneyNetwork({
      providers: 4,
      limits: { unpaidBytesPerAccount: 0, unpaidReadBytesPerHour: 0, settleRestMs: 3_600_000 },
    })
    contracts = await network.joinUser(GATEWAY)
    await start()
    const { did, master } = await network.newDid()
    caller = createCaller(listener.url, did, master)
    await caller.login()
  })
  after(async () => {
    await network?.close()
  })

  test('stores and reads for money, renews, and book, providers and chain agree to the attomemo', async () => {
    const [bigCid, smallCid] = [await upload(big), await upload(small)]
    assert.deepEqual(await download(bigCid), big)
    assert.deepEqual(await download(smallCid), small)
    for (let i = 0; i < 2; i++) assert.deepEqual(await download(bigCid), big)
    const { orders: said } = await info()
    assert.ok(Number(said.count) >= 3 && Number(said.heldBytes) >= 1.5 * (big.length + small.length))
    assert.equal(said.freeEscrowAtto, `${await freeOf(account)}`)

    const opened = events.filter(({ type }) => type === 'order-opened')
    const ends = new Map(opened.map(({ orderId, endEpoch }) => [Number(orderId), Number(endEpoch)]))
    while ((await network.owner.getEpochs()).current < BigInt(Math.min(...ends.values())) - 9n)
      await network.devnet.mine(4)
    const renewed = () => new Set(events.filter(({ type }) => type === 'order-renewed').map(({ orderId }) => orderId))
    await until('the orders are renewed', () => opened.every(({ orderId }) => renewed().has(orderId)))
    const listed = (await (await caller.get('/mefs/listobjects')).json()) as { Objects: { Expire: number }[] }
    for (const { Expire } of listed.Objects) assert.ok(Expire > Date.now() / 1_000 + 10 * 3_600, 'it shows the new end')
    await stop()

    const book = await readBook()
    const chain = network.owner
    let lockedAtto = 0n
    for (const order of book.orders) {
      const onChain = await chain.findOrder(BigInt(order.orderId))
      const provider = network.providers.find(({ address }) => address === order.provider)
      assert.equal(onChain?.user, account)
      assert.equal(onChain?.provider, order.provider)
      assert.equal(Number(onChain?.end), order.endEpoch)
      assert.ok(order.endEpoch > (ends.get(order.orderId) ?? 0))
      lockedAtto += onChain?.lockedAtto ?? 0n
      const signed = await provider?.client.getCommitment(BigInt(order.orderId))
      assert.deepEqual([signed?.user, Number(signed?.commitment.usedBytes)], [account, order.heldBytes])
      assert.deepEqual([order.committedBytes, order.uncommitted], [order.heldBytes, 0])
    }
    const paidBytes = new Map<string, bigint>()
    for (const { orderId, provider, signedBytes } of book.reads) {
      const allowance = await chain.getReadAllowance(BigInt(orderId), account)
      assert.equal(allowance.priceAttoPerByte, READ_PRICE)
      lockedAtto += allowance.bytesAllowed * READ_PRICE
      paidBytes.set(provider, (paidBytes.get(provider) ?? 0n) + BigInt(signedBytes))
    }
    assert.equal((await freeOf(account)) + lockedAtto, ESCROW_ATTO, 'nothing is lost between escrow, orders and reads')
    assert.ok(paidBytes.size >= 2)
    const readBytes = [...paidBytes.values()].reduce((sum, bytes) => sum + bytes, 0n)
    assert.ok(readBytes >= BigInt(3 * big.length + small.length), 'every byte that was read is paid')

    for (const { address, client } of network.providers) {
      const before = await client.earnings()
      const due = (paidBytes.get(address) ?? 0n) * READ_PRICE
      assert.equal(before.reading.heldAtto + before.reading.redeemedAtto, due)
      const after = await client.earnings({ settle: true })
      const { events: income, isLast } = await readProviderIncome(chain.client, {
        ...chain,
        provider: address,
        after: undefined,
      })
      assert.ok(isLast)
      const order = book.orders.find((one) => one.provider === address)
      let [settledAtto, redeemedAtto] = [0n, 0n]
      for (const event of income) {
        if (event.type === 'order-settled' && Number(event.orderId) === order?.orderId) settledAtto += event.incomeAtto
        if (event.type === 'reads-paid' && Number(event.orderId) === order?.orderId) redeemedAtto += event.amountAtto
      }
      assert.deepEqual([after.reading.redeemedAtto, after.reading.heldAtto], [due, 0n])
      assert.deepEqual([redeemedAtto, settledAtto], [due, after.storing.settledAtto])
      assert.equal(after.escrowFreeAtto, after.storing.settledAtto + after.reading.redeemedAtto)
      if (!order) continue
      const onChain = await chain.findOrder(BigInt(order.orderId))
      const epochs = (onChain?.settledTo ?? 0n) - (onChain?.start ?? 0n)
      const perEpoch = (BigInt(order.sizeBytes) * STORAGE_PRICE * 3_600n) / 2n ** 30n
      assert.ok(epochs > 5n && after.storing.settledAtto === epochs * perEpoch, `${epochs} epochs were paid`)
    }
  })

  test('starts again with its orders, and opens none with the same providers', async () => {
    await start()
    caller.baseUrl = listener.url
    await caller.login()
    await upload(new Uint8Array(randomBytes(100_000)))
    await stop()
    const { orders } = await readBook()
    assert.equal(new Set(orders.map(({ provider }) => provider)).size, orders.length, 'one order for each provider')
  })

  test('without anything in escrow refuses an upload with 503, and says what to do', async () => {
    const chain = await network.joinUser(testKey(60))
    await withdrawEscrow(chain.client, { addresses: chain.addresses, amountAtto: ESCROW_ATTO })
    const poor = await createGateway({
      ...portsOf(),
      contracts: chain,
      store: createMemoryIndexStore(),
      secretKey: testKey(60),
      policy: 'rs:2+1',
    })
    await poor.start()
    const socket = await listenAt(poor.server, '127.0.0.1', 0)
    await until('it is ready', async () => (await fetch(`${socket.url}/readyz`)).ok)
    const { did, master } = await network.newDid()
    const other = createCaller(socket.url, did, master)
    await other.login()
    const answer = await other.upload(small)
    const { Description } = (await answer.json()) as { Description: string }
    assert.equal(answer.status, 503)
    assert.match(Description, /memo escrow deposit/)
    await socket.close(500)
    await poor.stop()
  })

  test('a process that ends before or after it submits an order finds one order, and pays for one', async () => {
    for (const [i, when] of ['before', 'after'].entries()) {
      const secretKey = testKey(50 + i)
      const chain = await network.joinUser(secretKey)
      const money = createOrderMoney(chain)
      const own = createMemoryIndexStore()
      const provider = network.providers[0]!.address
      const dying = bookOf(chain, secretKey, own, {
        ...money,
        async openOrder(...order) {
          if (when === 'after') await money.openOrder(...order)
          throw new TypeError('the process has ended')
        },
      })
      const { signal } = new AbortController()
      await assert.rejects(dying.ensure(provider, MIB, signal), TypeError)
      const again = bookOf(chain, secretKey, own)
      const lease = await again.ensure(provider, MIB, signal)
      lease.release()
      assert.deepEqual(await money.listOwnOrders(), [BigInt(lease.orderId)])
      const order = await chain.findOrder(BigInt(lease.orderId))
      assert.equal((await freeOf(money.account)) + (order?.lockedAtto ?? 0n), ESCROW_ATTO)
      await again.close()
    }
  })

  /** What the book of the gateway says while the gateway does not run. */
  async function readBook() {
    const book = bookOf(contracts, GATEWAY, store)
    const status = await book.status()
    await book.close()
    return status
  }
})
