import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { envelopeFromError } from '@memo/core'
import { type Addresses, connectNetwork, createChainClient, getMemoBalance, transferMemo } from '../src/index.ts'
import { deployer, testAccount } from './support/network.ts'

const SECRET = 'a-key-that-costs-money'
const { address } = testAccount(1)
const addresses = { memoToken: address } as Addresses

/** A server that gives every call this answer; the URL has secrets where providers of RPC put them. */
async function serve(
  context: TestContext,
  answer: { readonly status: number; readonly body: string },
): Promise<{ urls: string[]; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    request.resume()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    urls: [`http://${host}/v3/${SECRET}`, `http://${host}/?apikey=${SECRET}`, `http://user:${SECRET}@${host}/`],
    requests,
  }
}

function assertTellsNothing(error: unknown): true {
  assert.doesNotMatch(JSON.stringify(envelopeFromError(error)), new RegExp(SECRET))
  assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), new RegExp(SECRET))
  return true
}

const failures = [
  ['that limits requests', { status: 429, body: '{"error":"slow down"}' }],
  ['that speaks no JSON-RPC', { status: 200, body: '<html>' }],
  ['that refuses calls', { status: 200, body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32099,"message":"no"}}' }],
  ['whose calls revert', { status: 200, body: '{"jsonrpc":"2.0","id":1,"error":{"code":3,"data":"0x12345678"}}' }],
] as const

for (const [what, answer] of failures) {
  test(`no error of a chain ${what} shows the key in its URL`, async (context) => {
    const { urls } = await serve(context, answer)
    const attempts = urls.flatMap((rpcUrl) => {
      const client = createChainClient({ rpcUrl, account: deployer })
      return [
        connectNetwork({ rpcUrl, registry: address }),
        getMemoBalance(client, { addresses, address }),
        transferMemo(client, { addresses, to: address, amountAtto: 1n }),
      ]
    })
    await Promise.all(attempts.map((attempt) => assert.rejects(attempt, assertTellsNothing)))
  })
}

test('nor that of one that nobody answers for', async () => {
  for (const rpcUrl of [`http://127.0.0.1:1/v3/${SECRET}`, `http://user:${SECRET}@127.0.0.1:1/`]) {
    await assert.rejects(connectNetwork({ rpcUrl, registry: address }), assertTellsNothing)
  }
})

test('the endpoint gets the path, the query and the login that it was given with', async (context) => {
  const { urls, requests } = await serve(context, failures[2][1])
  for (const rpcUrl of urls) await assert.rejects(connectNetwork({ rpcUrl, registry: address }))
  assert.deepEqual(
    requests.map(({ url, headers }) => [url, headers.authorization]),
    [
      [`/v3/${SECRET}`, undefined],
      [`/?apikey=${SECRET}`, undefined],
      ['/', `Basic ${btoa(`user:${SECRET}`)}`],
    ],
  )
})
