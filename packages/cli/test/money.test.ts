import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTOMEMO_PER_MEMO, getEscrow, getMemoBalance, getQuota, grantQuota, type MemoChain } from '@memo/chain'
import type { Address } from '@memo/core'
import { LOCAL_USER_ATTO, localBankAddress } from '../src/local-chain.ts'
import { balance } from '../src/money/balance.ts'
import { buy } from '../src/money/buy.ts'
import { deposit, withdraw } from '../src/money/escrow.ts'
import { free } from '../src/money/free.ts'
import { openGranter } from '../src/money/grants.ts'
import { prices } from '../src/money/prices.ts'
import { quote } from '../src/money/quote.ts'
import { findSentPayment } from '../src/money/sent-payments.ts'
import { take } from '../src/money/take.ts'
import { wallet } from '../src/money/wallet.ts'
import type { Verb } from '../src/program.ts'
import { createIdentity } from '../src/user/identity.ts'
import { type HoldingRpc, startHoldingRpc } from './support/holding-rpc.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { createTestContext, type TestContext } from './support/test-context.ts'

const GIB = 2n ** 30n
const SPACE_PRICE = 60_000_000_000n
const home = mkdtempSync(join(tmpdir(), 'memo-money-'))
let network: TestNetwork
let rpc: HoldingRpc
let count = 0

/** A user with a data directory of his own. */
type User = {
  readonly data: string
  readonly address: Address
  readonly did: string
  readonly chain: MemoChain
  space(): Promise<{ readonly sizeByte: bigint; readonly freeByte: bigint }>
  memo(): Promise<bigint>
}

before(async () => {
  network = await startNetwork()
  rpc = await startHoldingRpc(network.devnet)
})
after(async () => {
  await rpc?.close()
  await network?.close()
  rmSync(home, { recursive: true, force: true })
})

async function createUser(): Promise<User> {
  const data = join(home, `user-${++count}`)
  const { registry } = network
  const { signal } = new AbortController()
  const { did, signer, chain } = await createIdentity({ dataDir: data, rpcUrl: rpc.url, registry, signal })
  const { client, addresses } = chain
  const { address } = signer
  return {
    data,
    address,
    did,
    chain,
    space: async () => await getQuota(client, { addresses, kind: 'space', buyer: address }),
    memo: async () => await getMemoBalance(client, { addresses, address }),
  }
}

/** Runs a verb; resolves with what it said. */
async function run<O>(verb: Verb<O>, options: O, args: readonly string[] = []): Promise<TestContext> {
  const said = createTestContext()
  await verb(said.context, options, args)
  return said
}

async function buySpace(user: User, size: string, options = {}): Promise<TestContext> {
  return await run(buy, { data: user.data, yes: true, ...options }, ['space', size])
}

describe('buying', () => {
  let user: User
  beforeEach(async () => {
    user = await createUser()
  })

  test('a purchase costs exactly what was shown, and the same once more is another purchase', async () => {
    const first = await buySpace(user, '10GiB')
    const cost = 10n * GIB * SPACE_PRICE
    assert.equal(first.last().costAtto, cost)
    assert.ok(first.text.join('\n').includes('644.2450944 MEMO'))
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [10n * GIB, LOCAL_USER_ATTO - cost])
    const second = await buySpace(user, '10GiB')
    assert.equal(second.last().isResumed, false)
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [20n * GIB, LOCAL_USER_ATTO - 2n * cost])
  })

  test('--dry-run shows the same and moves nothing', async () => {
    const said = await buySpace(user, '10GiB', { yes: false, dryRun: true })
    assert.deepEqual(
      [said.last().event, said.last().dryRun, said.last().costAtto],
      ['proposal', true, 10n * GIB * SPACE_PRICE],
    )
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [0n, LOCAL_USER_ATTO])
  })

  test('for others: an address, or a DID, which gets it at its master key', async () => {
    const [other, third] = [await createUser(), await createUser()]
    await buySpace(user, '1GiB', { for: other.did.toUpperCase().replace('DID:MEMO', 'did:memo') })
    await buySpace(user, '2GiB', { for: third.address })
    assert.deepEqual([(await other.space()).sizeByte, (await third.space()).sizeByte], [GIB, 2n * GIB])
    assert.equal((await user.space()).sizeByte, 0n)
    await assert.rejects(buySpace(user, '1GiB', { for: 'did:memo:12' }), { name: 'UsageError' })
    await assert.rejects(buySpace(user, '1GiB', { for: `did:memo:${'1'.repeat(64)}` }), { name: 'NotFoundError' })
  })

  test('who has too little is told how much is missing, where, and what to do', async () => {
    await run(deposit, { data: user.data, yes: true }, ['9999'])
    await assert.rejects(
      buySpace(user, '9007199GB'),
      (error: Error & { fix: string; details: Record<string, string> }) => {
        assert.equal(error.name, 'FundsMissingError')
        assert.ok(error.message.includes(user.address) && / more$/.test(error.message), error.message)
        assert.equal(error.details.missingAtto, `${9_007_199n * 10n ** 9n * SPACE_PRICE - ATTOMEMO_PER_MEMO}`)
        assert.match(error.fix, /memo did create/)
        return true
      },
    )
  })
})

describe('a purchase that was interrupted', () => {
  let user: User
  const cost = GIB * SPACE_PRICE
  beforeEach(async () => {
    user = await createUser()
    rpc.hold()
    const said = createTestContext()
    const buying = buy(said.context, { data: user.data, yes: true }, ['space', '1GiB'])
    const before = rpc.held().length
    while (rpc.held().length === before) await new Promise((resolve) => setTimeout(resolve, 10))
    said.interrupt()
    await assert.rejects(buying)
    rpc.pass()
    assert.equal(
      findSentPayment(user.data, { address: user.address, network: user.chain.network })?.transactions.length,
      1,
    )
  })

  test('is not paid twice when it got into a block after all', async () => {
    await rpc.release()
    await network.devnet
      .request({ method: 'eth_sendRawTransaction', params: [rpc.held().at(-1)] })
      .catch(() => 'it is there')
    const again = await buySpace(user, '1GiB')
    assert.equal(again.last().isResumed, true)
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [GIB, LOCAL_USER_ATTO - cost])
    assert.equal((await buySpace(user, '1GiB')).last().isResumed, false)
    assert.equal((await user.space()).sizeByte, 2n * GIB)
  })

  test('is handed in again, the same bytes, when the chain has forgotten it', async () => {
    const { transactions } = findSentPayment(user.data, { address: user.address, network: user.chain.network }) ?? {
      transactions: [],
    }
    const again = await buySpace(user, '1GiB')
    assert.deepEqual([again.last().isResumed, again.last().tx], [true, transactions[0]?.hash])
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [GIB, LOCAL_USER_ATTO - cost])
  })

  test('is void once another payment has taken its place', async () => {
    await run(deposit, { data: user.data, yes: true }, ['1'])
    await assert.rejects(rpc.release())
    assert.deepEqual([(await user.space()).sizeByte, await user.memo()], [0n, LOCAL_USER_ATTO - ATTOMEMO_PER_MEMO])
    assert.equal((await buySpace(user, '1GiB')).last().isResumed, false)
    assert.equal((await user.space()).sizeByte, GIB)
  })
})

describe('escrow', () => {
  test('what is deposited is free, and what is withdrawn is back, to the attomemo', async () => {
    const user = await createUser()
    const { client, addresses } = user.chain
    const move = async (verb: typeof deposit, text: string) => {
      return (await run(verb, { data: user.data, yes: true }, [text])).last()
    }
    await move(deposit, '12.500000000000000001')
    const { freeAtto } = await getEscrow(client, { addresses, account: user.address })
    assert.equal(freeAtto, 12_500_000_000_000_000_001n)
    await assert.rejects(move(withdraw, '13'), { name: 'FundsMissingError' })
    assert.equal((await move(withdraw, '2.5')).escrowFreeAtto, 10_000_000_000_000_000_001n)
    assert.equal((await move(withdraw, 'all')).escrowFreeAtto, 0n)
    assert.equal(await user.memo(), LOCAL_USER_ATTO)
    await assert.rejects(move(withdraw, 'all'), { name: 'FundsMissingError', message: /nothing free in escrow/ })
    for (const nonsense of ['', '0', '-1', '1e3', '1,5', '1.0000000000000000001', 'much']) {
      await assert.rejects(move(deposit, nonsense), { name: 'UsageError' }, nonsense)
    }
  })
})

describe('what administrators do', () => {
  test('a grant reaches the DID with its reason, and is nobody else’s to give', async () => {
    const user = await createUser()
    const grant = { data: user.data, yes: true, type: 'space', to: user.did, size: '10GiB', reason: 'a tweet' }
    const said = await run(free, grant)
    const { event, admin, grantedBytes, to } = said.last()
    assert.deepEqual([event, admin, grantedBytes, to], ['granted', localBankAddress(), 10n * GIB, user.address])
    assert.equal((await user.space()).freeByte, 10n * GIB)
    const key = join(user.data, 'keys', 'user.json')
    await assert.rejects(run(free, { ...grant, key }), {
      name: 'NotGranterError',
      message: new RegExp(`${user.address} may not .* held by ${localBankAddress()}`),
    })
    for (const reason of ['', 'x'.repeat(257), '字'.repeat(86)]) {
      await assert.rejects(run(free, { ...grant, reason }), { name: 'BadInputError' })
    }
    await assert.rejects(run(free, { ...grant, type: 'room' }), { name: 'UsageError', fix: /space, traffic/ })
    assert.equal((await run(free, { ...grant, type: 'TRAFFIC', size: '1MB' })).last().kind, 'traffic')
    // What is there is near the end of what the contract counts; one more is said to be too many, before anything is sent.
    const { client, addresses } = await openGranter(grant).then(({ chain }) => chain)
    const full = {
      addresses,
      kind: 'space',
      to: user.address,
      sizeByte: 2n ** 64n - 2n - 2n ** 41n,
      reason: 'a test',
    } as const
    await grantQuota(client, full)
    await assert.rejects(run(free, { ...grant, size: '8191TiB' }), {
      name: 'UsageError',
      message: /counts up to 18446/,
    })
    await assert.rejects(grantQuota(client, full), {
      name: 'ContractRefused',
      reason: 'NumberTooLarge',
      message: /^a number would become larger/,
    })
  })

  test('prices are shown as the chain has them, and a change is announced and not yet in force', async () => {
    const user = await createUser()
    await run(prices, { data: user.data, yes: true, space: '70000000000' })
    const said = await run(prices, { data: user.data })
    const { spacePriceAttoPerByte, announced } = said.last()
    assert.equal(spacePriceAttoPerByte, SPACE_PRICE)
    assert.equal((announced as { spacePriceAttoPerByte: bigint }).spacePriceAttoPerByte, 70_000_000_000n)
    // The tests after this one, however late they come, find the price that they know.
    await run(prices, { data: user.data, yes: true, space: `${SPACE_PRICE}` })
    for (const space of ['0', '-1', '1.5', '18446744073709551616', 'x']) {
      await assert.rejects(run(prices, { data: user.data, yes: true, space }), { name: 'UsageError' }, space)
    }
  })
})

describe('what is shown', () => {
  test('wallet and balance agree with the chain', async () => {
    const user = await createUser()
    await buySpace(user, '3GiB')
    await run(deposit, { data: user.data, yes: true }, ['5'])
    const said = await run(wallet, { data: user.data })
    const account = said.json.find(({ event }) => event === 'account')
    assert.deepEqual(
      [account?.address, account?.memoAtto, account?.escrowFreeAtto, account?.lockedInOrdersAtto],
      [user.address, await user.memo(), 5n * ATTOMEMO_PER_MEMO, 0n],
    )
    const quotas = (await run(balance, { data: user.data })).last()
    const { space, traffic, buyer } = quotas as Record<string, { paidBytes: bigint; grantedBytes: bigint }>
    assert.deepEqual(
      [buyer, space?.paidBytes, space?.grantedBytes, traffic?.paidBytes],
      [user.address, 3n * GIB, 0n, 0n],
    )
  })

  test('a quote without enough providers says so and names no price of theirs', async () => {
    const user = await createUser()
    const said = await run(quote, { data: user.data, size: '10GiB', for: '1y', policy: 'rs:4+2' })
    const { gateway, direct } = said.last() as { gateway: { spaceAtto: bigint }; direct: { costAtto: bigint | null } }
    assert.deepEqual([gateway.spaceAtto, direct.costAtto], [10n * GIB * SPACE_PRICE, null])
    assert.match(said.text.join('\n'), /needs 6 providers, and 0 are active/)
  })

  test('what is left of quota that expired is ended and taken, once, and nobody is owed anything then', async () => {
    const user = await createUser()
    await buySpace(user, '1GiB')
    assert.equal((await run(take, { data: user.data, yes: true })).last().amountAtto, 0n)
    await network.devnet.increaseTime(1_096 * 86_400)
    await network.devnet.mine()
    const dry = await run(take, { data: user.data, dryRun: true })
    assert.deepEqual(
      dry.json.map(({ act }) => act),
      ['end', 'take'],
    )
    assert.equal(await user.memo(), LOCAL_USER_ATTO - GIB * SPACE_PRICE)
    const said = await run(take, { data: user.data, yes: true })
    assert.deepEqual(
      said.json.filter(({ tx }) => tx).map(({ event }) => event),
      ['ended', 'taken'],
    )
    assert.equal(await user.memo(), LOCAL_USER_ATTO)
    assert.equal((await run(take, { data: user.data, yes: true })).last().amountAtto, 0n)
  })
})
