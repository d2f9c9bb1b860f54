import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  BadInputError,
  bytesResponse,
  collectBytes,
  type Handler,
  jsonResponse,
  readBody,
  streamResponse,
  utf8,
  type WireResponse,
} from '@memo/core'
import { createHttpTransport, type ServedHandler, type ServerLimits, serveHandler } from '../src/index.ts'

const MIB = 1_048_576
/** More than any machine needs: only what never comes takes so long. */
const PATIENT_TURNS = 2_000
const { transport, close } = createHttpTransport({ maxConnectionsPerHost: 8 })
const servers: ServedHandler[] = []

async function serve(handler: Handler, limits: ServerLimits = {}): Promise<string> {
  const server = await serveHandler(handler, { port: 0, limits })
  servers.push(server)
  return server.url
}

async function* blocks(count: number, sizeBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield new Uint8Array(sizeBytes).fill(i)
}

async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of stream) hash.update(part)
  return hash.digest('hex')
}

const text = async (response: WireResponse) => new TextDecoder().decode(await collectBytes(response.body, MIB))

after(async () => {
  await close()
  await Promise.all(servers.map((server) => server.close()))
})

describe('HTTP transport and server', () => {
  test('method, path with query, headers and bytes arrive as they were sent', async () => {
    const url = await serve(async (request) => {
      const body = await readBody(request, MIB)
      const { method, url, headers } = request
      return jsonResponse(201, { method, url, mine: headers['x-mine'], body: [...body], plain: body.constructor.name })
    })
    const answer = await transport({
      method: 'POST',
      url: `${url}/a%20b?x=1&y=%2F`,
      headers: { 'x-mine': 'Yes' },
      body: Uint8Array.of(1, 2, 3),
    })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers['content-type'], 'application/json')
    const expected = { method: 'POST', url: '/a%20b?x=1&y=%2F', mine: 'Yes', body: [1, 2, 3], plain: 'Uint8Array' }
    assert.deepEqual(JSON.parse(await text(answer)), expected)
  })

  test('a request without a body has none, and an empty one is none', async () => {
    const url = await serve(async (request) => jsonResponse(200, request.body === undefined))
    assert.equal(await text(await transport({ method: 'GET', url: `${url}/`, headers: {} })), 'true\n')
    const empty = new Uint8Array(0)
    assert.equal(await text(await transport({ method: 'POST', url: `${url}/`, headers: {}, body: empty })), 'true\n')
  })

  test('bodies stream both ways, unchanged', async () => {
    const url = await serve(async (request) => streamResponse(200, request.body as AsyncIterable<Uint8Array>, {}))
    const answer = await transport({ method: 'POST', url: `${url}/`, headers: {}, body: blocks(160) })
    assert.equal(await hashOf(answer.body), await hashOf(blocks(160)))
  })

  test('a sender is held back by a receiver that does not read', async () => {
    let sent = 0
    const go = Promise.withResolvers<void>()
    const url = await serve(async (request) => {
      await go.promise
      return jsonResponse(200, (await readBody(request, 512 * MIB)).length)
    })
    const body = (async function* () {
      for (let i = 0; i < 512; i++) {
        sent++
        yield new Uint8Array(262_144)
      }
    })()
    const answer = transport({ method: 'POST', url: `${url}/`, headers: {}, body })
    await wait(300)
    const before = sent
    go.resolve()
    assert.equal(await text(await answer), `${512 * 262_144}\n`)
    assert.ok(before < 100, `${before} of 512 blocks were taken before anyone read`)
  })

  test('a handler is held back by a requester that does not read', async () => {
    let made = 0
    const url = await serve(async () => {
      const body = (async function* () {
        for (let i = 0; i < 512; i++) {
          made++
          yield new Uint8Array(262_144)
        }
      })()
      return streamResponse(200, body, {})
    })
    const answer = await transport({ method: 'GET', url: `${url}/`, headers: {} })
    await wait(300)
    const before = made
    let length = 0
    for await (const part of answer.body) length += part.length
    assert.equal(length, 512 * 262_144)
    assert.ok(before < 100, `${before} of 512 blocks were made before anyone read`)
  })

  test('a body that is cancelled before or during its read tells the handler and frees the connection', async () => {
    const aborted: unknown[] = []
    let returned = 0
    const url = await serve(async (request) => {
      request.signal?.addEventListener('abort', () => aborted.push(request.signal?.reason))
      const body = (async function* () {
        try {
          for (;;) yield new Uint8Array(65_536)
        } finally {
          returned++
        }
      })()
      return streamResponse(200, body, {})
    })
    for (let i = 0; i < 20; i++) {
      const { body } = await transport({ method: 'GET', url: `${url}/`, headers: {} })
      const iterator = body[Symbol.asyncIterator]()
      if (i % 2) await iterator.next()
      await iterator.return?.()
    }
    for (let i = 0; i < PATIENT_TURNS && returned < 20; i++) await wait(20)
    assert.equal(returned, 20)
    assert.equal((aborted[0] as Error).name, 'RequesterGoneError')
  })

  test('HEAD answers the head alone', async () => {
    let returned = false
    const url = await serve(async () => {
      const iterator: AsyncIterableIterator<Uint8Array> = {
        [Symbol.asyncIterator]: () => iterator,
        next: async () => ({ done: false, value: new Uint8Array(10) }),
        return: async () => {
          returned = true
          return { done: true, value: undefined }
        },
      }
      return streamResponse(200, iterator, { 'content-length': '12345' })
    })
    const answer = await transport({ method: 'HEAD', url: `${url}/`, headers: {} })
    assert.equal(answer.headers['content-length'], '12345')
    assert.equal(await text(answer), '')
    assert.ok(returned)
  })

  test('whatever a handler throws is answered, and the server goes on', async () => {
    const url = await serve(async ({ url }) => {
      if (url === '/user') throw new BadInputError('no such form')
      if (url === '/bug') throw new TypeError('x is undefined')
      if (url === '/header') return bytesResponse(200, utf8('x'), 'text/plain', { 'x-bad': 'a\nb' })
      return jsonResponse(200, 'fine')
    })
    const get = async (path: string) => await transport({ method: 'GET', url: url + path, headers: {} })
    const user = await get('/user')
    assert.equal(user.status, 400)
    assert.equal(JSON.parse(await text(user)).error.name, 'BadInputError')
    const bug = await get('/bug')
    assert.equal(bug.status, 500)
    assert.equal(JSON.parse(await text(bug)).error.blame, 'us')
    const header = await get('/header')
    assert.equal(header.status, 500)
    await text(header)
    assert.equal(await text(await get('/')), '"fine"\n')
  })

  test('an answer that fails in its middle breaks off, never looks whole', async () => {
    const url = await serve(async () => {
      const body = (async function* () {
        yield new Uint8Array(100)
        await wait(20)
        throw new TypeError('the disk is gone')
      })()
      return streamResponse(200, body, {})
    })
    const answer = await transport({ method: 'GET', url: `${url}/`, headers: {} })
    await assert.rejects(collectBytes(answer.body, MIB), { name: 'UnreachableError', blame: 'provider', retry: 'now' })
  })

  test('a handler may answer before it has read the body', async () => {
    const url = await serve(async () => jsonResponse(413, 'too large'))
    for (let i = 0; i < 5; i++) {
      const answer = await transport({ method: 'POST', url: `${url}/`, headers: {}, body: blocks(200) })
      assert.equal(answer.status, 413)
      assert.equal(await text(answer), '"too large"\n')
    }
  })

  test('a handler that stops reading in the middle still answers', async () => {
    const url = await serve(async (request) => {
      await readBody(request, 100_000)
      return jsonResponse(200, 'not reached')
    })
    const answer = await transport({ method: 'POST', url: `${url}/`, headers: {}, body: blocks(200) })
    assert.equal(answer.status, 413)
    assert.equal(JSON.parse(await text(answer)).error.name, 'BodyTooLargeError')
  })

  test('nobody there: the error names the endpoint, the cause, the blame and a retry', async () => {
    const server = await serveHandler(async () => jsonResponse(200, 1), { port: 0 })
    await server.close()
    const keepers = createHttpTransport({ blame: 'keeper' })
    await assert.rejects(keepers.transport({ method: 'GET', url: `${server.url}/info`, headers: {} }), (error) => {
      const { name, message, blame, retry, details, cause } = error as Error & Record<string, unknown>
      assert.deepEqual({ name, blame, retry }, { name: 'UnreachableError', blame: 'keeper', retry: 'now' })
      assert.equal(message, `${server.url} cannot be reached: nothing listens there`)
      assert.deepEqual(details, { endpoint: server.url, code: 'ECONNREFUSED' })
      assert.ok(cause)
      return true
    })
    await keepers.close()
  })

  test('what is no URL over HTTP is a host that cannot be reached, not a fault of ours', async () => {
    for (const url of ['nowhere/info', 'http://', 'http://[::1/info', 'http://a:99999/info', 'ftp://a/info']) {
      await assert.rejects(transport({ method: 'GET', url, headers: {} }), { name: 'UnreachableError' }, url)
    }
  })

  test('an abort rejects with its reason, before the answer and in its middle', async () => {
    const url = await serve(async ({ url, signal }) => {
      if (url === '/slow') await wait(5_000, undefined, { signal: signal as AbortSignal })
      const body = (async function* () {
        yield new Uint8Array(10)
        await wait(5_000, undefined, { signal: signal as AbortSignal })
      })()
      return streamResponse(200, body, {})
    })
    const reason = new BadInputError('enough')
    const early = new AbortController()
    setTimeout(() => early.abort(reason), 50)
    await assert.rejects(
      transport({ method: 'GET', url: `${url}/slow`, headers: {}, signal: early.signal }),
      (error) => error === reason,
    )
    const late = new AbortController()
    const answer = await transport({ method: 'GET', url: `${url}/`, headers: {}, signal: late.signal })
    setTimeout(() => late.abort(reason), 50)
    await assert.rejects(collectBytes(answer.body, MIB), (error) => error === reason)
    const { signal } = late
    await assert.rejects(transport({ method: 'GET', url: `${url}/`, headers: {}, signal }), (error) => error === reason)
  })

  test('a request body that fails is the fault of who makes it, not of the other side', async () => {
    const failure = new TypeError('cannot read my file')
    const names: string[] = []
    const url = await serve(async (request) => {
      try {
        await readBody(request, MIB)
      } catch (error) {
        names.push((error as Error).name)
        throw error
      }
      return jsonResponse(200, 'never')
    })
    const body = (async function* () {
      yield new Uint8Array(10)
      throw failure
    })()
    await assert.rejects(transport({ method: 'POST', url: `${url}/`, headers: {}, body }), (error) => error === failure)
    for (let i = 0; i < PATIENT_TURNS && names.length === 0; i++) await wait(10)
    assert.deepEqual(names, ['RequesterGoneError'])
  })

  test('a hundred requests at once share the connections', async () => {
    const url = await serve(async ({ url }) => jsonResponse(200, url))
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) =>
        text(await transport({ method: 'GET', url: `${url}/${i}`, headers: {} })),
      ),
    )
    assert.deepEqual(
      answers,
      Array.from({ length: 100 }, (_, i) => `"/${i}"\n`),
    )
  })

  test('garbage, endless heads and slow heads are refused, and the server goes on', async () => {
    const url = await serve(async () => jsonResponse(200, 'fine'), { maxHeaderBytes: 8_192, headersTimeoutMs: 100 })
    const port = Number(new URL(url).port)
    const speak = async (bytes: string) =>
      await new Promise<string>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        let heard = ''
        socket.on('data', (data) => {
          heard += data
        })
        socket.on('close', () => resolve(heard.split('\r\n')[0] ?? ''))
        socket.on('error', () => resolve('reset'))
        socket.write(bytes)
      })
    assert.equal(await speak('\x16\x03\x01 not http\r\n\r\n'), 'HTTP/1.1 400 Bad Request')
    assert.match(await speak(`GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), /^(HTTP\/1.1 431 .*|reset)$/)
    assert.match(await speak('GET / HTTP/1.1\r\nHost: a\r\nx: slow'), /^(HTTP\/1.1 4.*|reset|)$/)
    assert.equal(await text(await transport({ method: 'GET', url: `${url}/`, headers: {} })), '"fine"\n')
  })

  test('a taken port is a typed error', async () => {
    const { port } = await serveHandler(async () => jsonResponse(200, 1), { port: 0 }).then((server) => {
      servers.push(server)
      return server
    })
    await assert.rejects(
      serveHandler(async () => jsonResponse(200, 1), { port }),
      {
        name: 'ListenError',
        blame: 'user',
        retry: 'later',
      },
    )
  })

  test('closing lets what is under way end, and breaks what does not', async () => {
    const mayEnd = Promise.withResolvers<void>()
    const never = new Promise<void>(() => undefined)
    let asked = 0
    const slow = await serveHandler(
      async ({ url }) => {
        asked++
        await (url === '/short' ? mayEnd.promise : never)
        return jsonResponse(200, 'done')
      },
      { port: 0, limits: { closeGraceMs: 1_000 } },
    )
    const short = transport({ method: 'GET', url: `${slow.url}/short`, headers: {} })
    const long = transport({ method: 'GET', url: `${slow.url}/long`, headers: {} })
    const broken = assert.rejects(long, { name: 'UnreachableError' })
    for (let i = 0; i < PATIENT_TURNS && asked < 2; i++) await wait(5)
    const closing = slow.close()
    mayEnd.resolve()
    assert.equal(await text(await short), '"done"\n')
    await broken
    await closing
    await slow.close()
  })
})
