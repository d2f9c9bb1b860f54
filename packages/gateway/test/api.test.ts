import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { hexFromBytes } from '@memo/core'
import { cidOf, queryOf, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { bytesOf, errorOf, fresh, list, store } from './support/objects.ts'

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
