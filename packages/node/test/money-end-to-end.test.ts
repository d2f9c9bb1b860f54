import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  ATTOMEMO_PER_MEMO,
  accountFromSecretKey,
  allowReads,
  amendOrder,
  announceCloseReads,
  depositEscrow,
  ensurePledge,
  type GasOptions,
  getEpochs,
  getEscrow,
  getKeeperPool,
  getOrder,
  getReadAllowance,
  type MemoChain,
  openOrder,
  readProviderIncome,
  registerKeeper,
  registerProvider,
  registerUser,
} from '@memo/chain'
import { deployNetwork, quickOrderParams } from '@memo/chain/testing'
import {
  type ClientPorts,
  createKeySigner,
  createProviderClient,
  createSetTree,
  encodeVoucher,
  type OrderTerms,
  ordersVerifierOf,
  type ProviderClient,
  type ReadVoucher,
  setCommitmentDigest,
  setCommitmentOf,
  signVoucher,
} from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  type HttpTransport,
} from '@memo/platform'
import { type NodeEvent, runKeeperDaemon, runProviderDaemon } from '../src/index.ts'

const MIB = 1_048_576
const PRICE = 10n ** 12n
const READ_PRICE = 1_000n
/** Test keys: 32 bytes of one number. */
const testKey = (number: number): Uint8Array => new Uint8Array(32).fill(number)
const [DEPLOYER, PROVIDER, USER, KEEPER] = [testKey(0xd0), testKey(0x51), testKey(0x52), testKey(0x53)]

describe('an order on a chain, from its quote to its money', () => {
  let devnet: Devnet
  let owner: MemoChain
  let joined: (secretKey: Uint8Array) => Promise<MemoChain>
  let user: MemoChain
  let http: HttpTransport
  let directory: string
  let url: string
  let stop: () => Promise<void>
  const events: NodeEvent[] = []
  const signer = createKeySigner(USER)
  const provider = createKeySigner(PROVIDER).address

  const start = async () => {
    const controller = new AbortController()
    const ready = Promise.withResolvers<string>()
    const running = runProviderDaemon({
      dataDir: join(directory, 'provider'),
      rpcUrl: 'in-process',
      rpcProvider: devnet,
      registry: owner.network.registry,
      secretKey: PROVIDER,
      host: '127.0.0.1',
      port: 0,
      onEvent(event) {
        events.push(event)
        if (event.type === 'ready') ready.resolve(String(event.url))
      },
      signal: controller.signal,
      limits: { readWindowBytes: MIB, unpaidReadBytesPerHour: 0, unpaidBytesPerAccount: 0, attoPerGasWei: 0n },
    })
    url = await Promise.race([ready.promise, running.then(() => assert.fail('it ended before it was ready'))])
    stop = async () => {
      controller.abort()
      await running
    }
  }
  const clientOf = (secretKey: Uint8Array): ProviderClient => {
    const ports: ClientPorts = {
      network: owner.network,
      money: owner.money,
      transport: http.transport,
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandomness(),
      signer: createKeySigner(secretKey),
    }
    return createProviderClient(ports, { address: provider, endpoint: url })
  }
  const freeOf = async (account: `0x${string}`) => (await getEscrow(owner.client, { ...owner, account })).freeAtto
  const waitForEpoch = async (epoch: bigint) => {
    while ((await owner.getEpochs()).current < epoch) await devnet.mine(1)
  }
  /** What the chain's events say that the provider was paid. */
  const paidByEvents = async () => {
    let [settledAtto, redeemedAtto] = [0n, 0n]
    const { events: found, isLast } = await readProviderIncome(owner.client, { ...owner, provider, after: undefined })
    assert.ok(isLast)
    for (const event of found) {
      if (event.type === 'order-settled') settledAtto += event.incomeAtto
      if (event.type === 'reads-paid') redeemedAtto += event.amountAtto
    }
    return { settledAtto, redeemedAtto }
  }

  before(async () => {
    devnet = await createDevnet({ genesisAlloc: { [accountFromSecretKey(DEPLOYER).address]: 10n ** 24n } })
    const network = await deployNetwork(devnet, { deployerKey: DEPLOYER, params: quickOrderParams })
    owner = network.owner
    joined = network.join
    user = await network.join(USER)
    await registerUser(user.client, user)
    await depositEscrow(user.client, { addresses: user.addresses, amountAtto: 100n * ATTOMEMO_PER_MEMO })
    const node = await network.join(PROVIDER)
    await registerProvider(node.client, {
      addresses: node.addresses,
      contact: { endpoint: 'http://127.0.0.1:1', operator: '', region: '' },
      offer: { capacityBytes: 2 ** 30, storagePriceAttoPerGiBSecond: PRICE, retrievalPriceAttoPerByte: READ_PRICE },
    })
    await ensurePledge(node.client, node)
    http = createHttpTransport()
    directory = await mkdtemp(join(tmpdir(), 'memo-money-'))
    await start()
  })
  after(async () => {
    await stop()
    await http.close()
    await devnet.close()
    await rm(directory, { recursive: true })
  })

  test('earns exactly what chain and events say, over a restart, and holds what both signed', async () => {
    const client = clientOf(USER)
    const random = createSystemRandomness()
    const bytes = random.bytes(3 * MIB)
    const upload = async (piece: Uint8Array, orderId: number) => {
      const id = random.bytes(32)
      const uploader = clientOf(USER)
      const sent = await uploader.upload(id, piece, { maxBytes: piece.length, orderId })
      return await uploader.commit(id, sent)
    }
    await assert.rejects(upload(bytes, 0), { name: 'OrderRefusedError' }, 'nothing is free here')
    await assert.rejects(upload(bytes, 1), { name: 'OrderRefusedError' }, 'not opened yet')

    const quote = await client.quote()
    const { current } = await user.getEpochs()
    const terms: OrderTerms = {
      user: signer.address,
      provider,
      nonce: 1n,
      sizeBytes: BigInt(2 * MIB),
      priceAttoPerGiBSecond: quote.priceAttoPerGiBSecond,
      start: current + 1n,
      end: current + 30n,
      submitBy: BigInt(Math.floor(Date.now() / 1_000) + 500),
    }
    const { addresses } = user
    const providerSignature = await client.signOrder(terms)
    const { orderId } = await openOrder(user.client, { addresses, terms, providerSignature })
    assert.equal(orderId, 1n)
    await assert.rejects(upload(bytes, 1), { name: 'OrderRefusedError' }, 'it is larger than the order')

    const amendment = { ...terms, orderId, seq: 1n, sizeBytes: BigInt(4 * MIB), end: terms.end + 5n }
    const amended = await client.signAmendment(amendment)
    await amendOrder(user.client, { addresses, terms: amendment, providerSignature: amended })
    const receipt = await upload(bytes, 1)
    assert.equal(receipt.orderId, 1)

    const change = { added: [receipt], removed: [] }
    const tree = createSetTree().apply(change)
    const epoch = (await getEpochs(user.client, user)).current
    const commitment = setCommitmentOf(tree, { orderId, seq: 1n, fromEpoch: epoch + 1n })
    const signature = await signer.signDigest(setCommitmentDigest(ordersVerifierOf(user.money), commitment))
    await client.commitSet({ commitment, signature, ...change })

    await assert.rejects(client.readUnits(receipt.root, receipt.sizeBytes), { name: 'PaymentRequiredError' })
    await allowReads(user.client, { addresses, orderId, sizeBytes: BigInt(20 * MIB), maxPriceAttoPerByte: READ_PRICE })
    const sign = async (bytesRead: number) => {
      const voucher: ReadVoucher = { orderId, payer: signer.address, seq: 0n, bytesRead: BigInt(bytesRead) }
      return encodeVoucher(await signVoucher(user.money, voucher, signer))
    }
    let voucher = await sign(0)
    const units = await client.readUnits(receipt.root, receipt.sizeBytes, { voucher })
    const readAt = async (client_: ProviderClient, at: number, text: string) =>
      await client_.read({ ...receipt, units }, { offset: at * MIB, length: MIB / 2 }, { voucher: text })
    await readAt(client, 0, voucher)
    await assert.rejects(readAt(client, 1, await sign(0)), { name: 'PaymentRequiredError' }, 'beyond the window')
    voucher = await sign(units.length + MIB)
    for (const at of [1, 2]) {
      assert.deepEqual(
        Buffer.from(await readAt(client, at, voucher)),
        Buffer.from(bytes.subarray(at * MIB, (at + 0.5) * MIB)),
      )
    }
    const operator = clientOf(PROVIDER)
    await assert.rejects(client.earnings(), { name: 'ForbiddenError' })
    const held = await operator.earnings()
    assert.deepEqual(held.reading, { redeemedAtto: 0n, heldAtto: BigInt(units.length + MIB) * READ_PRICE, vouchers: 1 })
    assert.equal(held.storing.orders, 1)

    await stop()
    const allowance = await getReadAllowance(user.client, { addresses, orderId, payer: signer.address })
    assert.equal(allowance.bytesPaid, BigInt(units.length + MIB), 'vouchers are presented before the provider goes')
    await start()
    await waitForEpoch(terms.start + 12n)
    const before = await clientOf(PROVIDER).earnings()
    const { segments, settledTo } = await getOrder(user.client, { addresses, orderId })
    assert.ok(before.storing.waitingAtto > 0n)
    assert.equal(before.storing.settledAtto, 0n)
    const settled = await clientOf(PROVIDER).earnings({ settle: true })
    await devnet.mine(2)
    const again = await clientOf(PROVIDER).earnings({ settle: true })
    const last = segments.at(-1)!
    assert.ok(
      again.storing.settledAtto >= 10n * last.incomePerEpochAtto,
      `${again.storing.settledAtto} from ${settledTo}`,
    )
    assert.ok(settled.storing.settledAtto <= again.storing.settledAtto)
    assert.deepEqual(
      { settledAtto: again.storing.settledAtto, redeemedAtto: again.reading.redeemedAtto },
      await paidByEvents(),
    )
    assert.equal(again.escrowFreeAtto, again.storing.settledAtto + again.reading.redeemedAtto)
    assert.equal(again.escrowFreeAtto, await freeOf(provider))
    assert.deepEqual({ ...again.reading, redeemedAtto: 0n }, { redeemedAtto: 0n, heldAtto: 0n, vouchers: 0 })

    assert.deepEqual((await clientOf(USER).getCommitment(orderId))?.commitment, commitment)
    const [listed] = await clientOf(USER).listOrderPieces(orderId)
    assert.deepEqual({ ...listed }, { root: receipt.root, sizeBytes: receipt.sizeBytes, committed: true })

    voucher = await sign(units.length + 2 * MIB)
    await readAt(clientOf(USER), 0, voucher)
    await announceCloseReads(user.client, { addresses, orderId })
    await waitForEpoch(amendment.end)
    await devnet.mine(20)
    for (let i = 0; i < 3; i++) {
      await clientOf(PROVIDER).earnings({ settle: true })
      await devnet.mine(8)
    }
    const final = await clientOf(PROVIDER).earnings({ settle: true })
    const order = await getOrder(user.client, { addresses, orderId })
    assert.equal(order.settledTo, amendment.end)
    assert.equal(order.lockedAtto, 0n)
    assert.deepEqual(final.storing, { ...final.storing, waitingAtto: 0n, orders: 0 })
    assert.equal(final.reading.redeemedAtto, BigInt(units.length + 2 * MIB) * READ_PRICE)
    assert.deepEqual(
      { settledAtto: final.storing.settledAtto, redeemedAtto: final.reading.redeemedAtto },
      await paidByEvents(),
    )
    assert.equal(final.escrowFreeAtto, await freeOf(provider))
    await assert.rejects(upload(random.bytes(10), 1), { name: 'OrderRefusedError' }, 'over')
    assert.deepEqual(
      events.filter(({ level }) => level === 'error'),
      [],
    )
  })

  test('also pays a keeper, which has what settled orders set aside shared', async () => {
    const chain = await joined(KEEPER)
    const { address } = createKeySigner(KEEPER)
    await registerKeeper(chain.client, {
      addresses: chain.addresses,
      contact: { endpoint: 'http://127.0.0.1:1', operator: '', region: '' },
    })
    await ensurePledge(chain.client, chain)
    const pool = await getKeeperPool(chain.client, { addresses: chain.addresses, group: 1 })
    assert.ok(pool > 0n, 'the order of before has paid 4 %')
    const runKeeper = async (until: NodeEvent['type'], gas?: GasOptions) => {
      const controller = new AbortController()
      const seen = Promise.withResolvers<NodeEvent>()
      const running = runKeeperDaemon({
        dataDir: join(directory, 'keeper'),
        rpcUrl: 'in-process',
        rpcProvider: devnet,
        registry: owner.network.registry,
        secretKey: KEEPER,
        host: '127.0.0.1',
        port: 0,
        onEvent: (event) => event.type === until && seen.resolve(event),
        signal: controller.signal,
        limits: { shareEveryMs: 100, attoPerGasWei: 0n },
        gas,
      })
      const event = await Promise.race([seen.promise, running.then(() => assert.fail('it ended'))])
      controller.abort()
      await running
      return event
    }
    const waits = await runKeeper('gas-too-expensive', { maxFeePerGasWei: 1n })
    assert.match(waits.message, /tried again/)
    assert.equal(await freeOf(address), 0n)
    const { eachAtto } = await runKeeper('keepers-paid')
    assert.equal(eachAtto, `${pool}`)
    assert.equal(await freeOf(address), pool)
  })
})
