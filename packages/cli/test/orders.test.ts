import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ATTOMEMO_PER_MEMO, allowReads, getEscrow, getKeeperPool, type MemoChain } from '@memo/chain'
import type { Address } from '@memo/core'
import { readChainEarnings, settleAll } from '../src/money/chain-earnings.ts'
import { quote } from '../src/money/quote.ts'
import { wallet } from '../src/money/wallet.ts'
import { initNode } from '../src/nodes/init-node.ts'
import { createIdentity } from '../src/user/identity.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { joinProvider, placeOrder, type TestProvider } from './support/order.ts'
import { createTestContext } from './support/test-context.ts'

const GIB = 2n ** 30n
const EPOCH_SECONDS = 60n
const PRICE = 10n ** 9n

describe('money that orders move', () => {
  const data = mkdtempSync(join(tmpdir(), 'memo-orders-'))
  let network: TestNetwork
  let user: MemoChain
  let account: Address
  let cheap: TestProvider
  let dear: TestProvider

  before(async () => {
    network = await startNetwork()
    const { rpcUrl, registry } = network
    const identity = await createIdentity({ dataDir: data, rpcUrl, registry, signal: new AbortController().signal })
    user = identity.chain
    account = identity.signer.address
    cheap = await joinProvider(network, 0x21, PRICE)
    dear = await joinProvider(network, 0x22, 3n * PRICE)
  })
  after(async () => {
    await network?.close()
    rmSync(data, { recursive: true, force: true })
  })

  test('a quote takes the cheapest, with fees, for the whole time, and reads from the cheapest again', async () => {
    const said = createTestContext()
    await quote(said.context, { data, size: '1GiB', for: '1h', policy: 'rs:1+1' }, [])
    const { direct } = said.last() as { direct: Record<string, bigint | number> }
    const offers = said.json.filter(({ event }) => event === 'offer')
    assert.deepEqual(
      offers.map(({ provider }) => provider),
      [cheap.address, dear.address],
    )
    const pieceBytes = BigInt(direct.pieceBytes as bigint)
    assert.ok(pieceBytes > GIB && pieceBytes < (GIB * 1001n) / 1000n, 'a sealed copy is hardly larger')
    const income = (price: bigint) => (pieceBytes * price * EPOCH_SECONDS) / GIB
    const cost = (price: bigint) => (pieceBytes * price * EPOCH_SECONDS * 105n + GIB * 100n - 1n) / (GIB * 100n)
    assert.equal(direct.costAtto, 60n * (cost(PRICE) + cost(3n * PRICE)))
    assert.equal(direct.feesAtto, 60n * (cost(PRICE) + cost(3n * PRICE) - income(PRICE) - income(3n * PRICE)))
    assert.equal(direct.readAtto, pieceBytes * 0x21n)
  })

  test('wallet and earnings are what the chain has, before and after settling, and one provider’s are not another’s', async () => {
    const epochs = 3n
    const order = { sizeBytes: GIB, priceAtto: PRICE, epochs, depositAtto: ATTOMEMO_PER_MEMO }
    const orderId = await placeOrder(user, cheap, order)
    await placeOrder(user, dear, { ...order, priceAtto: 3n * PRICE, depositAtto: 1n })
    await allowReads(user.client, { addresses: user.addresses, orderId, sizeBytes: 1_000n, maxPriceAttoPerByte: 0x21n })
    const cost = (PRICE * EPOCH_SECONDS * 105n) / 100n
    const said = createTestContext()
    await wallet(said.context, { data }, [])
    const shown = said.json.find(({ event }) => event === 'account') ?? {}
    assert.deepEqual([shown.lockedInOrdersAtto, shown.lockedForReadsAtto], [epochs * cost * 4n, 33_000n])
    const { freeAtto } = await getEscrow(user.client, { addresses: user.addresses, account })
    assert.equal(freeAtto + epochs * cost * 4n + 33_000n, ATTOMEMO_PER_MEMO + 1n)
    assert.equal(shown.escrowFreeAtto, freeAtto)

    const early = await readChainEarnings(user, cheap.address)
    assert.deepEqual(early.storing, { settledAtto: 0n, waitingAtto: 0n, orders: 1 })
    await network.devnet.mine(45)
    const income = epochs * PRICE * EPOCH_SECONDS
    assert.equal((await readChainEarnings(user, cheap.address)).storing.waitingAtto, income)
    // A window closes by time as well, counted from a block that pinned a later epoch.
    await settleAll(cheap.chain, cheap.address, new AbortController().signal)
    await network.devnet.increaseTime(120)
    await network.devnet.mine(30)
    await settleAll(cheap.chain, cheap.address, new AbortController().signal)
    const late = await readChainEarnings(user, cheap.address)
    assert.deepEqual(late.storing, { settledAtto: income, waitingAtto: 0n, orders: 0 })
    assert.equal(late.escrowFreeAtto, income)
    assert.equal((await readChainEarnings(user, dear.address)).storing.settledAtto, 0n)
  })

  test('a keeper’s wallet shows what settled orders have set aside for keepers, and its share', async () => {
    const dataDir = join(data, 'keeper')
    const { rpcUrl, registry } = network
    await initNode({ kind: 'keeper', dataDir, rpcUrl, registry, signal: new AbortController().signal })
    const pool = await getKeeperPool(user.client, { addresses: user.addresses, group: 1 })
    assert.ok(pool > 0n)
    const said = createTestContext()
    await wallet(said.context, { data: dataDir }, [])
    const shown = said.json.find(({ event }) => event === 'account') ?? {}
    assert.deepEqual([shown.keeperPoolAtto, shown.keeperShareAtto], [pool, pool], 'it is the only one')
    assert.match(said.text.join('\n'), /fees .* waits to be shared by keepers/)
  })
})
