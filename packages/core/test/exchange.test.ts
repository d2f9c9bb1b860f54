import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ackQuorumOf,
  ackToJson,
  BadInputError,
  type ClientPorts,
  DeadlineError,
  exchange,
  findAckFromJson,
  findReceiptFromJson,
  isAckOf,
  isReceipt,
  jsonResponse,
  type Peer,
  readAnswer,
  receiptToJson,
  signAck,
  streamResponse,
  UnreachableError,
  withDeadline,
} from '@memo/core'
import { createMemoryNetwork, createSeededRandomness, createVirtualTime } from '@memo/core/testing'
import { testSigner } from './support/keys.ts'
import { makeLog, makeReceipts, network } from './support/records.ts'

const peer: Peer = { role: 'provider', address: testSigner(50).address, endpoint: 'http://p.test' }

function setUp() {
  const time = createVirtualTime()
  const random = createSeededRandomness('exchange')
  const net = createMemoryNetwork({ timers: time.timers, random })
  const ports: ClientPorts = {
    network,
    transport: net.transport(),
    clock: time.clock,
    timers: time.timers,
    random,
    signer: testSigner(1),
  }
  return { time, net, ports }
}

const request = { method: 'GET', path: '/info', timeoutMs: 10_000 }

describe('an exchange', () => {
  test('ends at its deadline whatever the other side does, and blames it', async () => {
    const stalls = {
      'it never answers': (net: ReturnType<typeof setUp>['net']) => {
        net.listen('http://p.test', () => new Promise(() => undefined))
      },
      'the link is silent': (net: ReturnType<typeof setUp>['net']) => {
        net.listen('http://p.test', async () => jsonResponse(200, {}))
        net.setLink('*', 'http://p.test', { state: 'silent' })
      },
      'it stops in the middle of its answer': (net: ReturnType<typeof setUp>['net']) => {
        net.listen('http://p.test', async () => streamResponse(200, stalling(), {}))
      },
    }
    for (const [how, stall] of Object.entries(stalls)) {
      const { time, net, ports } = setUp()
      stall(net)
      const beganMs = time.clock.nowMs()
      const ending = exchange(ports, peer, request, (response) => readAnswer(response, 1_000, 'provider'))
      const error = await time.run(ending.catch((caught: unknown) => caught))
      assert.ok(error instanceof DeadlineError, how)
      assert.equal(error.blame, 'provider')
      assert.equal(time.clock.nowMs() - beganMs, 10_000)
    }
  })

  test('leaves no sleep behind when it ends in time', async () => {
    const { time, net, ports } = setUp()
    net.listen('http://p.test', async () => jsonResponse(200, { fine: true }))
    await time.run(exchange(ports, peer, request, (response) => readAnswer(response, 1_000, 'provider')))
    await time.settle()
    assert.equal(time.sleeping(), 0)
  })

  test('ends with the caller’s reason when the caller leaves', async () => {
    const { time, net, ports } = setUp()
    net.listen('http://p.test', () => new Promise(() => undefined))
    const controller = new AbortController()
    const ending = exchange(ports, peer, { ...request, signal: controller.signal }, async () => undefined)
    await time.advance(5)
    controller.abort(new BadInputError('left'))
    await assert.rejects(ending, { message: 'left' })
    const before = AbortSignal.abort(new BadInputError('never began'))
    const none = exchange(ports, peer, { ...request, signal: before }, async () => assert.fail())
    await assert.rejects(none, { message: 'never began' })
  })

  test('passes on that nobody is there', async () => {
    const { time, ports } = setUp()
    const ending = exchange(ports, peer, request, async () => undefined)
    await assert.rejects(time.run(ending), UnreachableError)
  })

  test('that must be signed is not sent without a signer', async () => {
    const { ports } = setUp()
    const unsigned = exchange(
      { ...ports, signer: undefined },
      peer,
      { ...request, signed: true },
      async () => undefined,
    )
    await assert.rejects(unsigned, { name: 'AssertionError' })
  })

  test('work that ignores its signal is not waited for', async () => {
    const { time } = setUp()
    const late = () => new BadInputError('late')
    const ending = withDeadline(time.timers, 100, undefined, late, () => new Promise(() => undefined))
    await assert.rejects(time.run(ending), { message: 'late' })
  })

  test('a failure after the deadline is nobody’s unhandled rejection', async () => {
    const { time } = setUp()
    const work = async () => {
      await time.timers.sleep(500)
      throw new BadInputError('too late to matter')
    }
    const ending = withDeadline(time.timers, 100, undefined, () => new BadInputError('late'), work)
    await assert.rejects(time.run(ending), { message: 'late' })
    await time.advance(1_000)
  })
})

describe('a receipt and an acknowledgement', () => {
  test('come back whole from JSON and name who signed them', async () => {
    const [receipt] = await makeReceipts()
    const back = findReceiptFromJson(JSON.parse(JSON.stringify(receiptToJson(receipt!))))
    assert.deepEqual(back, receipt)
    assert.ok(isReceipt(network, back!))
    const [signed] = await makeLog(1)
    const ack = await signAck(network, signed!, testSigner(60))
    const again = findAckFromJson(JSON.parse(JSON.stringify(ackToJson(ack))))
    assert.deepEqual(again, ack)
    assert.ok(isAckOf(network, signed!, again!))
  })

  test('altered in any field are none', async () => {
    const [receipt] = await makeReceipts()
    const { address: other } = testSigner(61)
    const changes = [{ orderId: 9 }, { sizeBytes: 1 }, { expiry: 5 }, { provider: other }, { root: new Uint8Array(32) }]
    for (const change of changes) assert.equal(isReceipt(network, { ...receipt!, ...change }), false)
    const [signed, next] = await makeLog(2)
    const ack = await signAck(network, signed!, testSigner(60))
    assert.equal(isAckOf(network, next!, ack), false)
    for (const change of [{ seq: 2 }, { did: 'x' }, { keeper: other }, { writer: other }, { entryHash: next!.hash }]) {
      assert.equal(isAckOf(network, signed!, { ...ack, ...change }), false)
    }
  })

  test('JSON of another form is none', async () => {
    const [receipt] = await makeReceipts()
    const plain = receiptToJson(receipt!) as Record<string, unknown>
    const [signed] = await makeLog(1)
    const ack = ackToJson(await signAck(network, signed!, testSigner(60))) as Record<string, unknown>
    for (const wrong of [undefined, null, [], {}, -1, 1.5, true]) {
      assert.equal(findReceiptFromJson(wrong), undefined)
      assert.equal(findAckFromJson(wrong), undefined)
      for (const field of Object.keys(plain)) {
        assert.equal(findReceiptFromJson({ ...plain, [field]: wrong }), undefined, field)
      }
      for (const field of Object.keys(ack)) {
        assert.equal(findAckFromJson({ ...ack, [field]: wrong }), undefined, field)
      }
    }
  })

  test('two thirds of the keepers are a quorum, and never nobody', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 10].map(ackQuorumOf), [1, 1, 2, 2, 3, 4, 4, 5, 6, 7])
  })
})

async function* stalling(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10)
  await new Promise(() => undefined)
}
