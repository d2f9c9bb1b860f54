import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encode } from '@ipld/dag-cbor'
import {
  ackToJson,
  BadAnswerError,
  bytesResponse,
  type ClientPorts,
  concatBytes,
  createKeeperClient,
  createProviderClient,
  createRequestVerifier,
  encodeBundle,
  encodeEntries,
  encodeFeed,
  encodePartAnswer,
  encodePlacedPart,
  errorResponse,
  type Handler,
  hashUnits,
  hex32,
  hexFromBytes,
  IndexConflictError,
  jsonResponse,
  NotFoundError,
  PieceCorruptError,
  RemoteError,
  readBody,
  receiptToJson,
  rootFromPiece,
  signAck,
  signReceipt,
  streamResponse,
  utf8,
  type WireResponse,
} from '@memo/core'
import { createMemoryNetwork, createSeededRandomness, createVirtualTime } from '@memo/core/testing'
import { dataOf } from './support/data.ts'
import { testSigner } from './support/keys.ts'
import { CID, makeLog, makePart, network, OWNER, placement, providers, writer } from './support/records.ts'

const node = testSigner(50)
const piece = dataOf('piece', 300_001)
const root = rootFromPiece(piece)
const units = hashUnits(piece)
const known = { root, sizeBytes: piece.length, units }

function setUp(handler: Handler) {
  const time = createVirtualTime()
  const random = createSeededRandomness('clients')
  const net = createMemoryNetwork({ timers: time.timers, random })
  net.listen('http://n.test', handler)
  const { clock, timers } = time
  const ports: ClientPorts = { network, transport: net.transport(), clock, timers, random, signer: testSigner(1) }
  const peer = { address: node.address, endpoint: 'http://n.test' }
  return { time, provider: createProviderClient(ports, peer), keeper: createKeeperClient(ports, peer) }
}

/** Clients of a node that gives one answer to everything. */
function answering(answer: WireResponse | (() => WireResponse)) {
  return setUp(async () => (typeof answer === 'function' ? answer() : answer))
}

const garbage: readonly (() => WireResponse)[] = [
  () => bytesResponse(200, new Uint8Array(0)),
  () => bytesResponse(200, utf8('not json {')),
  () => bytesResponse(200, dataOf('garbage', 1_000)),
  ...[null, 5, 'text', [], {}, { entries: 5 }, { entries: [5] }, { providers: 5 }, { heads: [5] }].flatMap((value) => [
    () => jsonResponse(200, value),
    () => bytesResponse(200, encode(value)),
  ]),
]

describe('a provider’s client', () => {
  test('uploads and commits with signatures that the provider can check, and checks its receipt', async () => {
    const seen: string[] = []
    const { time, provider } = setUp(async (request) => {
      const isCommit = request.url.endsWith('/commit')
      const body = isCommit ? await readBody(request, 1_000) : ('stream' as const)
      if (!isCommit) await readBody(request, 1_000_000)
      const verifier = createRequestVerifier({ network, audience: node.address, clock: time.clock })
      seen.push(`${request.method} ${request.url.split('?')[0]} ${verifier.verify(request, body)}`)
      if (!isCommit) return jsonResponse(200, { root: hexFromBytes(root), sizeBytes: piece.length })
      const expiry = Math.floor(time.clock.nowMs() / 1_000) + 100
      const terms = { orderId: 3, root, sizeBytes: piece.length, expiry }
      return jsonResponse(200, { receipt: receiptToJson(await signReceipt(network, terms, node)) })
    })
    const id = dataOf('upload', 32)
    const terms = { maxBytes: piece.length, orderId: 3 }
    assert.deepEqual(await provider.upload(id, piece, terms), { root, sizeBytes: piece.length })
    const receipt = await provider.commit(id, known)
    assert.equal(receipt.provider, node.address)
    const hex = Buffer.from(id).toString('hex')
    const { address } = testSigner(1)
    assert.deepEqual(seen, [`POST /uploads ${address}`, `POST /uploads/${hex}/commit ${address}`])
  })

  test('takes no receipt of another key, piece or size, or one that has run out', async () => {
    const later = 4_000_000_000
    const good = { orderId: 0, root, sizeBytes: piece.length, expiry: later }
    const receipts = [
      await signReceipt(network, good, testSigner(51)),
      await signReceipt(network, { ...good, root: dataOf('other', 32) }, node),
      await signReceipt(network, { ...good, sizeBytes: 5 }, node),
      await signReceipt(network, { ...good, expiry: 1 }, node),
      await signReceipt({ ...network, chainId: 1 }, good, node),
      { ...(await signReceipt(network, good, testSigner(51))), provider: node.address },
    ]
    for (const receipt of receipts) {
      const { provider } = answering(jsonResponse(200, { receipt: receiptToJson(receipt) }))
      await assert.rejects(provider.commit(dataOf('upload', 32), known), BadAnswerError)
    }
    const { provider } = answering(
      jsonResponse(200, { receipt: receiptToJson(await signReceipt(network, good, node)) }),
    )
    assert.equal((await provider.commit(dataOf('upload', 32), known)).expiry, later)
  })

  test('reads a range through units, and takes no altered, short, long or shifted bytes', async () => {
    const answers = new Map<string, (from: number, to: number) => Uint8Array>([
      ['true', (from, to) => piece.subarray(from, to)],
      ['altered', (from, to) => piece.slice(from, to).fill(0, 5, 6)],
      ['short', (from, to) => piece.subarray(from, to - 1)],
      ['long', (from, to) => piece.subarray(from, to + 1)],
      ['shifted', (from, to) => piece.subarray(from + 65_536, to + 65_536)],
      ['empty', () => new Uint8Array(0)],
    ])
    for (const [how, bytes] of answers) {
      const { provider } = setUp(async ({ headers }) => {
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
        return bytesResponse(206, bytes(Number(from), Number(to) + 1))
      })
      const reading = provider.read(known, { offset: 70_000, length: 10 })
      if (how === 'true') assert.deepEqual(await reading, piece.subarray(70_000, 70_010))
      else await assert.rejects(reading, how === 'long' ? BadAnswerError : PieceCorruptError, how)
    }
    const { provider } = answering(() => assert.fail('nothing needs to be asked for'))
    assert.deepEqual(await provider.read(known, { offset: 5, length: 0 }), new Uint8Array(0))
  })

  test('needs no unit nodes of a piece of one unit, and takes its own bytes only', async () => {
    for (const size of [1, 4_096, 65_536]) {
      const small = dataOf('small piece', size)
      const known = { root: rootFromPiece(small), sizeBytes: size, units: undefined }
      const range = { offset: size - 1, length: 1 }
      const { provider } = answering(bytesResponse(206, small))
      assert.deepEqual(await provider.read(known, range), small.subarray(size - 1))
      const wrong = [small.with(0, small[0]! ^ 1), small.subarray(1), new Uint8Array(0), concatBytes(small, small)]
      for (const bytes of wrong) {
        const { provider } = answering(bytesResponse(206, bytes))
        const error = bytes.length > size ? BadAnswerError : PieceCorruptError
        await assert.rejects(provider.read(known, range), error, `${bytes.length} of ${size} bytes`)
      }
      const longer = { ...known, sizeBytes: size + 1 }
      if (size < 65_536) await assert.rejects(provider.read(longer, range), PieceCorruptError, 'another size')
    }
    const { provider } = answering(() => assert.fail('nothing is asked for that could not be checked'))
    const large = { root, sizeBytes: 65_537, units: undefined }
    await assert.rejects(provider.read(large, { offset: 0, length: 1 }), { name: 'AssertionError' })
  })

  test('takes only the unit nodes of the piece', async () => {
    const good = answering(bytesResponse(200, units))
    assert.deepEqual(await good.provider.readUnits(root, piece.length), units)
    for (const bad of [units.subarray(32), units.with(0, units[0]! ^ 1), new Uint8Array(0)]) {
      const { provider } = answering(bytesResponse(200, bad))
      await assert.rejects(provider.readUnits(root, piece.length), PieceCorruptError)
    }
  })

  test('tells a piece that is not there from a provider that fails', async () => {
    const held = answering(streamResponse(200, [], { 'content-length': '300001' }))
    assert.equal(await held.provider.findSize(root), 300_001)
    const gone = answering(() => errorResponse(new NotFoundError('no such piece')))
    assert.equal(await gone.provider.findSize(root), undefined)
    await assert.rejects(gone.provider.readUnits(root, piece.length), { name: 'NotFoundError' })
    const failing = answering(() => bytesResponse(503, utf8('busy')))
    await assert.rejects(failing.provider.findSize(root), { name: 'BadAnswerError', retry: 'later' })
    for (const length of ['', '-1', 'many', '1.5']) {
      const { provider } = answering(streamResponse(200, [], length ? { 'content-length': length } : {}))
      await assert.rejects(provider.findSize(root), BadAnswerError, length)
    }
  })

  test('blames the provider, not its user, for any garbage', async () => {
    for (const answer of garbage) {
      const { provider } = answering(answer)
      const calls = [
        provider.info(),
        provider.upload(dataOf('upload', 32), piece, { maxBytes: 1, orderId: 0 }),
        provider.commit(dataOf('upload', 32), known),
      ]
      for (const call of calls) await assert.rejects(call, { name: 'BadAnswerError', blame: 'provider' })
    }
  })

  test('asks who it speaks to, and takes no other node for it', async () => {
    const { provider } = answering(jsonResponse(200, { address: node.address, freeBytes: 5, pieces: 1 }))
    assert.deepEqual(await provider.info(), { address: node.address, freeBytes: 5, pieces: 1 })
    const other = answering(jsonResponse(200, { address: testSigner(51).address, freeBytes: 5, pieces: 1 }))
    await assert.rejects(other.provider.info(), BadAnswerError)
  })
})

describe('a keeper’s client', () => {
  test('takes only an acknowledgement of this entry by this keeper', async () => {
    const [signed, next] = await makeLog(2)
    const bundle = { signed: signed!, parts: [await makePart()] }
    const { keeper } = answering(jsonResponse(200, { ack: ackToJson(await signAck(network, signed!, node)) }))
    assert.equal((await keeper.submit(bundle)).keeper, node.address)
    const acks = [
      await signAck(network, signed!, testSigner(51)),
      await signAck(network, next!, node),
      { ...(await signAck(network, signed!, testSigner(51))), keeper: node.address },
      await signAck({ ...network, chainId: 1 }, signed!, node),
    ]
    for (const ack of acks) {
      const lying = answering(jsonResponse(200, { ack: ackToJson(ack) }))
      await assert.rejects(lying.keeper.submit(bundle), BadAnswerError)
    }
  })

  test('passes on a conflict with the head that the keeper has', async () => {
    const details = { seq: 4, hash: `0x${'ab'.repeat(32)}` }
    const { keeper } = answering(errorResponse(new IndexConflictError('taken', details)))
    const [signed] = await makeLog(1)
    await assert.rejects(keeper.submit({ signed: signed!, parts: [] }), (error: unknown) => {
      assert.ok(error instanceof RemoteError)
      assert.deepEqual([error.name, error.details], ['IndexConflictError', details])
      return true
    })
  })

  test('takes only a stretch of the log it asked for: no gap, no repetition, no other log, no lost link', async () => {
    const log = await makeLog(4)
    const list = async (entries: typeof log, from = 1, did = OWNER, by = writer.address) => {
      const { keeper } = answering(bytesResponse(200, encodeEntries(entries)))
      return await keeper.listEntries(did, by, from)
    }
    assert.deepEqual(await list(log), log)
    assert.deepEqual(await list(log.slice(2), 3), log.slice(2))
    assert.deepEqual(await list([]), [])
    const [one, two, three] = log as [(typeof log)[0], (typeof log)[0], (typeof log)[0]]
    for (const bad of [[two], [one, three], [one, one], [two, one]]) await assert.rejects(list(bad), BadAnswerError)
    await assert.rejects(list(log, 1, 'did:memo:other'), BadAnswerError)
    await assert.rejects(list(log, 1, OWNER, testSigner(2).address), BadAnswerError)
    const forged = { ...one, signature: two.signature }
    await assert.rejects(list([forged]), BadAnswerError)
  })

  test('takes only the part it asked for', async () => {
    const part = await makePart()
    const answer = () => bytesResponse(200, encodePartAnswer(encodePlacedPart(part)))
    assert.deepEqual(await answering(answer).keeper.findPart(placement.partId), part)
    await assert.rejects(answering(answer).keeper.findPart(dataOf('x', 32)), BadAnswerError)
    const none = answering(bytesResponse(200, encodePartAnswer(undefined)))
    assert.equal(await none.keeper.findPart(placement.partId), undefined)
  })

  test('names whose placement of a part it wants', async () => {
    const asked: string[] = []
    const { keeper } = setUp(async ({ url }) => {
      asked.push(url)
      return bytesResponse(200, encodePartAnswer(undefined))
    })
    await keeper.findPart(placement.partId, { owner: 'did:memo:a/b?c' })
    await keeper.findPart(placement.partId)
    const path = `/placements/${hex32(placement.partId)}`
    assert.deepEqual(asked, [`${path}?owner=did%3Amemo%3Aa%2Fb%3Fc`, path])
  })

  test('takes only public entries of the CID it asked for', async () => {
    const { keeper } = answering(bytesResponse(200, encodeEntries(await makeLog(1))))
    await assert.rejects(keeper.listPublic(CID), BadAnswerError)
    const empty = answering(bytesResponse(200, encodeEntries([])))
    assert.deepEqual(await empty.keeper.listPublic(CID), { entries: [], next: undefined })
  })

  test('goes from page to page of public entries, and not in circles', async () => {
    const asked: string[] = []
    const { keeper } = setUp(async ({ url }) => {
      asked.push(url)
      return bytesResponse(200, encodeEntries([], 7))
    })
    assert.deepEqual(await keeper.listPublic(CID, { after: 6 }), { entries: [], next: 7 })
    assert.deepEqual(asked, [`/objects/${CID}?after=6`])
    await assert.rejects(keeper.listPublic(CID, { after: 7 }), BadAnswerError)
    await assert.rejects(keeper.listPublic(CID, { after: 8 }), BadAnswerError)
  })

  test('asks for a path that no CID or DID can leave', async () => {
    const asked: string[] = []
    const { keeper } = setUp(async ({ url }) => {
      asked.push(url)
      return url.startsWith('/index/') ? jsonResponse(200, { heads: [] }) : bytesResponse(200, encodeEntries([]))
    })
    await keeper.listPublic('../index')
    await keeper.listHeads('a/../b?c#d')
    assert.deepEqual(asked, ['/objects/..%2Findex?after=0', '/index/a%2F..%2Fb%3Fc%23d'])
  })

  test('reads candidates, heads and the feed', async () => {
    const [signed] = await makeLog(1)
    const head = { did: OWNER, writer: writer.address, seq: 1, hash: hexFromBytes(signed!.hash) }
    const bundle = { signed: signed!, parts: [await makePart()] }
    const { keeper } = setUp(async ({ url }) => {
      if (url === '/match') {
        const found = [
          { address: providers[0]!.address, endpoint: 'http://a' },
          { address: 'x', endpoint: 'http://b' },
        ]
        return jsonResponse(200, { providers: found })
      }
      if (url.startsWith('/feed')) return bytesResponse(200, encodeFeed(7, [encodeBundle(bundle)]))
      return jsonResponse(200, { heads: [head] })
    })
    const found = await keeper.match({ count: 2, pieceBytes: 5, exclude: [] })
    assert.deepEqual(found, [{ address: providers[0]!.address, endpoint: 'http://a' }])
    assert.deepEqual(await keeper.listHeads(OWNER), [head])
    assert.deepEqual(await keeper.listWriterHeads(writer.address, ''), [head])
    await assert.rejects(keeper.listHeads('did:memo:other'), BadAnswerError)
    await assert.rejects(keeper.listWriterHeads(node.address, ''), BadAnswerError)
    assert.deepEqual(await keeper.readFeed(0), { next: 7, bundles: [bundle] })
  })

  test('blames the keeper, not its user, for any garbage', async () => {
    const [signed] = await makeLog(1)
    for (const answer of garbage) {
      const { keeper } = answering(answer)
      const calls = [
        keeper.match({ count: 1, pieceBytes: 1, exclude: [] }),
        keeper.submit({ signed: signed!, parts: [] }),
        keeper.listHeads(OWNER),
        keeper.listEntries(OWNER, writer.address, 1),
        keeper.listPublic(CID),
        keeper.readFeed(0),
      ]
      for (const call of calls) {
        await assert.rejects(call, { name: 'BadAnswerError', blame: 'keeper' })
      }
    }
  })
})
