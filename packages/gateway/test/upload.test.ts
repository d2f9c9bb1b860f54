import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { keccak256, utf8 } from '@memo/core'
import { cidOf, queryOf, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, errorOf, fresh, list, store } from './support/objects.ts'

const HELLO = utf8('hello')
let network: TestNetwork
let gateway: TestGateway
let alice: TestCaller

before(async () => {
  network = await startNetwork()
  gateway = await startReadyGateway(network)
  alice = await gateway.join()
})
after(async () => {
  await gateway.close()
  await network.close()
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
    const { ID, ModTime, Expire, ...rest } = object ?? {}
    assert.ok(Number(Expire) > Date.now() / 1_000 + 86_400, 'paid for more than a day')
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
