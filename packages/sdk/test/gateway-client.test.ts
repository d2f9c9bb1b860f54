import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bytesResponse, createKeySigner, hexFromBytes, jsonResponse, keccak256, utf8 } from '@memo/core'
import { createMemoryNetwork, createSeededRandomness, createVirtualTime } from '@memo/core/testing'
import { createGatewayClient, restrictedDigest } from '@memo/sdk'
import { createGatewayResponder } from './support/gateway-responder.ts'
import { collect, testBytes, testKey } from './support/world.ts'

const DID = `did:memo:${'11'.repeat(32)}`
const ENDPOINT = 'http://gateway'

function createSetting() {
  const time = createVirtualTime()
  const network = createMemoryNetwork({ timers: time.timers, random: createSeededRandomness('network') })
  const { signer } = testKey('owner')
  const gateway = createGatewayResponder(DID, signer, time.clock)
  network.listen(ENDPOINT, gateway.handler)
  const open = (key = signer, seed = 'client') =>
    createGatewayClient({
      endpoint: ENDPOINT,
      transport: network.transport(),
      did: DID,
      signer: key,
      clock: time.clock,
      random: createSeededRandomness(seed),
    })
  return { time, network, gateway, open, client: open() }
}

describe('the digest of a restricted call', () => {
  const did = 'did:memo:d687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96'
  const token = utf8('memo.test')
  const vectors: [number, Uint8Array | undefined, string][] = [
    [0, undefined, '0xf35b5633b6cb261df1ac999e13db0be585fa41a3c05a2d2d21ed1bc483b063c6'],
    [1, undefined, '0xb33efea18167f8c8f33dd8ba491196a35fd322d19d5282008fe365fbc65e07fb'],
    [1, keccak256(utf8('hello')), '0x8b7c9526bf1d76615142056b9156f1a0e4a4a199db7b4e3e9a1d5f61e35abd44'],
  ]
  for (const [requestId, payload, expected] of vectors) {
    test(`is that of existing clients for request ${requestId} with${payload ? '' : 'out'} payload`, () => {
      assert.equal(hexFromBytes(restrictedDigest(did, token, requestId, payload)), expected)
    })
  }

  test('is signed as existing clients sign it (a published test key)', async () => {
    const secretKey = Buffer.from('f9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4', 'hex')
    const signature = await createKeySigner(new Uint8Array(secretKey)).signDigest(restrictedDigest(did, token, 1))
    const expected =
      '0x320a82e99974b4aaaad9aad25166ec0dbe9f51819081e578d6e88ccfbdff5a6b75bf9367fb2c3a7e3b9fcf7793c0f47d7abd497a84fb4325b6bdce8a9221a77101'
    signature[64]! -= 27
    assert.equal(hexFromBytes(signature), expected)
  })
})

describe('a client of a gateway', () => {
  test('stores, lists, reads and deletes, with numbers in a row from 0', async () => {
    const { client, gateway } = createSetting()
    const bytes = testBytes(2_000_000)
    const { cid } = await client.upload(bytes, { name: 'Bericht "ä".txt', contentType: 'text/plain' })
    assert.deepEqual(gateway.log.slice(0, 3), ['POST /login', 'GET /login', 'POST /mefs/'])
    const [object] = await client.list()
    assert.deepEqual(
      [object?.cid, object?.name, object?.sizeBytes, object?.isPublic],
      [cid, 'Bericht "ä".txt', 2_000_000, false],
    )
    const whole = await client.download(cid)
    assert.equal(whole.contentType, 'text/plain')
    assert.deepEqual(await collect(whole.body), bytes)
    const range = await client.download(cid, { range: { offset: 7, length: 5 } })
    assert.deepEqual(await collect(range.body), bytes.slice(7, 12))
    await client.remove(object!.id)
    assert.deepEqual(await client.list(), [])
    assert.deepEqual(
      gateway.log.filter((line) => line.startsWith('call')),
      [0, 1, 2, 3, 4, 5].map((id) => `call ${id}`),
    )
    assert.deepEqual(await client.info(), { policy: 'rs:4+2' })
  })

  test('reads a function source twice and a stream only with its payload', async () => {
    const { client, gateway } = createSetting()
    const bytes = testBytes(300_000)
    let opened = 0
    const open = async function* () {
      opened++
      yield bytes.slice(0, 1_000)
      yield bytes.slice(1_000)
    }
    const { cid } = await client.upload(open, { name: 'a', isPublic: true })
    assert.equal(opened, 2)
    assert.deepEqual(gateway.files.get(cid)?.bytes, bytes)
    await assert.rejects(client.upload(open(), { name: 'a' }), { name: 'BadInputError' })
    await client.upload(open(), { name: 'b', isPublic: true, payload: keccak256(bytes) })
    const anonymous = await client.download(cid, { isPublic: true })
    assert.equal((await collect(anonymous.body)).length, bytes.length)
  })

  test('calls at the same time take turns', async () => {
    const { client, gateway } = createSetting()
    await Promise.all([client.list(), client.list(), client.upload(testBytes(10), { name: 'a' }), client.list()])
    assert.deepEqual(
      gateway.log.filter((line) => line.startsWith('call')),
      [0, 1, 2, 3].map((id) => `call ${id}`),
    )
  })

  test('logs in again when the gateway forgot it, or the DID logged in elsewhere', async () => {
    const { client, gateway, open, time } = createSetting()
    await client.list()
    gateway.forget()
    await time.advance(2_000)
    assert.deepEqual(await client.list(), [])
    await time.advance(2_000)
    await open(undefined, 'elsewhere').list()
    await time.advance(2_000)
    assert.deepEqual(await client.list(), [])
  })

  test('asks for the number again after an answer that never came', async () => {
    const { client, gateway } = createSetting()
    await client.list()
    let dropped = 0
    gateway.intercept = (request) => {
      if (!request.url.includes('listobjects') || dropped++ > 0) return undefined
      throw new TypeError('connection lost')
    }
    await assert.rejects(client.list())
    assert.deepEqual(await client.list(), [])
  })

  test('says what the gateway said', async () => {
    const { client, gateway, open } = createSetting()
    await assert.rejects(open(testKey('stranger').signer).list(), { name: 'GatewayError', status: 401, blame: 'user' })
    await assert.rejects(client.remove(99), { status: 404, message: /no object/ })
    gateway.intercept = () => jsonResponse(503, { Code: 'Storage', Description: 'Storage Error (2 keepers missing)' })
    await assert.rejects(client.info(), { status: 503, blame: 'us', retry: 'later', message: /2 keepers missing/ })
    gateway.intercept = () => jsonResponse(516, { Description: 'Error storing file (another file)' })
    await assert.rejects(client.info(), { status: 516, blame: 'user', retry: 'never' })
  })

  test('logs in beside other sessions of its DID in the same second, each a second later', async () => {
    const { gateway, open } = createSetting()
    const clients = ['a', 'b', 'c'].map((seed) => open(undefined, seed))
    for (const client of clients) await client.login()
    assert.equal(gateway.log.filter((line) => line === 'POST /login').length, 1 + 2 + 2)
    for (const client of clients) assert.deepEqual(await client.list(), [])
  })

  test('signs no login for a time that a gateway makes up', async () => {
    for (const timestamp of [2 ** 31, 2 ** 52, -1, 'soon']) {
      const { gateway, client } = createSetting()
      let logins = 0
      gateway.intercept = ({ method }) => {
        if (method !== 'POST') return jsonResponse(200, { token: '0x00', timestamp, requestID: '0' })
        logins++
        return jsonResponse(401, { error: 'the current request is later than the latest request' })
      }
      await assert.rejects(client.login(), { name: 'GatewayError', status: 401, message: /later than the latest/ })
      assert.equal(logins, 1, `${timestamp}`)
    }
  })

  test('signs no number that would make its signature a login', async () => {
    for (const requestID of [`${2 ** 30}`, '1900000000', '-1', '1.5', 'x']) {
      const { client, gateway } = createSetting()
      const token = hexFromBytes(createSeededRandomness('client').bytes(32))
      gateway.intercept = (request) =>
        request.method === 'GET' && request.url.includes('/login')
          ? jsonResponse(200, { token, timestamp: 1, requestID })
          : undefined
      await assert.rejects(client.list(), { name: 'BadGatewayAnswerError', blame: 'us' }, requestID)
      assert.equal(gateway.log.filter((line) => line.startsWith('call')).length, 0)
    }
    const { client, gateway } = createSetting()
    gateway.intercept = (request) =>
      request.method === 'GET' ? bytesResponse(200, utf8('<html>'), 'text/html') : undefined
    await assert.rejects(client.list(), { name: 'BadGatewayAnswerError' })
  })

  test('does not believe a gateway that gives other bytes, another CID or fewer bytes', async () => {
    const { client, gateway } = createSetting()
    const { cid } = await client.upload(testBytes(5_000), { name: 'a' })
    gateway.files.set(cid, { name: 'a', bytes: testBytes(5_000, 9), isPublic: false })
    const other = await client.download(cid)
    await assert.rejects(collect(other.body), { name: 'CidMismatchError' })
    gateway.intercept = (request) =>
      request.method === 'POST' && request.url.endsWith('/mefs/') ? jsonResponse(200, { cid }) : undefined
    await assert.rejects(client.upload(testBytes(6_000), { name: 'b' }), { name: 'CidMismatchError' })
    gateway.intercept = (request) => {
      if (!request.url.includes(cid)) return undefined
      return { status: 200, headers: { 'content-length': '9' }, body: bytesResponse(200, new Uint8Array(0)).body }
    }
    const short = await client.download(cid, { isPublic: true })
    await assert.rejects(collect(short.body), { name: 'BadGatewayAnswerError' })
  })
})
