import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { collectBytes } from '@memo/core'
import { createHttpTransport, type HttpTransport } from '@memo/platform'
import fc from 'fast-check'

const OK = 'HTTP/1.1 200 OK\r\n'

type Wire = { readonly url: string; readonly requests: string[]; connections: number; readonly http: HttpTransport }

/** A server that sends what `script` says, byte by byte as it says it, for the request of that number. */
async function serve(
  t: TestContext,
  script: (socket: Socket, request: number) => unknown,
  options: Parameters<typeof createHttpTransport>[0] = {},
): Promise<Wire> {
  const http = createHttpTransport(options)
  const sockets = new Set<Socket>()
  const wire = { url: '', requests: [] as string[], connections: 0, http }
  const server = createServer((socket) => {
    wire.connections++
    sockets.add(socket)
    socket.on('error', () => undefined) // who breaks off here does so on purpose
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0)
      if (text.length < end + 4 + length) return
      wire.requests.push(text)
      text = ''
      void script(socket, wire.requests.length)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  wire.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.after(async () => {
    await http.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return wire
}

async function ask({ http, url }: Wire, method = 'GET', body?: Uint8Array) {
  const answer = await http.transport({ method, url: `${url}/x?y=1`, headers: { a: 'b' }, body })
  const bytes = await collectBytes(answer.body, 10_000_000)
  return { ...answer, text: Buffer.from(bytes).toString('latin1') }
}

describe('an answer is read', () => {
  const forms: readonly [string, string, string][] = [
    ['of known length', `${OK}Content-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello`, 'hello'],
    ['in chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;name=x\r\nlo\r\n0\r\nX-T: 1\r\n\r\n`, 'hello'],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['of no bytes', `${OK}content-length: 0\r\n\r\n`, ''],
    ['after what is only on the way', `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 5\r\n\r\nhello`, 'hello'],
  ]
  for (const [what, bytes, body] of forms) {
    test(`${what}, wherever it is cut, over one connection`, async (t) => {
      let cuts: readonly number[] = []
      const wire = await serve(t, async (socket) => {
        const whole = Buffer.from(bytes, 'latin1')
        for (const [i, from] of [0, ...cuts].entries()) {
          socket.write(whole.subarray(from, cuts[i] ?? whole.length))
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
      assert.equal((await ask(wire)).text, body)
      const places = fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 6 })
      await fc.assert(
        fc.asyncProperty(places, async (at) => {
          cuts = at.sort((a, b) => a - b)
          const answer = await ask(wire)
          assert.equal(answer.text, body)
          if (what === 'of known length') assert.equal(answer.headers['x-a'], '1, 2')
        }),
        { numRuns: 25 },
      )
      assert.equal(wire.connections, 1)
    })
  }

  test('to the end of its connection where it says no length', async (t) => {
    const wire = await serve(t, (socket) => socket.end(`${OK}\r\nhello`))
    for (let i = 1; i <= 2; i++) {
      assert.equal((await ask(wire)).text, 'hello')
      assert.equal(wire.connections, i)
    }
  })

  test('to HEAD without the body that its length speaks of', async (t) => {
    const wire = await serve(t, (socket) => socket.write(`${OK}Content-Length: 500\r\n\r\n`))
    for (let i = 0; i < 2; i++) {
      const answer = await ask(wire, 'HEAD')
      assert.equal(answer.text, '')
      assert.equal(answer.headers['content-length'], '500')
    }
    assert.equal(wire.connections, 1)
  })

  test('of any length, whole and unchanged', async (t) => {
    const wire = await serve(t, (socket, request) => {
      const length = [1, 16_383, 16_384, 65_536, 2_097_152, 2_097_153, 5_000_001][request - 1]!
      socket.write(`${OK}Content-Length: ${length}\r\n\r\n`)
      socket.write(Buffer.alloc(length, `${request} bytes `))
    })
    for (let request = 1; request <= 7; request++) {
      const { text } = await ask(wire)
      assert.equal(text, Buffer.alloc(text.length, `${request} bytes `).toString('latin1'))
      assert.ok(text.length > 0)
    }
    assert.equal(wire.connections, 1)
  })

  test('with its request as it was meant', async (t) => {
    const wire = await serve(t, (socket) => socket.write(`${OK}Content-Length: 0\r\n\r\n`))
    await ask(wire)
    await ask(wire, 'POST', new Uint8Array([104, 105]))
    await ask(wire, 'DELETE')
    const host = wire.url.slice('http://'.length)
    const lines = (method: string, rest: string) =>
      `${method} /x?y=1 HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\na: b\r\n${rest}`
    assert.deepEqual(wire.requests, [
      lines('GET', '\r\n'),
      lines('POST', 'content-length: 2\r\n\r\nhi'),
      lines('DELETE', 'content-length: 0\r\n\r\n'),
    ])
  })
})

describe('what is no answer', () => {
  const bad: readonly [string, string][] = [
    ['another protocol', 'SSH-2.0-x\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['two lengths of one body', `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths that differ', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
    ['a length below zero', `${OK}Content-Length: -1\r\n\r\n`],
    ['a length in hex', `${OK}Content-Length: 0x5\r\n\r\nhello`],
    ['an encoding that is not known', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['a header with a space in its name', `${OK}Content Length: 5\r\n\r\nhello`],
    ['a header that goes on in the next line', `${OK}X: a\r\n b\r\n\r\n`],
    ['more bytes than it says', `${OK}Content-Length: 5\r\n\r\nhello!`],
    ['a chunk that is longer than it says', `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n`],
    ['a chunk without its size', `${OK}Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n`],
    ['a chunk of no size in hex', `${OK}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n`],
    ['bytes behind the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`],
    ['a head without end', `${OK}${'X: y\r\n'.repeat(20_000)}`],
    ['a line of chunks without end', `${OK}Transfer-Encoding: chunked\r\n\r\n${'1'.repeat(9_000)}`],
  ]
  for (const [what, bytes] of bad) {
    test(`${what}: the error blames the other side, and the connection is given up`, async (t) => {
      let isBad = true
      const wire = await serve(t, (socket) => socket.write(isBad ? bytes : `${OK}Content-Length: 2\r\n\r\nok`))
      await assert.rejects(ask(wire, 'POST'), { name: 'UnreachableError', blame: 'provider' })
      isBad = false
      assert.equal((await ask(wire, 'POST')).text, 'ok')
      assert.equal(wire.connections, 2)
    })
  }

  const broken: readonly [string, string][] = [
    ['before its head', ''],
    ['in its head', `${OK}Content-Le`],
    ['in a body of known length', `${OK}Content-Length: 5\r\n\r\nhell`],
    ['in a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`],
    ['before the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`],
    ['before the end of the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`],
  ]
  for (const [where, bytes] of broken) {
    test(`one that breaks off ${where} never looks whole`, async (t) => {
      const wire = await serve(t, (socket) => socket.end(bytes))
      await assert.rejects(ask(wire, 'POST'), { name: 'UnreachableError', retry: 'now' })
    })
  }

  test('a second answer that nobody asked for is given to nobody', async (t) => {
    const dropped = Promise.withResolvers<void>()
    const wire = await serve(t, (socket, request) => {
      socket.once('close', () => dropped.resolve())
      socket.write(`${OK}Content-Length: 1\r\n\r\n${request}`)
      setTimeout(() => socket.write(`${OK}Content-Length: 1\r\n\r\nX`), 10)
    })
    assert.equal((await ask(wire)).text, '1')
    await dropped.promise // whoever sends what nobody asked for is not asked over that connection again
    assert.equal((await ask(wire)).text, '2')
    assert.equal(wire.connections, 2)
  })
})

describe('a connection', () => {
  test('that was closed while it rested costs a question nothing, and a change is not sent twice', async (t) => {
    const wire = await serve(t, (socket, request) => {
      if (request === 2 || request === 5) socket.destroy()
      else socket.write(`${OK}Content-Length: 1\r\n\r\n${request}`)
    })
    assert.equal((await ask(wire)).text, '1')
    assert.equal((await ask(wire)).text, '3', 'the second was lost and asked again')
    assert.equal((await ask(wire)).text, '4')
    await assert.rejects(ask(wire, 'POST'), { name: 'UnreachableError' })
    assert.equal(wire.requests.length, 5)
  })

  test('is asked again once only, and not where an answer had begun', async (t) => {
    const wire = await serve(t, (socket, request) => {
      if (request === 1) socket.write(`${OK}Content-Length: 1\r\n\r\n1`)
      else socket.end(request === 4 ? 'HTTP/1.1 2' : '')
    })
    await ask(wire)
    await assert.rejects(ask(wire), { name: 'UnreachableError' })
    assert.equal(wire.requests.length, 3)
  })

  test('is waited for in turn where there may be no more, and not by who gives up', async (t) => {
    const held: Socket[] = []
    const wire = await serve(t, (socket) => held.push(socket), { maxConnectionsPerHost: 2 })
    const control = new AbortController()
    const url = `${wire.url}/`
    const all = Array.from({ length: 5 }, async (_, i) => {
      const signal = i === 3 ? control.signal : undefined
      const answer = await wire.http.transport({ method: 'GET', url, headers: {}, signal })
      return Buffer.from(await collectBytes(answer.body, 10)).toString()
    })
    const settled = Promise.allSettled(all)
    const reason = new Error('enough')
    setTimeout(() => control.abort(reason), 30)
    const answers = setInterval(() => held.shift()?.write(`${OK}Content-Length: 2\r\n\r\nok`), 20)
    t.after(() => clearInterval(answers))
    const results = await settled
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason)),
      ['ok', 'ok', 'ok', reason, 'ok'],
    )
    assert.equal(wire.connections, 2)
  })

  test('does not carry lines that a caller smuggles into its head', async (t) => {
    const wire = await serve(t, (socket) => socket.write(`${OK}Content-Length: 0\r\n\r\n`))
    const send = async (method: string, headers: Record<string, string>) =>
      await wire.http.transport({ method, url: `${wire.url}/`, headers })
    await assert.rejects(send('GET', { a: 'b\r\nx: y' }))
    await assert.rejects(send('GET', { 'a\r\nx': 'y' }))
    await assert.rejects(send('GET / HTTP/1.1\r\nx: y\r\n\r\nGET', {}))
    await assert.rejects(send('GET', { a: '\u{1f600}' }))
    assert.deepEqual(wire.requests, [])
  })

  test('ends with its transport, and whatever is under way or waits with it', async (t) => {
    const wire = await serve(t, () => undefined, { maxConnectionsPerHost: 1 })
    const asked = [1, 2, 3].map(async () => await assert.rejects(ask(wire)))
    await new Promise((resolve) => setTimeout(resolve, 30))
    await wire.http.close()
    await Promise.all(asked)
  })
})

describe('memory for an answer', () => {
  const askInto = async ({ http, url }: Wire, memory: (bytes: number) => Uint8Array) => {
    const answer = await http.transport({ method: 'GET', url: `${url}/x`, headers: {}, memory })
    const parts: Uint8Array[] = []
    for await (const part of answer.body) parts.push(part)
    return parts
  }

  test('is asked for once, and filled', async (t) => {
    const asked: number[] = []
    const own = new Uint8Array(5).fill(0xee)
    const wire = await serve(t, (socket) => socket.write(`${OK}Content-Length: 5\r\n\r\nhello`))
    const [body] = await askInto(wire, (bytes) => {
      asked.push(bytes)
      return own
    })
    assert.deepEqual(asked, [5])
    assert.equal(body?.buffer, own.buffer)
    assert.equal(Buffer.from(own).toString(), 'hello')
  })

  test('shows nothing of what lay there when the answer breaks off', async (t) => {
    const wire = await serve(t, (socket) => socket.end(`${OK}Content-Length: 5\r\n\r\nhel`))
    await assert.rejects(
      askInto(wire, (bytes) => new Uint8Array(bytes).fill(0xee)),
      { name: 'UnreachableError' },
    )
  })

  test('is not asked for where the length is not known', async (t) => {
    const wire = await serve(t, (socket) =>
      socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    )
    const [body] = await askInto(wire, () => assert.fail('it was asked for'))
    assert.equal(Buffer.from(body ?? []).toString(), 'hello')
  })
})
