import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { memoTokenAbi } from '@memo/contracts'
import { findBytesFromHex, hexFromBytes } from '@memo/core'
import type { Hex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import {
  announceMarketTerms,
  buyQuota,
  buyQuotaForDid,
  cashVoucher,
  devnetParams,
  endQuota,
  getMemoBalance,
  getPurchaseNonce,
  getQuota,
  getQuotaPrice,
  getQuotaWithdrawable,
  getSeller,
  getVoucherEnd,
  grantQuota,
  grantQuotaToDid,
  type MemoChain,
  originalVoucherHash,
  payContractOf,
  purchaseDigest,
  quotaVoucherDigest,
  submitPurchase,
  withdrawQuota,
} from '../src/index.ts'
import { callWrite } from '../src/write/call.ts'
import { createTestDid } from './support/dids.ts'
import { makeMarketVectors } from './support/market-vectors.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { refusedFor } from './support/refused.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/space-market.json', import.meta.url), 'utf8'))
const bytes = (hex: string): Uint8Array => findBytesFromHex(hex) ?? new Uint8Array()
const buyerSecret: Hex = `0x${'51'.padStart(64, '0')}`

test('the vector file is what viem alone computes, and holds the published voucher', async () => {
  assert.deepEqual(vectors, JSON.parse(JSON.stringify(await makeMarketVectors())))
  assert.equal(vectors.original.hash, '0xa5a7e7e6bf1060abdfc0e3a1f481b548992213be93ffd8d4fefd8ff4afca37c8')
})

test('our digests are those of the vectors', () => {
  const { payAddress, seller, nonce, sizeByte, hash } = vectors.original
  const original = originalVoucherHash(payAddress, { nonce: BigInt(nonce), sizeByte: BigInt(sizeByte), seller })
  assert.equal(hexFromBytes(original), hash)
  const verifier = { chainId: vectors.chainId, verifyingContract: payAddress }
  assert.equal(hexFromBytes(quotaVoucherDigest(verifier, vectors.messages[0].message)), vectors.messages[0].digest)
  assert.equal(hexFromBytes(purchaseDigest(verifier, vectors.messages[1].message)), vectors.messages[1].digest)
})

describe('space and traffic on the chain', () => {
  let network: TestNetwork
  let buyer: MemoChain
  const account = privateKeyToAccount(buyerSecret).address.toLowerCase() as Hex
  const market = { ...devnetParams.market, delay: { waitSeconds: 0n, waitBlocks: 2n } }

  before(async () => {
    network = await startNetwork({ ...devnetParams, market })
    buyer = await network.join(0x51)
  })
  after(() => network.devnet.close())

  test('are bought with one transaction at the price of now, and used by vouchers in either form', async () => {
    const { client, addresses } = buyer
    const kind = 'space'
    const price = await getQuotaPrice(client, { addresses, kind })
    assert.equal(price, devnetParams.market.spacePriceAttoPerByte)
    await buyQuota(client, { addresses, kind, sizeByte: 1_000n })
    const { nonce, balanceAtto, sizeByte, freeByte } = await getQuota(client, { addresses, kind, buyer: account })
    assert.deepEqual([nonce, balanceAtto, sizeByte, freeByte], [0n, 1_000n * price, 1_000n, 0n])
    const seller = await getSeller(client, { addresses })
    const verifyingContract = payContractOf(addresses, kind)
    const first = { buyer: account, seller, nonce: 0n, sizeByte: 400n }
    const typed = quotaVoucherDigest({ chainId: buyer.network.chainId, verifyingContract }, first)
    const owner = network.owner.client
    await cashVoucher(owner, { addresses, kind, voucher: first, signature: await signed(typed) })
    const second = { ...first, nonce: 1n, sizeByte: 600n }
    const signature = await signed(originalVoucherHash(verifyingContract, second))
    await assert.rejects(cashVoucher(client, { addresses, kind, voucher: second, signature }), refusedFor('NotSeller'))
    await cashVoucher(owner, { addresses, kind, voucher: second, signature })
    await assert.rejects(cashVoucher(owner, { addresses, kind, voucher: second, signature }), refusedFor('WrongNonce'))
    assert.equal(await getQuotaWithdrawable(client, { addresses, kind, account: seller }), 1_000n * price)
    const before = await getMemoBalance(client, { addresses, address: seller })
    await withdrawQuota(owner, { addresses, kind })
    assert.equal((await getMemoBalance(client, { addresses, address: seller })) - before, 1_000n * price)
  })

  test('are bought by who signs, submitted by who pays the gas', async () => {
    const { client, addresses } = buyer
    const kind = 'traffic'
    const pay = payContractOf(addresses, kind)
    const approve = { address: addresses.memoToken, abi: memoTokenAbi, functionName: 'approve' } as const
    await callWrite(client, { ...approve, args: [pay, 10n ** 18n] })
    const nonce = await getPurchaseNonce(client, { addresses, kind, payer: account })
    const deadline = BigInt((await buyer.getBlock()).timestamp + 600)
    const purchase = { payer: account, buyer: account, sizeByte: 10n, maxAtto: 10n ** 18n, nonce, deadline }
    const digest = purchaseDigest({ chainId: buyer.network.chainId, verifyingContract: pay }, purchase)
    const submission = { addresses, kind, purchase, signature: await signed(digest) } as const
    await submitPurchase(network.owner.client, submission)
    assert.equal((await getQuota(client, { addresses, kind, buyer: account })).sizeByte, 10n)
    await assert.rejects(submitPurchase(network.owner.client, submission), refusedFor('StalePurchase'))
  })

  test('are granted by governance alone, to addresses and DIDs, and bought for DIDs', async () => {
    const { client, addresses } = buyer
    const did = await createTestDid(network.owner, buyerSecret, 'ab'.repeat(32))
    const grant = { addresses, kind: 'space', to: account, sizeByte: 7n, reason: 'a test' } as const
    await assert.rejects(grantQuota(client, grant), refusedFor('AccessManagedUnauthorized'))
    await grantQuota(network.owner.client, grant)
    await grantQuotaToDid(network.owner.client, { addresses, kind: 'space', did, sizeByte: 5n, reason: 'a test' })
    assert.equal((await getQuota(client, { addresses, kind: 'space', buyer: account })).freeByte, 12n)
    const before = (await getQuota(client, { addresses, kind: 'traffic', buyer: account })).sizeByte
    await buyQuotaForDid(client, { addresses, kind: 'traffic', sizeByte: 3n, did })
    assert.equal((await getQuota(client, { addresses, kind: 'traffic', buyer: account })).sizeByte, before + 3n)
    await assert.rejects(endQuota(client, { addresses, kind: 'space', buyer: account }), refusedFor('NotExpired'))
  })

  test('say how each nonce of a buyer ended, whatever was bought since', async () => {
    const kind = 'space'
    const secret: Hex = `0x${'52'.padStart(64, '0')}`
    const { client, addresses } = await network.join(0x52)
    const late = privateKeyToAccount(secret).address.toLowerCase() as Hex
    const seller = await getSeller(client, { addresses })
    await buyQuota(client, { addresses, kind, sizeByte: 100n })
    const voucher = { buyer: late, seller, nonce: 0n, sizeByte: 40n }
    const verifier = { chainId: buyer.network.chainId, verifyingContract: payContractOf(addresses, kind) }
    const digest = hexFromBytes(quotaVoucherDigest(verifier, voucher)) as Hex
    const signature = bytes(await sign({ hash: digest, privateKey: secret, to: 'hex' }))
    await cashVoucher(network.owner.client, { addresses, kind, voucher, signature })
    await network.devnet.increaseTime(Number(devnetParams.market.validityDays + 1n) * 86_400)
    await network.devnet.mine(1)
    await endQuota(client, { addresses, kind, buyer: late })
    await buyQuota(client, { addresses, kind, sizeByte: 100n })
    const { nonce, expire } = await getQuota(client, { addresses, kind, buyer: late })
    assert.deepEqual([nonce, expire > 0n], [2n, true])
    const endOf = (of: bigint) => getVoucherEnd(client, { addresses, kind, buyer: late, nonce: of })
    assert.deepEqual([await endOf(0n), await endOf(1n)], ['cashed', 'ended'])
    await assert.rejects(endOf(2n), { name: 'RpcRefused', retry: 'later' })
  })

  test('change their price after an announced delay', async () => {
    const { client, addresses } = network.owner
    const seller = await getSeller(client, { addresses })
    const terms = { spacePriceAttoPerByte: 5n, trafficPriceAttoPerByte: 6n, seller }
    await announceMarketTerms(client, { addresses, ...terms })
    assert.equal(await getQuotaPrice(client, { addresses, kind: 'space' }), devnetParams.market.spacePriceAttoPerByte)
    for (let block = 0; block < 3; block += 1)
      await buyQuota(client, { addresses, kind: 'traffic', sizeByte: 1n, maxAtto: 10_000n })
    assert.equal(await getQuotaPrice(client, { addresses, kind: 'space' }), 5n)
  })
})

async function signed(digest: Uint8Array): Promise<Uint8Array> {
  return bytes(await sign({ hash: hexFromBytes(digest) as Hex, privateKey: buyerSecret, to: 'hex' }))
}
