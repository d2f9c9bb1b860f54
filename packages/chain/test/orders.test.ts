import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { findBytesFromHex, findSignerAddress, hexFromBytes } from '@memo/core'
import type { Hex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import {
  ATTOMEMO_PER_MEMO,
  allowReads,
  amendmentDigest,
  amendOrder,
  announceCloseReads,
  cancelOrderNonce,
  closeReads,
  depositEscrow,
  devnetParams,
  ensurePledge,
  getEpochs,
  getEscrow,
  getLiableBytes,
  getMemoBalance,
  getOrder,
  getReadAllowance,
  isOrderNonceUsed,
  type MemoChain,
  type OrderTerms,
  openOrder,
  orderDigest,
  pinEpoch,
  quoteOrder,
  readVoucherDigest,
  redeemReads,
  registerProvider,
  registerUser,
  setCommitmentDigest,
  setOrdersPaused,
  setPayee,
  settleOrder,
  shareKeeperFees,
  shrinkOrder,
  type Verifier,
  withdrawEscrow,
} from '../src/index.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { makeOrderVectors } from './support/order-vectors.ts'
import { refusedFor } from './support/refused.ts'

const GIB = 2n ** 30n
const PRICE = 10n ** 12n
const vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/orders.json', import.meta.url), 'utf8'))
const bytes = (hex: string): Uint8Array => findBytesFromHex(hex) ?? new Uint8Array()

test('the vector file is what viem alone computes', async () => {
  assert.deepEqual(vectors, JSON.parse(JSON.stringify(await makeOrderVectors())))
})

test('our digests are those of the vectors, and their signatures recover the signers', () => {
  const digests: Record<string, (verifier: Verifier, message: never) => Uint8Array> = {
    Order: orderDigest,
    Amendment: amendmentDigest,
    SetCommitment: (verifier, message: { setRoot: string }) =>
      setCommitmentDigest(verifier, { ...message, setRoot: bytes(message.setRoot) } as never),
    ReadVoucher: readVoucherDigest,
  }
  for (const { name, verifyingContract, message, digest, signatures } of vectors.messages) {
    const computed = digests[name]?.({ chainId: vectors.chainId, verifyingContract }, message as never)
    assert.equal(computed && hexFromBytes(computed), digest, name)
    const signers = [vectors.user, vectors.provider].map((address: string) => address.toLowerCase())
    for (const [place, signature] of (signatures as string[]).entries()) {
      assert.equal(findSignerAddress(bytes(digest), bytes(signature)), signers[place], name)
    }
  }
})

describe('an order on the chain', () => {
  const secrets = { user: testSecret(0x41), provider: testSecret(0x42) }
  let network: TestNetwork
  let user: MemoChain
  let provider: MemoChain

  before(async () => {
    const orders = {
      epochBlocks: 4n,
      epochSeconds: 60n,
      disputeBlocks: 1n,
      disputeSeconds: 0n,
      readClosing: { waitSeconds: 0n, waitBlocks: 2n },
    }
    network = await startNetwork({ ...devnetParams, orders })
    user = await network.join(0x41)
    provider = await network.join(0x42)
    await registerUser(user.client, user)
    await registerProvider(provider.client, {
      addresses: provider.addresses,
      contact: { endpoint: 'http://127.0.0.1:1', operator: '', region: '' },
      offer: {
        capacityBytes: Number(10n * GIB),
        storagePriceAttoPerGiBSecond: PRICE,
        retrievalPriceAttoPerByte: 3n,
      },
    })
    await ensurePledge(provider.client, provider)
    await depositEscrow(user.client, { addresses: user.addresses, amountAtto: ATTOMEMO_PER_MEMO })
  })
  after(() => network.devnet.close())

  test('is opened by whoever has both signatures, and locks its price', async () => {
    const { client, addresses } = network.owner
    const terms = await termsOf(user, provider, { nonce: 1n, sizeBytes: GIB, epochs: 3n })
    const digest = orderDigest(ordersVerifier(user), terms)
    const signatures = {
      userSignature: await signed(secrets.user, digest),
      providerSignature: await signed(secrets.provider, digest),
    }
    const { orderId } = await openOrder(client, { addresses, terms, ...signatures })
    assert.equal(orderId, 1n)
    const { costPerEpochAtto } = await quoteOrder(client, {
      addresses,
      sizeBytes: GIB,
      priceAttoPerGiBSecond: PRICE,
    })
    assert.equal(costPerEpochAtto, (PRICE * 60n * 105n) / 100n)
    const order = await getOrder(client, { addresses, orderId })
    assert.equal(order.lockedAtto, costPerEpochAtto * 3n)
    assert.equal(
      (await getEscrow(client, { addresses, account: terms.user })).freeAtto,
      ATTOMEMO_PER_MEMO - order.lockedAtto,
    )
    assert.equal(await getLiableBytes(client, { addresses, provider: terms.provider }), GIB)
    await assert.rejects(openOrder(client, { addresses, terms, ...signatures }), refusedFor('NonceUsed'))
  })

  test('is refused where a signature is of another, and where its nonce was cancelled', async () => {
    const { client, addresses } = user
    const terms = await termsOf(user, provider, { nonce: 2n, sizeBytes: GIB, epochs: 3n })
    const providerSignature = await signed(secrets.user, orderDigest(ordersVerifier(user), terms))
    await assert.rejects(openOrder(client, { addresses, terms, providerSignature }), refusedFor('NotSignedBy'))
    await cancelOrderNonce(client, { addresses, nonce: 2n })
    assert.equal(await isOrderNonceUsed(client, { addresses, user: terms.user, nonce: 2n }), true)
    await assert.rejects(openOrder(client, { addresses, terms, providerSignature }), refusedFor('NotSignedBy'))
  })

  test('grows by both, shrinks by its user, and pays its provider once it is beyond dispute', async () => {
    const { client, addresses } = user
    const before = await getOrder(client, { addresses, orderId: 1n })
    const terms = {
      orderId: 1n,
      seq: before.seq,
      sizeBytes: 2n * GIB,
      priceAttoPerGiBSecond: PRICE,
      end: before.end + 2n,
      submitBy: await soon(user),
    }
    const providerSignature = await signed(secrets.provider, amendmentDigest(ordersVerifier(user), terms))
    await amendOrder(client, { addresses, terms, providerSignature })
    assert.equal((await getOrder(client, { addresses, orderId: 1n })).end, before.end + 2n)
    await shrinkOrder(client, { addresses, orderId: 1n, sizeBytes: GIB })
    await waitForEpoch(user, before.end + 2n)
    await pinEpoch(client, { addresses })
    await settleOrder(provider.client, { addresses, orderId: 1n })
    const { settledTo, lockedAtto, segments } = await getOrder(client, { addresses, orderId: 1n })
    assert.deepEqual([settledTo, lockedAtto, segments.length], [before.end + 2n, 0n, 0])
    const account = before.provider
    const { freeAtto, incomeAtto } = await getEscrow(client, { addresses, account })
    assert.equal(incomeAtto, freeAtto, 'all of it was earned')
    assert.equal(freeAtto, PRICE * 60n * 5n)
    const payee = network.owner.addresses.registry
    await setPayee(provider.client, { addresses, account, payee })
    await withdrawEscrow(provider.client, { addresses, amountAtto: freeAtto })
    assert.equal(await getMemoBalance(client, { addresses, address: payee }), freeAtto)
    await assert.rejects(shareKeeperFees(client, { addresses, group: 1 }), refusedFor('NothingToShare'))
  })

  test('is paused by governance alone', async () => {
    await assert.rejects(
      setOrdersPaused(user.client, { addresses: user.addresses, paused: true }),
      refusedFor('AccessManagedUnauthorized'),
    )
    const { client, addresses } = network.owner
    await setOrdersPaused(client, { addresses, paused: true })
    const terms = await termsOf(user, provider, { nonce: 3n, sizeBytes: 1n, epochs: 3n })
    await assert.rejects(openOrder(user.client, { addresses, terms }), refusedFor('OrdersPaused'))
    await setOrdersPaused(client, { addresses, paused: false })
  })

  test('is read against vouchers, and what is not read comes back', async () => {
    const { client, addresses } = user
    const payer = accountOf(secrets.user)
    await allowReads(client, { addresses, orderId: 1n, sizeBytes: 100n, maxPriceAttoPerByte: 3n })
    const voucher = { orderId: 1n, payer, seq: 0n, bytesRead: 40n }
    const verifier = { chainId: user.network.chainId, verifyingContract: addresses.reads }
    const signature = await signed(secrets.user, readVoucherDigest(verifier, voucher))
    await redeemReads(provider.client, { addresses, voucher, signature })
    await assert.rejects(redeemReads(provider.client, { addresses, voucher, signature }), refusedFor('VoucherNotNewer'))
    assert.equal((await getReadAllowance(client, { addresses, orderId: 1n, payer })).bytesPaid, 40n)
    await announceCloseReads(client, { addresses, orderId: 1n })
    await assert.rejects(closeReads(client, { addresses, orderId: 1n }), refusedFor('LockNotOver'))
    await pinEpoch(client, { addresses })
    const { freeAtto } = await getEscrow(client, { addresses, account: payer })
    await closeReads(client, { addresses, orderId: 1n })
    assert.equal((await getEscrow(client, { addresses, account: payer })).freeAtto - freeAtto, 180n)
  })
})

function testSecret(number: number): Hex {
  return `0x${number.toString(16).padStart(64, '0')}`
}

function accountOf(secret: Hex): Hex {
  return privateKeyToAccount(secret).address.toLowerCase() as Hex
}

async function signed(privateKey: Hex, digest: Uint8Array): Promise<Uint8Array> {
  return bytes(await sign({ hash: hexFromBytes(digest) as Hex, privateKey, to: 'hex' }))
}

function ordersVerifier(chain: MemoChain): Verifier {
  return { chainId: chain.network.chainId, verifyingContract: chain.addresses.orders }
}

async function soon(chain: MemoChain): Promise<bigint> {
  return BigInt((await chain.getBlock()).timestamp + 600)
}

async function termsOf(
  user: MemoChain,
  provider: MemoChain,
  { nonce, sizeBytes, epochs }: { nonce: bigint; sizeBytes: bigint; epochs: bigint },
): Promise<OrderTerms> {
  const { current } = await getEpochs(user.client, user)
  const [userAddress, providerAddress] = [user, provider].map(({ client }) => client.account?.address.toLowerCase())
  return {
    user: userAddress as Hex,
    provider: providerAddress as Hex,
    nonce,
    sizeBytes,
    priceAttoPerGiBSecond: PRICE,
    start: current + 2n,
    end: current + 2n + epochs,
    submitBy: await soon(user),
  }
}

/** Blocks come with transactions: cancelled nonces make them. */
async function waitForEpoch(chain: MemoChain, epoch: bigint): Promise<void> {
  for (let nonce = 1_000n; (await getEpochs(chain.client, chain)).current < epoch; nonce += 1n) {
    await cancelOrderNonce(chain.client, { addresses: chain.addresses, nonce })
  }
}
