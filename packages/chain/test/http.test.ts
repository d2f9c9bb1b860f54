import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import {
  ContractRefused,
  connectNetwork,
  createChainClient,
  devnetParams,
  NotAMemoRegistry,
  RpcRefused,
  RpcUnreachable,
  registerUser,
  runDeploy,
  startExit,
} from '../src/index.ts'
import { deployer, pollingIntervalMs, startChain, testAccount } from './support/network.ts'

const registry = testAccount(1).address

async function serve(
  context: TestContext,
  answer: (body: string) => { status: number; body: string },
): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      const { status, body } = answer(Buffer.concat(chunks).toString('utf8'))
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('over HTTP a network is deployed, found and written to, and a refusal keeps its reason', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const { url: rpcUrl } = await devnet.listen({ port: 0 })
  const options = { rpcUrl, account: deployer, pollingIntervalMs }
  const deployed = await runDeploy(createChainClient(options), { params: devnetParams })
  const { client, addresses } = await connectNetwork({ ...options, registry: deployed.registry, chainId: 985 })
  assert.equal((await registerUser(client, { addresses })).state, 'active')
  await startExit(client, { addresses })
  await assert.rejects(
    startExit(client, { addresses }),
    (error) => error instanceof ContractRefused && error.reason === 'WrongState',
  )
  await devnet.close()
  await assert.rejects(startExit(client, { addresses }), RpcUnreachable)
})

test('a server that speaks no JSON-RPC is no chain', async (context) => {
  for (const answer of [
    { status: 200, body: '<html>' },
    { status: 502, body: 'Bad Gateway' },
    { status: 200, body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}' },
  ]) {
    const rpcUrl = await serve(context, () => answer)
    await assert.rejects(connectNetwork({ rpcUrl, registry }), RpcUnreachable, answer.body)
  }
})

test('an endpoint that answers with nonsense to a read is not taken for a network', async (context) => {
  const rpcUrl = await serve(context, (body) => {
    const { id, method } = JSON.parse(body) as { id: number; method: string }
    return {
      status: 200,
      body: JSON.stringify({ jsonrpc: '2.0', id, result: method === 'eth_chainId' ? '0x3d9' : '0x1234' }),
    }
  })
  await assert.rejects(connectNetwork({ rpcUrl, registry }), NotAMemoRegistry)
})

test('an endpoint that limits requests says so', async (context) => {
  const rpcUrl = await serve(context, (body) => {
    const { id, method } = JSON.parse(body) as { id: number; method: string }
    const limited = { jsonrpc: '2.0', id, error: { code: -32005, message: 'slow down' } }
    const answer = method === 'eth_chainId' ? { jsonrpc: '2.0', id, result: '0x3d9' } : limited
    return { status: 200, body: JSON.stringify(answer) }
  })
  const client = createChainClient({ rpcUrl, account: deployer })
  await assert.rejects(runDeploy(client, { params: devnetParams }), (error) => {
    assert.ok(error instanceof RpcRefused)
    assert.match(error.message, /slow down/)
    assert.equal(error.retry, 'later')
    return true
  })
})
