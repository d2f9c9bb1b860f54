import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type AmendmentTerms,
  AssertionError,
  amendmentDigest,
  amendmentTermsToJson,
  BadAnswerError,
  bytesResponse,
  type ClientPorts,
  cosignedCommitmentToJson,
  createProviderClient,
  createRequestVerifier,
  createSetTree,
  earningsToJson,
  encodeVoucher,
  errorResponse,
  findAmendmentTermsFromJson,
  findCommitmentHead,
  findCosignedCommitmentFromJson,
  findOrderTermsFromJson,
  findPaymentDue,
  findSetCommitmentFromJson,
  findUint64,
  findVoucher,
  type Handler,
  hex32,
  hexFromBytes,
  isVoucher,
  jsonResponse,
  type MoneyContracts,
  NotFoundError,
  type OrderTerms,
  orderDigest,
  ordersVerifierOf,
  orderTermsToJson,
  paymentDueToJson,
  quoteToJson,
  readBody,
  setCommitmentDigest,
  setCommitmentOf,
  setCommitmentToJson,
  signVoucher,
  type WireRequest,
} from '@memo/core'
import { createMemoryNetwork, createSeededRandomness, createVirtualTime, TEST_MONEY } from '@memo/core/testing'
import fc from 'fast-check'
import { testSigner } from './support/keys.ts'
import { network } from './support/records.ts'

const node = testSigner(50)
const user = testSigner(1)
const verifier = ordersVerifierOf(TEST_MONEY)
const terms: OrderTerms = {
  user: user.address,
  provider: node.address,
  nonce: 1n,
  sizeBytes: 2n ** 40n,
  priceAttoPerGiBSecond: 10n ** 20n,
  start: 5n,
  end: 50n,
  submitBy: 1_700_000_000n,
}
const amendment: AmendmentTerms = {
  orderId: 2n ** 53n,
  seq: 1n,
  sizeBytes: 5n,
  priceAttoPerGiBSecond: 0n,
  end: 60n,
  submitBy: 1_700_000_000n,
}
const tree = createSetTree([{ root: new Uint8Array(32).fill(1), sizeBytes: 9 }])
const commitment = setCommitmentOf(tree, { orderId: 7n, seq: 1n, fromEpoch: 3n })
const quote = {
  provider: node.address,
  priceAttoPerGiBSecond: 10n ** 30n,
  retrievalPriceAttoPerByte: 3n,
  freeBytes: 10,
  maxOrderEpochs: 100,
  readWindowBytes: 1_000,
}
const earnings = {
  storing: { settledAtto: 10n ** 30n, waitingAtto: 5n, orders: 2 },
  reading: { redeemedAtto: 1n, heldAtto: 0n, vouchers: 0 },
  escrowFreeAtto: 7n,
  block: 12,
}

function setUp(handler: Handler, money: MoneyContracts | 'unknown' = TEST_MONEY) {
  const { clock, timers } = createVirtualTime()
  const random = createSeededRandomness('orders')
  const net = createMemoryNetwork({ timers, random })
  net.listen('http://n.test', handler)
  const known = money === 'unknown' ? undefined : money
  const ports: ClientPorts = { network, money: known, transport: net.transport(), clock, timers, random, signer: user }
  const client = createProviderClient(ports, { address: node.address, endpoint: 'http://n.test' })
  return { client, requests: createRequestVerifier({ network, audience: node.address, clock }) }
}
const answering = (value: unknown) => setUp(async () => jsonResponse(200, value)).client
const signatureOver = async (digest: Uint8Array, by = node) => hexFromBytes(await by.signDigest(digest))

describe('the client of a provider', () => {
  test('believes a signature over exactly what it sent, by this provider, and no other', async () => {
    const order = orderDigest(verifier, terms)
    assert.equal((await answering({ signature: await signatureOver(order) }).signOrder(terms)).length, 65)
    const change = amendmentDigest(verifier, amendment)
    assert.equal((await answering({ signature: await signatureOver(change) }).signAmendment(amendment)).length, 65)
    const digest = setCommitmentDigest(verifier, commitment)
    const request = { commitment, signature: await user.signDigest(digest), added: [...tree.pieces()], removed: [] }
    const { providerSignature } = await answering({ signature: await signatureOver(digest) }).commitSet(request)
    assert.equal(hexFromBytes(providerSignature), await signatureOver(digest))
    for (const signature of [
      await signatureOver(change),
      await signatureOver(order, user),
      await signatureOver(orderDigest({ ...verifier, chainId: 1 }, terms)),
      await signatureOver(orderDigest(verifier, { ...terms, sizeBytes: 1n })),
      `0x${'00'.repeat(65)}`,
      '0x',
      5,
      null,
    ]) {
      await assert.rejects(answering({ signature }).signOrder(terms), BadAnswerError, `${signature}`)
    }
    await assert.rejects(answering({ signature: await signatureOver(order) }).commitSet(request), BadAnswerError)
    await assert.rejects(answering({}).signOrder({ ...terms, user: node.address }), AssertionError)
    const { client } = setUp(async () => jsonResponse(200, {}), 'unknown')
    await assert.rejects(client.signOrder(terms), AssertionError)
  })

  test('signs what it asks for, and asks at the paths that are agreed', async () => {
    const seen: WireRequest[] = []
    const { client, requests } = setUp(async (request) => {
      const body = await readBody(request, 600_000)
      assert.equal(requests.verify(request, body), user.address)
      seen.push({ ...request, body })
      return jsonResponse(200, { pieces: [], signature: await signatureOver(orderDigest(verifier, terms)) })
    })
    await client.signOrder(terms)
    await client.listOrderPieces(7n, new Uint8Array(32))
    await assert.rejects(client.earnings({ settle: true }), BadAnswerError)
    assert.deepEqual(
      seen.map(({ method, url }) => `${method} ${url}`),
      ['POST /orders', `GET /orders/7/pieces?after=${'00'.repeat(32)}`, 'POST /earnings/settle'],
    )
    const body = JSON.parse(Buffer.from(seen[0]?.body as Uint8Array).toString())
    assert.deepEqual(findOrderTermsFromJson(body.terms, user.address), terms)
    assert.equal('user' in body.terms, false)
  })

  test('takes no quote, earnings, commitment or page that is not one', async () => {
    assert.deepEqual(await answering(quoteToJson(quote)).quote(), quote)
    assert.deepEqual(await answering(earningsToJson(earnings)).earnings(), earnings)
    for (const change of [
      { provider: user.address },
      { freeBytes: -1 },
      { freeBytes: '10' },
      { freeBytes: 1e300 },
      { priceAttoPerGiBSecond: 5 },
      { priceAttoPerGiBSecond: '-5' },
      { priceAttoPerGiBSecond: '0x5' },
      { retrievalPriceAttoPerByte: `${2n ** 256n}` },
      { maxOrderEpochs: null },
    ]) {
      await assert.rejects(
        answering({ ...quoteToJson(quote), ...change }).quote(),
        BadAnswerError,
        JSON.stringify(change),
      )
    }
    for (const change of [{ block: -1 }, { storing: 5 }, { escrowFreeAtto: 7 }, { reading: { heldAtto: '1' } }]) {
      await assert.rejects(answering({ ...earningsToJson(earnings), ...change }).earnings(), BadAnswerError)
    }
    const digest = setCommitmentDigest(verifier, commitment)
    const cosigned = {
      commitment,
      userSignature: await user.signDigest(digest),
      providerSignature: await node.signDigest(digest),
    }
    const json = cosignedCommitmentToJson(cosigned)
    assert.deepEqual(await answering(json).getCommitment(7n), { ...cosigned, user: user.address })
    await assert.rejects(answering(json).getCommitment(8n), BadAnswerError, 'of another order')
    await assert.rejects(
      answering({ ...json, providerSignature: json.userSignature }).getCommitment(7n),
      BadAnswerError,
    )
    const bent = { ...json, commitment: { ...(json.commitment as object), usedBytes: '8' } }
    await assert.rejects(answering(bent).getCommitment(7n), BadAnswerError)
    const { client } = setUp(async () => errorResponse(new NotFoundError('none')))
    assert.equal(await client.getCommitment(7n), undefined)
    const row = (byte: number) => ({ root: `0x${hex32(new Uint8Array(32).fill(byte))}`, sizeBytes: 1, committed: true })
    assert.equal((await answering({ pieces: [row(1), row(2)] }).listOrderPieces(7n)).length, 2)
    const after = new Uint8Array(32).fill(2)
    for (const pieces of [
      null,
      {},
      [5],
      [row(2), row(1)],
      [row(1), row(1)],
      [{ ...row(1), committed: 1 }],
      [{ ...row(1), sizeBytes: 0 }],
    ]) {
      await assert.rejects(answering({ pieces }).listOrderPieces(7n), BadAnswerError, JSON.stringify(pieces))
    }
    await assert.rejects(answering({ pieces: [row(2), row(3)] }).listOrderPieces(7n, after), BadAnswerError, 'again')
    const endless = setUp(async () => bytesResponse(200, new Uint8Array(2_000_000))).client
    await assert.rejects(endless.listOrderPieces(7n), BadAnswerError)
  })
})

describe('money in JSON', () => {
  test('comes back as it went, and is nothing where it is not exactly that', () => {
    assert.deepEqual(findOrderTermsFromJson(orderTermsToJson(terms), user.address), terms)
    assert.deepEqual(findAmendmentTermsFromJson(amendmentTermsToJson(amendment)), amendment)
    assert.deepEqual(findSetCommitmentFromJson(setCommitmentToJson(commitment)), commitment)
    for (const json of [orderTermsToJson(terms), amendmentTermsToJson(amendment), setCommitmentToJson(commitment)]) {
      for (const name of Object.keys(json)) {
        for (const value of [undefined, null, 5, '', '-1', '1.5', ' 1', '1n', '0x1', '01', `${2n ** 256n}`]) {
          const bent = { ...json, [name]: value }
          assert.equal(findOrderTermsFromJson(bent, user.address), undefined)
          assert.equal(findAmendmentTermsFromJson(bent), undefined)
          assert.equal(findSetCommitmentFromJson(bent), undefined)
        }
      }
    }
  })

  test('parses whatever comes without throwing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.equal(findOrderTermsFromJson(value, user.address), undefined)
        assert.equal(findAmendmentTermsFromJson(value), undefined)
        assert.equal(findSetCommitmentFromJson(value), undefined)
        assert.equal(findCosignedCommitmentFromJson(value), undefined)
        assert.equal(findCommitmentHead(value), undefined)
        assert.equal(findPaymentDue(value), undefined)
        assert.equal(findVoucher(JSON.stringify(value) ?? ''), undefined)
      }),
    )
  })

  test('has numbers up to 64 bits', () => {
    assert.equal(findUint64(`${2n ** 64n - 1n}`), 2n ** 64n - 1n)
    assert.equal(findUint64(`${2n ** 64n}`), undefined)
    assert.equal(findUint64('0'), 0n)
    for (const text of ['00', '+1', '1_000', '٣', '1e3', '9'.repeat(100_000)]) assert.equal(findUint64(text), undefined)
  })
})

describe('a voucher', () => {
  const voucher = { orderId: 7n, payer: user.address, seq: 2n ** 64n - 1n, bytesRead: 10n ** 15n }

  test('comes back from its header, and counts for one chain and one contract of reads', async () => {
    const signed = await signVoucher(TEST_MONEY, voucher, user)
    const text = encodeVoucher(signed)
    assert.match(text, /^[A-Za-z0-9_-]{1,400}$/)
    assert.deepEqual(findVoucher(text), signed)
    assert.ok(isVoucher(TEST_MONEY, signed))
    assert.ok(!isVoucher({ ...TEST_MONEY, chainId: 1 }, signed))
    assert.ok(!isVoucher({ ...TEST_MONEY, reads: TEST_MONEY.orders }, signed))
    assert.ok(!isVoucher(TEST_MONEY, { ...signed, voucher: { ...voucher, bytesRead: 10n ** 15n + 1n } }))
    assert.ok(!isVoucher(TEST_MONEY, await signVoucher(TEST_MONEY, voucher, node)))
    for (const bent of [text.slice(1), `${text}=`, text.toUpperCase(), 'A'.repeat(2_000), '']) {
      assert.equal(findVoucher(bent), undefined)
    }
  })

  test('that is missing is told with what is due', () => {
    const due = { orderId: 7n, payer: user.address, bytesServed: 2n ** 63n, bytesPaid: 0n }
    assert.deepEqual(findPaymentDue(paymentDueToJson(due)), due)
    for (const name of Object.keys(paymentDueToJson(due))) {
      assert.equal(findPaymentDue({ ...paymentDueToJson(due), [name]: -1 }), undefined)
    }
  })
})
