import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ATTOMEMO_PER_MEMO, allowReads, getEscrow, type MemoChain } from '@memo/chain'
import type { Address } from '@memo/core'
import { take } from '../src/money/take.ts'
import { createIdentity } from '../src/user/identity.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { joinProvider, placeOrder, type TestProvider } from './support/order.ts'
import { createTestContext } from './support/test-context.ts'

const PRICE = 10n ** 9n
const BYTES = 1_000n
const LOCKED = BYTES * 0x21n
const data = mkdtempSync(join(tmpdir(), 'memo-take-reads-'))
let network: TestNetwork
let user: MemoChain
let account: Address
let provider: TestProvider

before(async () => {
  network = await startNetwork()
  const { rpcUrl, registry } = network
  const identity = await createIdentity({ dataDir: data, rpcUrl, registry, signal: new AbortController().signal })
  user = identity.chain
  account = identity.signer.address
  provider = await joinProvider(network, 0x21, PRICE)
})
after(async () => {
  await network?.close()
  rmSync(data, { recursive: true, force: true })
})

async function taken(
  options: { readonly dryRun?: boolean } = {},
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const said = createTestContext()
  await take(said.context, { data, yes: true, ...options }, [])
  return said.json
}

async function free(): Promise<bigint> {
  return (await getEscrow(user.client, { addresses: user.addresses, account })).freeAtto
}

test('what reads have locked under an order that is over comes back: announced, waited for, taken, once', async () => {
  const order = { sizeBytes: 2n ** 30n, priceAtto: PRICE, depositAtto: ATTOMEMO_PER_MEMO }
  const [short, long] = [
    await placeOrder(user, provider, { ...order, epochs: 2n }),
    await placeOrder(user, provider, { ...order, epochs: 10_000n }),
  ]
  for (const orderId of [short, long]) {
    const call = { addresses: user.addresses, orderId, sizeBytes: BYTES, maxPriceAttoPerByte: 0x21n }
    await allowReads(user.client, call)
  }
  assert.deepEqual((await taken()).map(({ event, tx }) => [event, tx]).at(-1), ['taken', undefined], 'both still run')
  await network.devnet.mine(45)
  const before = await free()
  assert.deepEqual(
    (await taken({ dryRun: true })).map(({ act, orderId }) => [act, orderId]),
    [['announce', short]],
  )
  const facts = async () =>
    (await taken()).filter(({ orderId, act }) => orderId && !act).map(({ event, orderId }) => [event, orderId])
  assert.deepEqual(await facts(), [['announced', short]])
  assert.deepEqual(await facts(), [['waiting', short]])
  assert.equal(await free(), before)
  const { increaseTime, mine } = network.devnet
  await increaseTime(30 * 86_400)
  await mine(2_000)
  assert.deepEqual(await facts(), [['taken', short]])
  assert.equal((await free()) - before, LOCKED)
  assert.deepEqual(await facts(), [])
})
