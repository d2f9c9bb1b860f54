import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findPaymentDue, type ProviderClient, type RemoteError, type Signer } from '@memo/core'
import { InjectedFaultError, TEST_MONEY } from '@memo/core/testing'
import type { ProviderLimits } from '../src/index.ts'
import { scriptAllowance, scriptOrder, voucherOf } from './support/orders.ts'
import { createWorld, errorName, type Stored, store } from './support/world.ts'

const WINDOW = 200_000
const PIECE = 100_000
const ORDER = 5n
const HOUR_MS = 3_600_000

async function startedProvider(limits: Partial<ProviderLimits> = {}) {
  const world = createWorld('vouchers')
  const provider = world.provider('a', { limits: { readWindowBytes: WINDOW, unpaidReadBytesPerHour: 0, ...limits } })
  await provider.start()
  const payer = world.user('alice')
  const client = provider.client(payer)
  scriptOrder(world, ORDER, { user: payer.address, provider: provider.signer.address })
  scriptAllowance(world, ORDER, payer.address)
  const piece = await store(client, world, world.random.bytes(PIECE), Number(ORDER))
  const voucher = async (bytesRead: number, changes?: Parameters<typeof voucherOf>[3], by: Signer = payer) =>
    await voucherOf(by, ORDER, bytesRead, changes)
  /** Reads whole pieces past the client, which would want units first. */
  const read = async (text: string | undefined, from = 0) => {
    const headers = { ...(text === undefined ? {} : { 'memo-voucher': text }), range: `bytes=${from}-` }
    return await provider.raw({ url: pathOf(piece), headers })
  }
  return { world, provider, payer, client, piece, voucher, read }
}

const pathOf = ({ root }: Stored): string => `/pieces/${Buffer.from(root).toString('hex')}`

const dueFor =
  (reason: string, served: number, paid: number) =>
  (error: RemoteError): boolean => {
    assert.equal(error.name, 'PaymentRequiredError')
    assert.equal(error.details.reason, reason)
    const due = findPaymentDue(error.details)
    assert.deepEqual([due?.bytesServed, due?.bytesPaid], [BigInt(served), BigInt(paid)])
    return true
  }

async function readAll(client: ProviderClient, piece: Stored, voucher: string): Promise<void> {
  const units = await client.readUnits(piece.root, piece.sizeBytes, { voucher })
  await client.read({ ...piece, units }, { offset: 0, length: piece.sizeBytes }, { voucher })
}

describe('a reader with vouchers', () => {
  test('is served a window beyond what the last one says, and told exactly how much is due', async () => {
    const { client, payer, piece, voucher } = await startedProvider()
    const unitsBytes = 2 * 32
    const first = await voucher(0)
    await readAll(client, piece, first)
    await client.read(
      { ...piece, units: await client.readUnits(piece.root, PIECE, { voucher: first }) },
      { offset: 0, length: 1 },
      { voucher: first },
    )
    const served = 2 * unitsBytes + PIECE + 65_536
    await assert.rejects(readAll(client, piece, first), dueFor('window', served + unitsBytes, 0))
    const second = await voucher(served + unitsBytes)
    await readAll(client, piece, second)
    await assert.rejects(readAll(client, piece, second), (error: RemoteError) => {
      assert.equal(findPaymentDue(error.details)?.payer, payer.address)
      return dueFor('window', served + 3 * unitsBytes + PIECE, served + unitsBytes)(error)
    })
  })

  test('pays in advance as well, and an older voucher takes nothing back', async () => {
    const { voucher, read } = await startedProvider()
    const ahead = await voucher(5 * PIECE)
    assert.equal((await read(ahead)).status, 206)
    const older = await voucher(PIECE)
    for (let i = 0; i < 6; i++) assert.equal((await read(i % 2 ? older : ahead)).status, 206)
    assert.equal((await read(older)).status, 402)
    assert.equal((await read(ahead)).status, 402)
  })

  test('is not charged for what was not sent', async () => {
    const { provider, piece, voucher } = await startedProvider()
    const text = await voucher(0)
    for (let i = 0; i < 20; i++) {
      const { status, body } = await provider.handler({
        method: 'GET',
        url: pathOf(piece),
        headers: { 'memo-voucher': text },
      })
      assert.equal(status, 200)
      const iterator = body[Symbol.asyncIterator]()
      await iterator.return?.()
    }
  })

  test('is refused with a voucher of another payer, provider, order, chain or contract', async () => {
    const { world, payer, voucher, read } = await startedProvider()
    const mallory = world.user('mallory')
    const other = world.provider('b')
    scriptOrder(world, 6n, { user: payer.address, provider: other.signer.address })
    scriptAllowance(world, 6n, payer.address)
    const bent = [
      await voucher(1_000, { payer: payer.address }, mallory),
      await voucher(1_000, {}, mallory),
      await voucherOf(payer, 6n, 1_000),
      await voucherOf(payer, 7n, 1_000),
      await voucherOf(payer, 2n ** 63n, 1_000),
      await voucher(1_000, { money: { ...TEST_MONEY, chainId: 1 } }),
      await voucher(1_000, { money: { ...TEST_MONEY, reads: TEST_MONEY.orders } }),
    ]
    for (const [i, text] of bent.entries()) {
      const answer = await read(text)
      assert.equal(answer.status, 402, `case ${i}`)
      assert.equal(errorName(answer), 'PaymentRequiredError')
    }
    for (const text of [
      '',
      'x',
      '%%',
      'e30',
      'bnVsbA',
      Buffer.from('{"orderId":5}').toString('base64url'),
      'A'.repeat(9_000),
    ]) {
      assert.equal(errorName(await read(text)), 'BadInputError', text.slice(0, 40))
    }
    assert.equal((await read(await voucher(0))).status, 206, 'all that cost the payer nothing')
  })

  test('is served no more than was locked, and nothing on credit while the lock is being taken back', async () => {
    const { world, payer, client, piece, voucher, read } = await startedProvider()
    scriptAllowance(world, ORDER, payer.address, { bytesAllowed: 150_000n })
    assert.equal((await read(await voucher(150_001))).status, 402)
    const text = await voucher(0)
    assert.equal((await read(text)).status, 206)
    await assert.rejects(readAll(client, piece, text), dueFor('allowance', PIECE + 64, 0))
    scriptAllowance(world, ORDER, payer.address, { bytesAllowed: 10n ** 6n })
    assert.equal((await read(text, PIECE - 1_000)).status, 206, 'a lock that grew is seen at once')
    scriptAllowance(world, ORDER, payer.address, { closingBlock: 9n })
    await world.time.advance(20_000)
    assert.equal((await read(text)).status, 402)
    assert.equal((await read(await voucher(2 * PIECE))).status, 402, 'debts come first')
    assert.equal((await read(await voucher(2 * PIECE + 2_000))).status, 206)
  })

  test('cannot leave debts behind by closing an allowance and opening the next', async () => {
    const { world, payer, voucher, read } = await startedProvider()
    const text = await voucher(PIECE)
    assert.equal((await read(text)).status, 206)
    for (let i = 0; i < 2; i++) assert.equal((await read(text)).status, 206)
    scriptAllowance(world, ORDER, payer.address, { seq: 1n })
    await world.time.advance(20_000)
    assert.equal((await read(text)).status, 402, 'the voucher is void')
    const next = await voucher(0, { seq: 1n })
    assert.equal((await read(next)).status, 402, 'a whole window is owed')
    assert.equal((await read(await voucher(2 * PIECE, { seq: 1n }))).status, 206)
    assert.equal((await read(await voucher(0, { seq: 0n }))).status, 402)
  })

  test('is forgiven a window a day of what broke off on its way, and no more', async () => {
    const { world, voucher, read } = await startedProvider({ voucherFlushMs: HOUR_MS, orderSweepRestMs: HOUR_MS })
    const text = await voucher(0)
    for (let i = 0; i < 2; i++) assert.equal((await read(text)).status, 206)
    await world.time.advance(11 * HOUR_MS)
    assert.equal((await read(text)).status, 402)
    await world.time.advance(HOUR_MS + 60_000)
    assert.equal((await read(text)).status, 206)
    assert.equal((await read(text)).status, 402)
    await world.time.advance(100 * HOUR_MS)
    for (let i = 0; i < 2; i++) assert.equal((await read(text)).status, 206)
    assert.equal((await read(text)).status, 402)
  })

  test('is served though strangers show more vouchers than the provider cares to ask the chain about', async () => {
    const { world, voucher, read } = await startedProvider({ unknownPayersPerHour: 5 })
    const own = await voucher(0)
    assert.equal((await read(own)).status, 206)
    let asked = 0
    const { getReadAllowance } = world.chain
    world.chain.getReadAllowance = async (...args) => {
      asked++
      return await getReadAllowance(...args)
    }
    for (let i = 0; i < 20; i++) {
      const answer = await read(await voucher(1, {}, world.stranger(`nobody ${i}`)))
      assert.equal(errorName(answer), i < 5 ? 'PaymentRequiredError' : 'BusyError')
    }
    assert.equal(asked, 5)
    assert.equal((await read(await voucher(1))).status, 206)
    await world.time.advance(HOUR_MS)
    const late = world.user('late')
    scriptAllowance(world, ORDER, late.address)
    for (let i = 0; i < 10; i++) await read(await voucher(0, {}, late))
    assert.equal(errorName(await read(await voucher(1, {}, world.stranger('one more')))), 'PaymentRequiredError')
  })

  test('is known after a crash by the newest voucher', async () => {
    const { world, provider, voucher, read } = await startedProvider()
    const text = await voucher(3 * PIECE)
    for (let i = 0; i < 4; i++) assert.equal((await read(text)).status, 206)
    await world.time.advance(2_000)
    provider.crash()
    await provider.start()
    assert.equal((await read(await voucher(PIECE))).status, 206)
    assert.equal((await read(await voucher(PIECE))).status, 206)
    assert.equal((await read(await voucher(PIECE))).status, 402, 'an old voucher is no way around what was read')
  })
})

describe('a reader without vouchers', () => {
  test('is served from a budget that comes back with time', async () => {
    const { world, read } = await startedProvider({ unpaidReadBytesPerHour: 2 * PIECE })
    assert.equal((await read(undefined)).status, 206)
    assert.equal((await read(undefined)).status, 206)
    const answer = await read(undefined)
    assert.equal(errorName(answer), 'PaymentRequiredError')
    assert.equal(answer.status, 402)
    await world.time.advance(HOUR_MS / 2)
    assert.equal((await read(undefined)).status, 206)
    assert.equal((await read(undefined)).status, 402)
  })

  test('is what everybody is while the provider’s chain does not answer', async () => {
    const { world, voucher, read } = await startedProvider({ unpaidReadBytesPerHour: PIECE })
    const { MemoError } = await import('@memo/core')
    world.chain.setFault(new MemoError('the chain is away', { blame: 'chain', retry: 'later' }))
    assert.equal((await read(await voucher(0))).status, 206)
    assert.equal((await read(await voucher(0))).status, 402)
    world.chain.setFault(undefined)
    assert.equal((await read(await voucher(0))).status, 206)
    world.chain.setFault(new InjectedFaultError('gone'))
  })
})
