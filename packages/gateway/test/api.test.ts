import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { hexFromBytes, keccak256, utf8 } from '@memo/core'
import { cidOf, queryOf, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'

const HELLO = utf8('hello')
let network: TestNetwork
let gateway: TestGateway
let alice: TestCaller
let bob: TestCaller

before(async () => {
  network = await startNetwork()
  gateway = await startReadyGateway(network)
  alice = await gateway.join()
  bob = await gateway.join()
})
after(async () => {
  await gateway.close()
  await network.close()
})

type Listed = { readonly ID: number; readonly Name: string; readonly Cid: string; readonly Size: number }

async function list(caller: TestCaller): Promise<Listed[]> {
  const answer = (await (await caller.get('/mefs/listobjects')).json()) as { Object: Listed[] }
  return answer.Object
}

/** What nobody has stored before. */
function fresh(sizeBytes = 100): Uint8Array {
  return new Uint8Array(randomBytes(sizeBytes))
}

async function store(caller: TestCaller, content: Uint8Array, options = {}): Promise<string> {
  const answer = await caller.upload(content, options)
  assert.equal(answer.status, 200, await answer.clone().text())
  return ((await answer.json()) as { cid: string }).cid
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
  return new Uint8Array(await answer.arrayBuffer())
}

async function errorOf(answer: Response): Promise<{ Code: string; Description: string; HTTPStatusCode: number }> {
  return (await answer.json()) as { Code: string; Description: string; HTTPStatusCode: number }
}

/** Sends a body with GET, which fetch refuses and the seeds' clients do. */
async function getWithBody(
  path: string,
  body: string,
  headers: Record<string, string | number> = {},
): Promise<{ status: number; text: string }> {
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(`${gateway.url}${path}`, { method: 'GET', headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

describe('the state of the gateway', () => {
  test('is told at /, /livez, /readyz and /info', async () => {
    assert.equal(await (await fetch(`${gateway.url}/`)).text(), 'Welcome Server')
    assert.deepEqual(await (await fetch(`${gateway.url}/livez`)).json(), { status: 'ok' })
    const ready = await fetch(`${gateway.url}/readyz`)
    assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ok' }])
    const info = (await (await fetch(`${gateway.url}/info`)).json()) as Record<string, unknown>
    assert.equal(info.policy, 'rs:2+1')
    assert.match(String(info.account), /^0x[0-9a-f]{40}$/)
    assert.deepEqual(info.network, network.chain.network)
  })
})

describe('logging in over HTTP', () => {
  test('answers the text of the original, and then what the session is', async () => {
    const carol = await gateway.join()
    const seconds = Math.floor(Date.now() / 1000) + 2
    const answer = await carol.login(seconds * 1000)
    assert.deepEqual([answer.status, await answer.text()], [200, 'Login success!'])
    const get = async () => await (await fetch(`${gateway.url}/login?did=${carol.did}`)).json()
    assert.deepEqual(await get(), { token: hexFromBytes(carol.token), timestamp: seconds, requestID: '0' })
    await carol.get('/mefs/listobjects')
    assert.deepEqual(await get(), { token: hexFromBytes(carol.token), timestamp: seconds, requestID: '1' })
  })

  test('refuses with 401 and {"error"}; asking for no session is 200 with the error', async () => {
    for (const body of ['', '{', '[]', 'null', '{"did":1}', '\u0000', JSON.stringify({ did: alice.did })]) {
      const answer = await fetch(`${gateway.url}/login`, { method: 'POST', body })
      const error = 'Missing parameters, please refer to the API documentation for details'
      assert.deepEqual([answer.status, await answer.json()], [401, { error }])
    }
    const unknown = await fetch(`${gateway.url}/login?did=did:memo:${'0'.repeat(64)}`)
    assert.deepEqual(
      [unknown.status, await unknown.json()],
      [200, { error: 'cannot find session, please log in first' }],
    )
  })

  test('takes no body that is larger than any login', async () => {
    const answer = await fetch(`${gateway.url}/login`, { method: 'POST', body: 'x'.repeat(200_000) })
    assert.equal(answer.status, 413)
    assert.equal((await errorOf(answer)).HTTPStatusCode, 413)
  })
})

describe('the fields of a call', () => {
  test('stand in a JSON body of GET without a type, with a length or in chunks, as in the Go examples', async () => {
    for (const framing of ['length', 'chunks']) {
      const body = JSON.stringify(await alice.sign())
      const headers = framing === 'length' ? { 'content-length': body.length } : { 'transfer-encoding': 'chunked' }
      const { status, text } = await getWithBody('/mefs/listobjects', body, headers)
      assert.equal(status, 200, text)
    }
  })

  test('stand in the query, in headers, in a url-encoded form, or here and there', async () => {
    assert.equal((await alice.get('/mefs/listobjects')).status, 200)
    const { did, token, requestID, signature } = await alice.sign()
    const headers = {
      'X-Memo-Did': did,
      'X-Memo-Token': token,
      'X-Memo-Request-Id': String(requestID),
      'X-Memo-Signature': signature,
    }
    assert.equal((await fetch(`${gateway.url}/mefs/listobjects`, { headers })).status, 200)
    const form = queryOf(await alice.sign())
    const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length }
    assert.equal((await getWithBody('/mefs/listobjects', form, type)).status, 200)
    const mixed = await alice.sign()
    const answer = await fetch(`${gateway.url}/mefs/listobjects?did=${mixed.did}&requestID=${mixed.requestID}`, {
      headers: { 'X-Memo-Token': mixed.token, 'X-Memo-Signature': mixed.signature },
    })
    assert.equal(answer.status, 200)
  })

  test('count from the body first, then from the query, then from headers', async () => {
    const body = JSON.stringify(await alice.sign())
    const headers = { 'content-length': body.length, 'x-memo-did': bob.did, 'x-memo-token': '0x00' }
    const { status, text } = await getWithBody(`/mefs/listobjects?did=${bob.did}&requestID=77`, body, headers)
    assert.equal(status, 200, text)
  })
})

describe('an upload', () => {
  test('answers with the CID when the object is durable, and lists it in the shape of the original', async () => {
    const dave = await gateway.join()
    const answer = await dave.upload(HELLO, { name: 'a.txt', type: 'text/plain' })
    const cid = cidOf(HELLO)
    assert.deepEqual([answer.status, await answer.json()], [200, { cid, Mid: cid }])
    const listed = (await (await dave.get('/mefs/listobjects')).json()) as Record<string, unknown>
    assert.deepEqual(Object.keys(listed), ['Address', 'Storage', 'Object', 'Objects'])
    const record = await network.chain.findDid(dave.did)
    assert.equal(listed.Address, record?.masterAddress)
    assert.equal(listed.Storage, 'mefs')
    assert.deepEqual(listed.Object, listed.Objects)
    const [object, ...others] = listed.Objects as Record<string, unknown>[]
    assert.deepEqual(others, [])
    const { ID, ModTime, ...rest } = object ?? {}
    assert.ok(Number.isInteger(ID))
    assert.match(String(ModTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.ok(Math.abs(Date.parse(String(ModTime)) - Date.now()) < 60_000)
    const UserDefined = { encryption: 'aes-256-gcm', etag: 'cid' }
    assert.deepEqual(rest, { Name: 'a.txt', Size: 5, Cid: cid, Mid: cid, Public: false, UserDefined })
  })

  test('takes as payload the Keccak-256 or SHA-256 of the file, or the digest in its CID, named or not', async () => {
    const digests = {
      keccak256: (content: Uint8Array) => keccak256(content),
      sha256: (content: Uint8Array) => new Uint8Array(createHash('sha256').update(content).digest()),
      cid: (content: Uint8Array) => new Uint8Array(createHash('sha256').update(content).digest()), // one raw leaf
    }
    for (const [payloadHash, digest] of Object.entries(digests)) {
      const [named, unnamed] = [fresh(), fresh()]
      await store(alice, named, { payload: digest(named), payloadHash })
      await store(alice, unnamed, { payload: digest(unnamed) })
    }
  })

  test('of another file than was signed is refused and leaves nothing to be seen', async () => {
    const content = fresh()
    const before = (await list(alice)).length
    for (const options of [
      { payload: keccak256(fresh()) },
      { payload: keccak256(content), payloadHash: 'sha256' },
      { payload: keccak256(content), payloadHash: 'md5' },
      { payload: keccak256(fresh()), isPublic: true },
    ]) {
      const answer = await alice.upload(content, options)
      const { Code, Description, HTTPStatusCode } = await errorOf(answer)
      assert.deepEqual([answer.status, Code, HTTPStatusCode], [516, 'Storage', 516])
      assert.match(Description, /^Error storing file \(.+\)$/)
    }
    assert.equal((await list(alice)).length, before)
    assert.equal((await alice.get(`/mefs/${cidOf(content)}`)).status, 404)
    assert.equal((await fetch(`${gateway.url}/mefs/${cidOf(content)}`)).status, 404)
  })

  test('without a payload is refused', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries(await alice.sign())) form.set(name, String(value))
    form.set('file', new Blob(['x']), 'x')
    const answer = await fetch(`${gateway.url}/mefs/`, { method: 'POST', body: form })
    assert.equal(answer.status, 516)
    assert.match((await errorOf(answer)).Description, /payload/)
  })

  test('whose file stands before its fields is refused as one without them', async () => {
    const form = new FormData()
    form.set('file', new Blob(['x']), 'x')
    for (const [name, value] of Object.entries(await alice.sign(keccak256(utf8('x'))))) form.set(name, String(value))
    alice.nextId -= 1
    const answer = await fetch(`${gateway.url}/mefs/`, { method: 'POST', body: form })
    const error = 'Missing parameters, please refer to the API documentation for details'
    assert.deepEqual([answer.status, await answer.json()], [401, { error }])
  })

  test('may carry its fields in the query or in headers instead', async () => {
    const content = fresh()
    const { payload, signature, ...rest } = await alice.sign(keccak256(content))
    const form = new FormData()
    form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'x.bin')
    const headers = { 'X-Memo-Payload': payload ?? '', 'X-Memo-Signature': signature }
    const answer = await fetch(`${gateway.url}/mefs/?${queryOf(rest)}&public=1`, {
      method: 'POST',
      body: form,
      headers,
    })
    assert.deepEqual([answer.status, await answer.json()], [200, { cid: cidOf(content), Mid: cidOf(content) }])
    assert.deepEqual(await bytesOf(await fetch(`${gateway.url}/mefs/${cidOf(content)}`)), content)
  })

  test('cannot say only after its file that it is public', async () => {
    const content = fresh()
    const form = new FormData()
    for (const [name, value] of Object.entries(await alice.sign(keccak256(content)))) form.set(name, String(value))
    form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'x.bin')
    form.set('public', 'true')
    const answer = await fetch(`${gateway.url}/mefs/`, { method: 'POST', body: form })
    assert.equal(answer.status, 516)
    assert.equal((await alice.get(`/mefs/${cidOf(content)}`)).status, 404)
  })

  test('without a file, or that is no form, is refused with a reason', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries(await alice.sign(keccak256(HELLO)))) form.set(name, String(value))
    alice.nextId -= 1
    const type = (boundary: string) => ({ 'content-type': `multipart/form-data; boundary=${boundary}` })
    const attempts: RequestInit[] = [
      { body: form },
      { body: '{}' },
      { body: '' },
      { body: 'no form', headers: { 'content-type': 'multipart/form-data' } },
      { body: 'no form at all', headers: type('x') },
      { body: '--x\r\nContent-Disposition: form-data; name="did"\r\n\r\nfoo', headers: type('x') },
      { body: '--x\r\n\r\n\r\n--x--', headers: type('x') },
      {
        body: `--x\r\nContent-Disposition: form-data; name="did"\r\n\r\n${'y'.repeat(9_000)}\r\n--x--`,
        headers: type('x'),
      },
    ]
    for (const attempt of attempts) {
      const answer = await fetch(`${gateway.url}/mefs/`, { method: 'POST', ...attempt })
      assert.equal(answer.status, 516, JSON.stringify(attempt).slice(0, 200))
      assert.match((await errorOf(answer)).Description, /^Error storing file \(.+\)$/)
    }
  })

  test('of nothing, of one byte, and of more than a stripe comes back as it was', async () => {
    const erin = await gateway.join()
    for (const content of [new Uint8Array(0), Uint8Array.of(7), fresh(65_520), fresh(3_000_001)]) {
      const cid = await store(erin, content)
      assert.equal(cid, cidOf(content))
      const answer = await erin.get(`/mefs/${cid}`)
      assert.equal(answer.headers.get('content-length'), String(content.length))
      assert.deepEqual(await bytesOf(answer), content)
    }
    assert.deepEqual(
      (await list(erin)).map((object) => object.Size),
      [0, 1, 65_520, 3_000_001],
    )
  })

  test('keeps the name that was sent, without paths and control characters', async () => {
    const frank = await gateway.join()
    const names = [
      ['存储 文件.txt', '存储 文件.txt'],
      ['../../etc/passwd', 'passwd'],
      [`${'n'.repeat(4_096)}.txt`, `${'n'.repeat(1_020)}.txt`],
    ] as const
    for (const [sent, kept] of names) {
      await store(frank, fresh(), { name: sent })
      assert.equal((await list(frank)).at(-1)?.Name, kept)
    }
  })

  test('of the same bytes again gives the same object', async () => {
    const grace = await gateway.join()
    const content = fresh()
    const first = await store(grace, content)
    assert.equal(await store(grace, content), first)
    assert.equal((await list(grace)).length, 1)
    assert.equal((await grace.get(`/mefs/delete?id=${(await list(grace))[0]?.ID}`)).status, 200)
    assert.deepEqual(await list(grace), [])
    await store(grace, content)
    assert.deepEqual(await bytesOf(await grace.get(`/mefs/${first}`)), content)
  })

  test('gives each object a number that no other object has, whoever owns it', async () => {
    const [a, b] = [await gateway.join(), await gateway.join()]
    await Promise.all([store(a, fresh()), store(b, fresh()), gateway.join()])
    await store(a, fresh())
    const ids = [...(await list(a)), ...(await list(b))].map((object) => object.ID)
    assert.equal(new Set(ids).size, 3)
    assert.deepEqual(
      (await list(a)).map((object) => object.ID),
      ids.slice(0, 2),
    )
  })
})

describe('a download', () => {
  const content = fresh(150_000)
  const secret = fresh(1_000)
  const cid = cidOf(content)
  const etag = `"${cid}"`
  const get = async (headers: Record<string, string> = {}, method = 'GET') =>
    await fetch(`${gateway.url}/mefs/${cid}`, { headers, method })

  before(async () => {
    await store(alice, content, { isPublic: true, name: 'picture 图.png' })
    await store(alice, secret, { name: 'secret.txt' })
  })

  test('of a public object is anybody’s, and may be kept for ever', async () => {
    const answer = await get()
    assert.equal(answer.status, 200)
    assert.deepEqual(await bytesOf(answer), content)
    const headers = {
      'content-type': 'image/png',
      'content-length': '150000',
      'cache-control': 'public, max-age=29030400, immutable',
      'content-disposition': `attachment; filename="picture ?.png"; filename*=UTF-8''picture%20%E5%9B%BE.png`,
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      etag,
    }
    for (const [name, value] of Object.entries(headers)) assert.equal(answer.headers.get(name), value)
    assert.ok(!Number.isNaN(Date.parse(answer.headers.get('last-modified') ?? '')))
  })

  test('of a private object is its owner’s only, and kept by nobody', async () => {
    const answer = await alice.get(`/mefs/${cidOf(secret)}`)
    assert.deepEqual(await bytesOf(answer), secret)
    assert.equal(answer.headers.get('cache-control'), 'private, no-store')
  })

  test('of another’s object and of none answer alike', async () => {
    const nothing = cidOf(fresh())
    const answers = [
      await bob.get(`/mefs/${cidOf(secret)}`),
      await bob.get(`/mefs/${nothing}`),
      await fetch(`${gateway.url}/mefs/${cidOf(secret)}`),
      await fetch(`${gateway.url}/mefs/${nothing}`),
    ]
    const bodies = await Promise.all(answers.map(async (answer) => await answer.text()))
    const alike = bodies.map((body) => body.replaceAll(cidOf(secret), 'CID').replaceAll(nothing, 'CID'))
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [404, 404, 404, 404],
    )
    assert.equal(new Set(alike).size, 1)
    assert.equal(answers[0]?.headers.get('etag'), null)
  })

  test('of what is no CID answers 517', async () => {
    for (const text of ['nonsense', 'Qme8ZzfkB1QM5nye1BfUkSN5ocYqoEwX6trPYkxfshRKg', '%00', `${cid}x`]) {
      const answer = await fetch(`${gateway.url}/mefs/${text}`)
      assert.equal(answer.status, 517, text)
      assert.equal((await errorOf(answer)).Code, 'Address')
    }
  })

  test('of a range gives that range, whichever way it is said', async () => {
    const ranges = [
      ['bytes=0-0', 0, 1],
      ['bytes=65519-65521', 65_519, 3],
      ['bytes=149999-', 149_999, 1],
      ['bytes=-10', 149_990, 10],
      ['bytes=100000-999999', 100_000, 50_000],
      ['bytes=-999999', 0, 150_000],
    ] as const
    for (const [range, offset, length] of ranges) {
      const answer = await get({ range })
      assert.equal(answer.status, 206, range)
      assert.equal(answer.headers.get('content-range'), `bytes ${offset}-${offset + length - 1}/150000`)
      assert.equal(answer.headers.get('content-length'), String(length))
      assert.deepEqual(await bytesOf(answer), content.slice(offset, offset + length))
    }
  })

  test('of a range that is none gives all, and of one beyond the end 416', async () => {
    for (const range of ['bytes=5-1', 'bytes=a-b', 'items=0-1', 'bytes 0-1', 'bytes=0-1,5-6']) {
      const answer = await get({ range })
      assert.equal(answer.status, range === 'bytes=5-1' ? answer.status : 200, range)
      await answer.arrayBuffer()
    }
    for (const range of ['bytes=150000-', 'bytes=150000-150001', 'bytes=-0']) {
      const answer = await get({ range })
      assert.deepEqual([answer.status, answer.headers.get('content-range')], [416, 'bytes */150000'], range)
      assert.equal((await errorOf(answer)).HTTPStatusCode, 416)
    }
  })

  test('with If-Range gives the range only of the same object', async () => {
    const range = 'bytes=0-9'
    for (const [ifRange, status] of [
      [etag, 206],
      ['"other"', 200],
      [`W/${etag}`, 200],
    ] as const) {
      const answer = await get({ range, 'if-range': ifRange })
      assert.equal(answer.status, status)
      await answer.arrayBuffer()
    }
  })

  test('with If-None-Match is not sent again', async () => {
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await get({ 'if-none-match': tag })
      assert.deepEqual([answer.status, answer.headers.get('etag'), await answer.text()], [304, etag, ''])
    }
    const answer = await get({ 'if-none-match': '"other"' })
    assert.equal(answer.status, 200)
    await answer.arrayBuffer()
  })

  test('with HEAD has the same headers and no body', async () => {
    const [head, whole] = [await get({}, 'HEAD'), await get()]
    await whole.arrayBuffer()
    assert.equal(head.status, 200)
    for (const name of ['content-length', 'content-type', 'etag', 'cache-control', 'content-disposition']) {
      assert.equal(head.headers.get(name), whole.headers.get(name), name)
    }
    assert.equal((await bytesOf(head)).length, 0)
    const part = await get({ range: 'bytes=0-9' }, 'HEAD')
    assert.deepEqual([part.status, part.headers.get('content-length')], [206, '10'])
    assert.equal((await fetch(`${gateway.url}/mefs/${cidOf(fresh())}`, { method: 'HEAD' })).status, 404)
  })

  test('of an empty object has no range to give', async () => {
    const empty = new Uint8Array(0)
    await store(bob, empty, { isPublic: true })
    const whole = await fetch(`${gateway.url}/mefs/${cidOf(empty)}`)
    assert.deepEqual([whole.status, whole.headers.get('content-length')], [200, '0'])
    const range = await fetch(`${gateway.url}/mefs/${cidOf(empty)}`, { headers: { range: 'bytes=0-0' } })
    assert.equal(range.status, 416)
  })

  test('with a bad signature is refused, though the object is public', async () => {
    const fields = { ...(await bob.sign()), signature: `0x${'11'.repeat(65)}` }
    bob.nextId -= 1
    const answer = await fetch(`${gateway.url}/mefs/${cid}?${queryOf(fields)}`)
    assert.deepEqual([answer.status, await answer.json()], [401, { error: `failed to verify identity: ${bob.did}` }])
  })
})

describe('a deletion', () => {
  test('takes the object from list and download, and only once', async () => {
    const heidi = await gateway.join()
    const [kept, gone] = [fresh(), fresh()]
    await store(heidi, kept)
    await store(heidi, gone, { isPublic: true })
    const id = (await list(heidi)).at(-1)?.ID
    const answer = await heidi.get(`/mefs/delete?id=${id}`)
    assert.deepEqual([answer.status, await answer.json()], [200, { Status: 'Success', state: 'success' }])
    assert.deepEqual(
      (await list(heidi)).map((object) => object.Cid),
      [cidOf(kept)],
    )
    assert.equal((await heidi.get(`/mefs/${cidOf(gone)}`)).status, 404)
    assert.equal((await fetch(`${gateway.url}/mefs/${cidOf(gone)}`)).status, 404)
    const again = await heidi.get(`/mefs/delete?id=${id}`)
    assert.deepEqual([again.status, ((await again.json()) as { Status: string }).Status], [404, 'Failure'])
  })

  test('of another’s object is 403, of none 404, of no number 516, without a signature 401', async () => {
    const content = fresh()
    await store(alice, content)
    const id = (await list(alice)).at(-1)?.ID
    const attempts = [
      [await bob.get(`/mefs/delete?id=${id}`), 403],
      [await bob.get('/mefs/delete?id=999999999'), 404],
      [await bob.get('/mefs/delete?id=abc'), 516],
      [await bob.get('/mefs/delete'), 516],
      [await fetch(`${gateway.url}/mefs/delete?id=${id}`), 401],
    ] as const
    for (const [answer, status] of attempts) {
      assert.equal(answer.status, status)
      assert.equal(((await answer.json()) as { Status: string }).Status, 'Failure')
    }
    assert.deepEqual(await bytesOf(await alice.get(`/mefs/${cidOf(content)}`)), content)
  })
})

describe('the state of an object', () => {
  test('names each piece and its provider, to whoever may read it', async () => {
    const content = fresh()
    await store(alice, content)
    const answer = await alice.get(`/mefs/status/${cidOf(content)}`)
    const { cid, parts } = (await answer.json()) as { cid: string; parts: { alive: boolean; provider: string }[] }
    assert.equal(cid, cidOf(content))
    assert.deepEqual(
      parts.map((piece) => piece.alive),
      [true, true, true],
    )
    assert.equal(new Set(parts.map((piece) => piece.provider)).size, 3)
    assert.equal((await fetch(`${gateway.url}/mefs/status/${cid}`)).status, 404)
    assert.equal((await bob.get(`/mefs/status/${cid}`)).status, 404)
  })
})

describe('what is not served', () => {
  test('is another storage: 518, in the form of the original', async () => {
    for (const [method, path] of [
      ['POST', '/ipfs/'],
      ['GET', '/ipfs/x'],
      ['GET', '/s3/listobjects'],
      ['POST', '/other/'],
    ]) {
      const answer = await fetch(`${gateway.url}${path}`, { method: method ?? '' })
      const body = { Code: 'Storage', Description: 'Storage Error (storage not support)', HTTPStatusCode: 518 }
      assert.deepEqual([answer.status, await answer.json()], [518, body])
    }
  })

  test('is a path that nothing answers: 404', async () => {
    for (const path of ['/nothing', '/a/b/c', '/mefs/a/b', '/%ff', '/mefs/%ff', `/mefs/${'a'.repeat(300)}`]) {
      const answer = await fetch(`${gateway.url}${path}`)
      assert.equal(answer.status, 404, path)
      assert.match((await errorOf(answer)).Description, /^Storage Error \(.+\)$/)
    }
  })
})

describe('a call from a web page', () => {
  test('is let in from everywhere, with the methods and headers of the original and ours', async () => {
    const origin = { origin: 'https://example.org' }
    const preflight = await fetch(`${gateway.url}/mefs/`, { method: 'OPTIONS', headers: origin })
    assert.deepEqual([preflight.status, await preflight.text()], [204, ''])
    for (const answer of [preflight, await fetch(`${gateway.url}/livez`, { headers: origin })]) {
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      assert.equal(answer.headers.get('access-control-allow-methods'), 'POST, GET, OPTIONS, PUT, DELETE, UPDATE')
      const allowed = answer.headers.get('access-control-allow-headers') ?? ''
      for (const name of ['Content-Type', 'AccessToken', 'Authorization', 'Token', 'X-Memo-Did', 'X-Memo-Signature']) {
        assert.ok(allowed.split(',').includes(name), name)
      }
    }
    const refused = await fetch(`${gateway.url}/mefs/listobjects`, { headers: origin })
    assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [401, '*'])
    assert.equal((await fetch(`${gateway.url}/livez`)).headers.get('access-control-allow-origin'), null)
  })
})
