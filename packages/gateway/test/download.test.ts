import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { cidOf, queryOf, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, errorOf, fresh, store } from './support/objects.ts'

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
