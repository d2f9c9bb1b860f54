import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { keccak256, parseTransaction } from 'viem'
import {
  ATTOMEMO_PER_MEMO,
  announceMarketTerms,
  devnetParams,
  didFromId,
  findGrants,
  findReceiptStatus,
  getAnnouncedTerms,
  getBlock,
  getMemoAllowance,
  getQuota,
  getQuotaPrice,
  getReadClosing,
  getValidityDays,
  grantQuota,
  idFromDid,
  isGranter,
  listAccounts,
  listGranters,
  listGrants,
  listOpenedOrders,
  type MemoChain,
  payContractOf,
  prepareQuotaApproval,
  prepareQuotaPurchase,
  type QuotaKind,
  registerKeeper,
  registerUser,
} from '../src/index.ts'
import { startNetwork, type TestNetwork, testAccount } from './support/network.ts'

let network: TestNetwork
before(async () => {
  network = await startNetwork()
})
after(() => network.devnet.close())

const SIZE_BYTE = 1_000n

function self({ client, addresses }: MemoChain) {
  return { addresses, account: client.account!.address.toLowerCase() as `0x${string}` }
}

/** What a wallet does with what it is given: signs it as it is, hands it in, and waits what becomes of it. */
async function signAndSend({ client }: MemoChain, unsigned: `0x${string}`): Promise<'success' | 'reverted'> {
  const { to, ...fields } = parseTransaction(unsigned)
  const raw = await client.account!.signTransaction({ ...fields, to: to!, type: 'legacy' } as never)
  await client.rpc.sendRawTransaction({ serializedTransaction: raw })
  for (;;) {
    const status = await findReceiptStatus(client, keccak256(raw))
    if (status !== undefined) return status
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

for (const kind of ['space', 'traffic'] as const satisfies readonly QuotaKind[]) {
  test(`a wallet signs an approval and a purchase of ${kind} that others prepared`, async () => {
    const buyer = await network.join(kind === 'space' ? 0x31 : 0x32)
    const { client, addresses } = buyer
    const { account: from } = self(buyer)
    const amountAtto = (await getQuotaPrice(client, { addresses, kind })) * SIZE_BYTE
    const spender = payContractOf(addresses, kind)
    const early = await prepareQuotaPurchase(client, { addresses, kind, from, sizeByte: SIZE_BYTE })
    assert.equal(await signAndSend(buyer, early), 'reverted', 'nothing is approved yet')
    const approval = await prepareQuotaApproval(client, { addresses, kind, from, amountAtto })
    assert.equal(await signAndSend(buyer, approval), 'success')
    assert.equal(await getMemoAllowance(client, { addresses, owner: from, spender }), amountAtto)
    const purchase = await prepareQuotaPurchase(client, { addresses, kind, from, sizeByte: SIZE_BYTE })
    assert.equal(await findReceiptStatus(client, keccak256(purchase)), undefined, 'nobody has signed it')
    assert.equal(await signAndSend(buyer, purchase), 'success')
    assert.equal((await getQuota(client, { addresses, kind, buyer: from })).sizeByte, SIZE_BYTE)
    assert.equal(await getMemoAllowance(client, { addresses, owner: from, spender }), 0n)
  })
}

test('who may grant, and what a transaction granted', async () => {
  const { client, addresses } = network.owner
  const { account: granter } = self(network.owner)
  const to = testAccount(0x33).address.toLowerCase() as `0x${string}`
  assert.equal(await isGranter(client, { addresses, account: granter }), true)
  assert.equal(await isGranter(client, { addresses, account: to }), false)
  const { hash } = await grantQuota(client, { addresses, kind: 'traffic', to, sizeByte: 5n, reason: 'a trial' })
  const granted = { kind: 'traffic', to, sizeByte: 5n, reason: 'a trial', granter }
  assert.deepEqual(await findGrants(client, { addresses, hash }), [granted])
  assert.equal(await findGrants(client, { addresses, hash: `0x${'12'.repeat(32)}` }), undefined)
  assert.deepEqual(await listGrants(client, { addresses, to, granter }), [{ ...granted, hash }])
  assert.deepEqual(await listGrants(client, { addresses, to: granter, granter: to }), [])
  assert.deepEqual(await listGranters(client, { addresses }), [granter])
})

test('terms of the market that were announced wait, and say for how long', async () => {
  const { client, addresses } = network.owner
  const read = async () => await getAnnouncedTerms(client, { addresses })
  const terms = { spacePriceAttoPerByte: 7n, trafficPriceAttoPerByte: 8n, seller: self(network.owner).account }
  await announceMarketTerms(client, { addresses, ...terms })
  const { number, timestamp } = await getBlock(client)
  const { delay } = devnetParams.market
  assert.deepEqual(await read(), {
    terms,
    announcedAt: BigInt(timestamp),
    announcedBlock: BigInt(number),
    delay,
  })
  assert.equal(BigInt(await getValidityDays(client, { addresses })), devnetParams.market.validityDays)
  assert.deepEqual(await getReadClosing(client, { addresses }), devnetParams.orders.readClosing)
})

test('accounts are listed by role, whatever their state, and users without orders have none', async () => {
  const keeper = await network.join(0x34)
  const user = await network.join(0x35)
  const { addresses } = network.owner
  const contact = { endpoint: 'http://127.0.0.1:1', operator: '', region: '' }
  await registerKeeper(keeper.client, { addresses, contact })
  await registerUser(user.client, { addresses })
  const listed = async (role: 'user' | 'keeper' | 'provider') =>
    (await listAccounts(network.owner.client, { addresses, role })).map(({ address, state }) => [address, state])
  assert.deepEqual(await listed('keeper'), [[self(keeper).account, 'registered']])
  assert.deepEqual(await listed('user'), [[self(user).account, 'active']])
  assert.deepEqual(await listed('provider'), [])
  assert.deepEqual(await listOpenedOrders(user.client, { addresses, user: self(user).account }), [])
})

test('a DID and its id say the same', () => {
  const id = 'ab'.repeat(32)
  assert.equal(didFromId(id), `did:memo:${id}`)
  assert.equal(idFromDid(didFromId(id)), id)
  assert.equal(ATTOMEMO_PER_MEMO, 10n ** 18n)
})
