import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, describe, test } from 'node:test'
import { BadInputError, bytesResponse, type Handler, jsonResponse, utf8 } from '@memo/core'
import { type ServedHandler, serveHandler } from '../src/index.ts'

const ORIGIN = 'https://a-page.example'
const servers: ServedHandler[] = []
after(async () => await Promise.all(servers.map((server) => server.close())))

/** A server that notes which methods reach its handler. */
async function serve(handler: Handler): Promise<{ readonly url: string; readonly seen: string[] }> {
  const seen: string[] = []
  const noting: Handler = async (request) => {
    seen.push(request.method)
    return await handler(request)
  }
  const server = await serveHandler(noting, { port: 0 })
  servers.push(server)
  return { url: server.url, seen }
}

/** As a browser asks: `fetch` of Node would not send these headers. */
async function ask(url: string, method: string, headers: Record<string, string>) {
  return await new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
    const sent = request(url, { method, headers }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }))
    })
    sent.on('error', reject).end()
  })
}

describe('a page of any origin', () => {
  test('is told before it asks that it may, and the handler hears nothing of that', async () => {
    const { url, seen } = await serve(async () => jsonResponse(200, 1))
    const answer = await ask(`${url}/uploads?id=1`, 'OPTIONS', {
      origin: ORIGIN,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'memo-account,memo-signature,content-type',
    })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers['access-control-allow-origin'], '*')
    assert.equal(answer.headers['access-control-allow-methods'], '*')
    assert.equal(answer.headers['access-control-allow-headers'], '*')
    assert.ok(Number(answer.headers['access-control-max-age']) > 0)
    assert.equal(answer.headers['access-control-allow-credentials'], undefined, 'cookies stay out of it')
    assert.deepEqual(seen, [])
  })

  test('may read answers, refusals and failures, whoever made them', async () => {
    const { url } = await serve(async ({ url }) => {
      if (url === '/thrown') throw new BadInputError('not so')
      if (url === '/bug') throw new TypeError('x is undefined')
      if (url === '/bad-header') return bytesResponse(200, utf8('x'), 'text/plain', { 'x-bad': 'a\nb' })
      return bytesResponse(206, utf8('x'), 'text/plain', { 'content-range': 'bytes 0-0/9' })
    })
    const expected = { '/': 206, '/thrown': 400, '/bug': 500, '/bad-header': 500 }
    for (const [path, status] of Object.entries(expected)) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        const answer = await ask(url + path, method, { origin: ORIGIN })
        assert.equal(answer.status, status, `${method} ${path}`)
        assert.equal(answer.headers['access-control-allow-origin'], '*', `${method} ${path}`)
        assert.equal(answer.headers['access-control-expose-headers'], '*', `${method} ${path}`)
      }
    }
  })

  test('an OPTIONS request that is no preflight reaches the handler', async () => {
    const { url, seen } = await serve(async () => jsonResponse(200, 1))
    await ask(url, 'OPTIONS', {})
    await ask(url, 'OPTIONS', { origin: ORIGIN })
    await ask(url, 'OPTIONS', { 'access-control-request-method': 'POST' })
    await ask(url, 'GET', { origin: ORIGIN, 'access-control-request-method': 'POST' })
    assert.deepEqual(seen, ['OPTIONS', 'OPTIONS', 'OPTIONS', 'GET'])
  })
})
