import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createPublicClient, http } from 'viem'
import { listenHttp } from '../src/http.ts'
import { ListenError } from '../src/index.ts'
import { alice, chain, signTransfer, startDevnet } from './helpers.ts'

async function serve(t: TestContext): Promise<string> {
  const { devnet } = await startDevnet(t)
  return (await devnet.listen({ port: 0 })).url
}

async function post(url: string, body: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { method: 'POST', body })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

describe('over HTTP', () => {
  test('a viem client works with batches', async (t) => {
    const url = await serve(t)
    const client = createPublicClient({ chain, transport: http(url, { batch: true }) })
    const [id, height, balance] = await Promise.all([
      client.getChainId(),
      client.getBlockNumber(),
      client.getBalance({ address: alice.address }),
    ])
    assert.deepEqual([id, height, balance], [985, 0n, 100n * 10n ** 18n])
  })

  test('a batch is answered in its order, errors among results, notifications not at all', async (t) => {
    const url = await serve(t)
    const raws = await Promise.all([0, 1, 2].map((nonce) => signTransfer(alice, nonce)))
    const batch = [
      ...raws.map((raw, id) => ({ jsonrpc: '2.0', id, method: 'eth_sendRawTransaction', params: [raw] })),
      { jsonrpc: '2.0', method: 'eth_chainId' },
      { jsonrpc: '2.0', id: 'x', method: 'eth_nothing' },
      7,
      { jsonrpc: '2.0', id: null, method: 'eth_chainId' },
    ]
    const { status, body } = await post(url, JSON.stringify(batch))
    assert.equal(status, 200)
    const answers = body as { id: unknown; result?: unknown; error?: { code: number } }[]
    assert.deepEqual(
      answers.map(({ id }) => id),
      [0, 1, 2, 'x', null, null],
    )
    assert.deepEqual(
      answers.map(({ error }) => error?.code),
      [undefined, undefined, undefined, -32601, -32600, undefined],
    )
  })

  test('a page of any origin may call, and is told so before it does', async (t) => {
    const url = await serve(t)
    const preflight = await fetch(url, { method: 'OPTIONS' })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-methods'), 'POST')
    assert.equal(preflight.headers.get('access-control-allow-headers'), '*')
    const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId' })
    for (const init of [{ method: 'POST', body: call }, { method: 'POST', body: '{' }, { method: 'OPTIONS' }, {}]) {
      assert.equal((await fetch(url, init)).headers.get('access-control-allow-origin'), '*')
    }
  })

  test('but no page moves time or makes blocks, which whoever is no page may', async (t) => {
    const url = await serve(t)
    const call = async (method: string, params: unknown[], headers: Record<string, string>) => {
      const body = JSON.stringify([{ jsonrpc: '2.0', id: 1, method, params }])
      const [answer] = (await (await fetch(url, { method: 'POST', body, headers })).json()) as [
        { result?: unknown; error?: { code: number } },
      ]
      return answer
    }
    const page = { origin: 'https://a.example', 'content-type': 'text/plain' }
    for (const [method, ...params] of [
      ['evm_mine'],
      ['evm_increaseTime', 60],
      ['evm_setNextBlockTimestamp', 2 ** 32],
    ]) {
      assert.equal((await call(String(method), params, page)).error?.code, -32601)
      assert.equal((await call(String(method), params, { origin: 'null' })).error?.code, -32601)
    }
    assert.equal((await call('eth_blockNumber', [], page)).result, '0x0')
    assert.equal((await call('evm_mine', [], {})).result, '0x0')
    assert.equal((await call('eth_blockNumber', [], page)).result, '0x1')
  })

  test('what is no JSON-RPC is refused, and the server lives on', async (t) => {
    const url = await serve(t)
    const codeOf = async (body: string) => ((await post(url, body)).body as { error: { code: number } }).error.code
    assert.equal(await codeOf('{'), -32700)
    assert.equal(await codeOf(''), -32700)
    assert.equal(await codeOf('[]'), -32600)
    assert.equal(await codeOf('null'), -32600)
    assert.equal(await codeOf('"eth_chainId"'), -32600)
    assert.equal(await codeOf('{"id":1}'), -32600)
    assert.equal(await codeOf('{"id":1,"method":7}'), -32600)
    assert.equal(await codeOf('{"id":1,"method":"eth_chainId","params":{"a":1}}'), -32602)
    assert.equal(await codeOf(JSON.stringify(Array(1001).fill({ id: 1, method: 'eth_chainId' }))), -32600)
    assert.equal((await fetch(url)).status, 405)
    assert.equal((await post(url, '{"method":"eth_chainId"}')).body, undefined)
    assert.equal(((await post(url, '{"id":1,"method":"eth_chainId"}')).body as { result: string }).result, '0x3d9')
  })

  test('a body over the limit is refused before it is read to its end', async (t) => {
    const url = new URL(await serve(t))
    const status = await new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST' }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      sent.write('x'.repeat(6 * 1024 * 1024))
    })
    assert.equal(status, 413)
  })

  test('a caller that hangs up in the middle harms nobody', async (t) => {
    const url = new URL(await serve(t))
    const socket = connect(Number(url.port), url.hostname)
    await new Promise((resolve) =>
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"id"', resolve),
    )
    socket.destroy()
    assert.equal((await post(url.href, '{"id":1,"method":"net_version"}')).status, 200)
  })

  test('connections are kept, and closing does not wait for them', async (t) => {
    const { devnet } = await startDevnet(t)
    const { url } = await devnet.listen({ port: 0 })
    for (let call = 0; call < 3; call += 1)
      assert.equal((await post(url, '{"id":1,"method":"eth_chainId"}')).status, 200)
    await devnet.close()
    await assert.rejects(fetch(url, { method: 'POST', body: '{}' }))
  })

  test('a call that is under way when the server closes is answered', async (t) => {
    const { devnet } = await startDevnet(t)
    const [arrived, closing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const handle = async (method: string, params: unknown): Promise<unknown> => {
      arrived.resolve()
      await closing.promise
      return await devnet.request({ method, params })
    }
    const server = await listenHttp(handle, '127.0.0.1', 0)
    const call = { id: 1, method: 'eth_call', params: [{ data: '0x5b600056', gas: '0x20000' }] }
    const answer = post(server.url, JSON.stringify(call))
    await arrived.promise
    const closed = server.close()
    closing.resolve()
    const { body } = await answer
    assert.match((body as { error: { message: string } }).error.message, /out of gas/)
    await closed
  })

  test('a caller that never finishes its request does not keep the server from closing', async (t) => {
    const { devnet } = await startDevnet(t)
    const url = new URL((await devnet.listen({ port: 0 })).url)
    const socket = connect(Number(url.port), url.hostname)
    t.after(() => socket.destroy())
    const cut = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    await new Promise((resolve) =>
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"id"', resolve),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    await devnet.close()
    await cut
  })

  test('a port that is taken is refused by name', async (t) => {
    const { devnet } = await startDevnet(t)
    const { url } = await devnet.listen({ port: 0 })
    await assert.rejects(devnet.listen({ port: Number(new URL(url).port) }), (error) => {
      assert.ok(error instanceof ListenError)
      assert.match(error.message, /EADDRINUSE/)
      return true
    })
  })
})
