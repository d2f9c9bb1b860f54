import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NotFoundError } from '@memo/core'
import {
  AccountMissing,
  ATTOMEMO_PER_MEMO,
  announceWithdrawal,
  ContractRefused,
  cancelWithdrawal,
  connectNetwork,
  depositPledge,
  ensureFunds,
  ensurePledge,
  findAccount,
  finishExit,
  GasMoneyMissing,
  getAccount,
  getGroup,
  getMemoBalance,
  getPledge,
  getRequirementFor,
  type MemoChain,
  registerKeeper,
  registerProvider,
  registerUser,
  setEndpoint,
  setLabels,
  setPayee,
  startExit,
  transferMemo,
  updateOffer,
  withdrawPledge,
} from '../src/index.ts'
import { startNetwork, type TestNetwork, testAccount } from './support/network.ts'

const GIB = 2 ** 30
const contact = { endpoint: 'http://127.0.0.1:1234/', operator: 'acme', region: 'eu' }
const offer = { capacityBytes: 10 * GIB, storagePriceAttoPerGiBSecond: 7n, retrievalPriceAttoPerByte: 3n }

let network: TestNetwork
before(async () => {
  network = await startNetwork()
})
after(() => network.devnet.close())

function self(chain: MemoChain): { addresses: MemoChain['addresses']; address: `0x${string}` } {
  return { addresses: chain.addresses, address: chain.client.account!.address }
}

function refusedFor(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof ContractRefused && error.reason === reason
}

test('a provider registers, pledges and is active; the same calls again change nothing', async () => {
  const chain = await network.join(0x10)
  const { addresses } = chain
  const account = await registerProvider(chain.client, { addresses, contact, offer })
  assert.equal(account.state, 'registered')
  assert.equal(account.endpoint, 'http://127.0.0.1:1234')
  const { pledgedAtto, requiredAtto } = await ensurePledge(chain.client, { addresses })
  assert.equal(pledgedAtto, requiredAtto)
  assert.equal(requiredAtto, await getRequirementFor(chain.client, { addresses, capacityBytes: offer.capacityBytes }))
  await ensurePledge(chain.client, { addresses })
  const again = await registerProvider(chain.client, { addresses, contact, offer })
  assert.equal(again.state, 'active')
  assert.equal(again.index, account.index)
  assert.equal((await getPledge(chain.client, self(chain))).pledgedAtto, requiredAtto)
  const listed = (await network.owner.listProviders()).find(({ address }) => address === account.address)
  assert.deepEqual(listed, again)
})

test('a role is for good', async () => {
  const chain = await network.join(0x11)
  const { addresses } = chain
  assert.equal((await registerUser(chain.client, { addresses })).state, 'active')
  await assert.rejects(registerKeeper(chain.client, { addresses, contact }), refusedFor('AlreadyRegistered'))
})

test('a group serves with its third active keeper', async () => {
  for (const number of [0x20, 0x21, 0x22]) {
    assert.equal((await getGroup(network.owner.client, { addresses: network.owner.addresses, id: 1 })).serving, false)
    const chain = await network.join(number)
    await registerKeeper(chain.client, { addresses: chain.addresses, contact })
    await ensurePledge(chain.client, { addresses: chain.addresses })
  }
  const group = await getGroup(network.owner.client, { addresses: network.owner.addresses, id: 1 })
  assert.equal(group.serving, true)
  assert.equal(group.keepers.length, 3)
  assert.deepEqual(
    (await network.owner.listKeepers()).map(({ address }) => address),
    group.keepers,
  )
  await assert.rejects(
    getGroup(network.owner.client, { addresses: network.owner.addresses, id: 2 }),
    refusedFor('UnknownGroup'),
  )
})

test('a refusal names the reason, the values, whose fault it is and what to do', async () => {
  const chain = await network.join(0x12)
  const { addresses } = chain
  await registerProvider(chain.client, { addresses, contact, offer })
  await ensurePledge(chain.client, { addresses })
  const larger = { ...offer, capacityBytes: 20 * GIB }
  await assert.rejects(updateOffer(chain.client, { addresses, offer: larger }), (error) => {
    assert.ok(error instanceof ContractRefused)
    assert.equal(error.reason, 'PledgeTooSmall')
    assert.equal(error.blame, 'user')
    assert.match(error.fix ?? '', /[Dd]eposit/)
    assert.match(error.message, /12000000000000000000/)
    return true
  })
  await updateOffer(chain.client, { addresses, offer: { ...offer, storagePriceAttoPerGiBSecond: 9n } })
  await setEndpoint(chain.client, { addresses, endpoint: 'http://127.0.0.1:4321/ /ip4/127.0.0.1/tcp/4001' })
  await setLabels(chain.client, { addresses, operator: 'other', region: 'as' })
  const account = await getAccount(chain.client, self(chain))
  assert.equal(account.storagePriceAttoPerGiBSecond, 9n)
  assert.deepEqual([account.endpoint, account.operator, account.region], ['http://127.0.0.1:4321', 'other', 'as'])
})

test('a capacity that is no whole number is refused before anything is sent', async () => {
  const chain = await network.join(0x13)
  const bad = { ...offer, capacityBytes: 1.5 }
  await assert.rejects(registerProvider(chain.client, { addresses: chain.addresses, contact, offer: bad }), {
    name: 'BadInputError',
  })
})

test('leaving waits for the lock and then frees the pledge', async () => {
  const chain = await network.join(0x14)
  const { addresses } = chain
  await registerProvider(chain.client, { addresses, contact, offer })
  await ensurePledge(chain.client, { addresses })
  await startExit(chain.client, { addresses })
  await assert.rejects(finishExit(chain.client, { addresses }), refusedFor('LockNotOver'))
  await network.devnet.increaseTime(3_600)
  await network.devnet.mine(6)
  await finishExit(chain.client, { addresses })
  const { pledgedAtto, requiredAtto } = await getPledge(chain.client, self(chain))
  assert.equal(requiredAtto, 0n)
  await announceWithdrawal(chain.client, { addresses, amountAtto: pledgedAtto })
  await assert.rejects(withdrawPledge(chain.client, { addresses }), refusedFor('LockNotOver'))
  await network.devnet.increaseTime(3_600)
  await network.devnet.mine(6)
  await withdrawPledge(chain.client, { addresses })
  assert.equal(await getMemoBalance(chain.client, self(chain)), 1_000n * ATTOMEMO_PER_MEMO)
})

test('a pledge is taken out by the payee whom its account named, and goes there', async () => {
  const node = await network.join(0x1a)
  const payee = await network.join(0x1b)
  const { addresses } = node
  const { address: account } = self(node)
  const amountAtto = 5n * ATTOMEMO_PER_MEMO
  await depositPledge(node.client, { addresses, amountAtto })
  await setPayee(node.client, { addresses, account, payee: self(payee).address })
  await assert.rejects(announceWithdrawal(node.client, { addresses, amountAtto }), refusedFor('NotPayee'))
  await announceWithdrawal(payee.client, { addresses, account, amountAtto: 1n })
  await cancelWithdrawal(payee.client, { addresses, account })
  assert.equal((await getPledge(node.client, self(node))).announcedAtto, 0n)
  await assert.rejects(cancelWithdrawal(payee.client, { addresses, account }), refusedFor('NothingAnnounced'))
  await announceWithdrawal(payee.client, { addresses, account, amountAtto })
  await network.devnet.increaseTime(3_600)
  await network.devnet.mine(6)
  await assert.rejects(withdrawPledge(node.client, { addresses }), refusedFor('NotPayee'))
  await withdrawPledge(payee.client, { addresses, account })
  assert.equal(await getMemoBalance(payee.client, self(payee)), 1_005n * ATTOMEMO_PER_MEMO)
})

test('anyone may pledge for anyone', async () => {
  const chain = await network.join(0x15)
  const beneficiary = testAccount(0x99).address
  await depositPledge(chain.client, { addresses: chain.addresses, amountAtto: 5n, beneficiary })
  const pledge = await getPledge(chain.client, { addresses: chain.addresses, address: beneficiary })
  assert.equal(pledge.pledgedAtto, 5n)
})

test('writes of one account at once all arrive, each with a nonce of its own', async () => {
  const chain = await network.join(0x16)
  const to = testAccount(0x98).address
  const sent = await Promise.all(
    Array.from({ length: 20 }, () => transferMemo(chain.client, { addresses: chain.addresses, to, amountAtto: 1n })),
  )
  assert.equal(new Set(sent.map(({ hash }) => hash)).size, 20)
  assert.equal(await getMemoBalance(chain.client, { addresses: chain.addresses, address: to }), 20n)
})

test('two processes with one key get in each other’s way and both arrive', async () => {
  const one = await network.join(0x17)
  const two = await network.join(0x17)
  const to = testAccount(0x97).address
  await Promise.all(
    [one, two, one, two, one, two].map((chain) =>
      transferMemo(chain.client, { addresses: chain.addresses, to, amountAtto: 1n }),
    ),
  )
  assert.equal(await getMemoBalance(one.client, { addresses: one.addresses, address: to }), 6n)
})

test('a failed write does not hold up the next one', async () => {
  const chain = await network.join(0x18)
  const to = testAccount(0x96).address
  const { addresses } = chain
  const results = await Promise.allSettled([
    transferMemo(chain.client, { addresses, to, amountAtto: 1n }),
    transferMemo(chain.client, { addresses, to, amountAtto: 10n ** 30n }),
    transferMemo(chain.client, { addresses, to, amountAtto: 1n }),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.ok(results[1]?.status === 'rejected' && refusedFor('ERC20InsufficientBalance')(results[1].reason))
})

test('an answer that is lost on the way sends nothing twice', async () => {
  const joined = await network.join(0x19)
  const to = testAccount(0x95).address
  const forgetful = {
    request: async (call: { method: string; params?: unknown }) => {
      const answer = await network.devnet.request(call)
      if (call.method === 'eth_sendRawTransaction') throw new TypeError('connection reset')
      return answer
    },
  }
  const { addresses } = joined
  const chain = await connectNetwork({
    rpcUrl: 'in-process',
    provider: forgetful,
    registry: addresses.registry,
    account: testAccount(0x19),
    pollingIntervalMs: 5,
  })
  await transferMemo(chain.client, { addresses, to, amountAtto: 3n })
  assert.equal(await getMemoBalance(chain.client, { addresses, address: to }), 3n)
})

test('funds are topped up to a level, once', async () => {
  const { client, addresses } = network.owner
  const to = testAccount(0x94).address
  const level = { addresses, to, memoAtto: 5n, gasWei: 7n }
  await ensureFunds(client, level)
  await ensureFunds(client, level)
  assert.equal(await getMemoBalance(client, { addresses, address: to }), 5n)
  assert.equal(await client.rpc.getBalance({ address: to }), 7n)
})

test('an account without coin is told so, and a client without an account as well', async () => {
  const { addresses } = network.owner
  const options = { rpcUrl: 'in-process', provider: network.devnet, registry: addresses.registry }
  const poor = await connectNetwork({ ...options, account: testAccount(0x93) })
  await assert.rejects(registerUser(poor.client, { addresses }), GasMoneyMissing)
  const reader = await connectNetwork(options)
  await assert.rejects(registerUser(reader.client, { addresses }), AccountMissing)
})

test('an account that never registered is absent, and asking for it says what to do', async () => {
  const { client, addresses } = network.owner
  const address = testAccount(0x92).address
  assert.equal(await findAccount(client, { addresses, address }), undefined)
  await assert.rejects(getAccount(client, { addresses, address }), NotFoundError)
})

test('waiting for a block ends when the caller gives up', async () => {
  const chain = await network.join(0x1a)
  const gone = AbortSignal.abort(new DOMException('gone', 'AbortError'))
  await assert.rejects(
    transferMemo(chain.client, {
      addresses: chain.addresses,
      to: testAccount(1).address,
      amountAtto: 1n,
      signal: gone,
    }),
    { name: 'AbortError' },
  )
})
