import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChainClient, devnetParams, planDeploy, ReceiptTimeout, runDeploy, transferGas } from '../src/index.ts'
import { clientOf, deployer, pollingIntervalMs, startChain, type TestChain, testAccount } from './support/network.ts'

const to = testAccount(1).address

async function until(devnet: TestChain, holds: () => Promise<boolean>): Promise<void> {
  for (let rounds = 0; !(await holds()); rounds += 1) {
    assert.ok(rounds < 400, 'it comes to pass in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await devnet.mine(1)
}

function pendingCount(devnet: TestChain): Promise<number> {
  return clientOf(devnet).rpc.getTransactionCount({ address: deployer.address, blockTag: 'pending' })
}

test('a chain that makes no blocks is reported, not waited for', async (context) => {
  const devnet = await startChain({ isStill: true })
  context.after(() => devnet.close())
  const client = clientOf(devnet, deployer)
  await assert.rejects(client.sender!.send({ to, data: '0x', value: 1n, timeoutMs: 50 }), ReceiptTimeout)
  await devnet.mine(1)
  assert.equal(await client.rpc.getBalance({ address: to }), 1n, 'and what was sent still arrives')
})

test('a write resolves under its confirmations and not before', async (context) => {
  const devnet = await startChain({ isStill: true })
  context.after(() => devnet.close())
  const client = createChainClient({
    rpcUrl: 'in-process',
    provider: devnet,
    account: deployer,
    pollingIntervalMs,
    confirmations: 2,
  })
  let resolved = false
  const sent = transferGas(client, { to, amountWei: 1n }).then((result) => {
    resolved = true
    return result
  })
  await until(devnet, async () => (await pendingCount(devnet)) === 1)
  await devnet.mine(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(resolved, false, 'one block above is not two')
  await devnet.mine(1)
  assert.equal((await sent).blockNumber, 1)
})

test('an endpoint that fails while a receipt is awaited does not lose the transaction', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  let failures = 3
  const flaky = {
    request: async (call: { method: string; params?: unknown }) => {
      if (call.method === 'eth_getTransactionReceipt' && failures-- > 0) throw new TypeError('connection reset')
      return devnet.request(call)
    },
  }
  await transferGas(clientOf(flaky, deployer), { to, amountWei: 1n })
  assert.equal(failures < 0, true)
})

test('a deployment that was killed with a step on its way waits for that step', async (context) => {
  const devnet = await startChain({ isStill: true })
  context.after(() => devnet.close())
  const stop = new AbortController()
  const first = runDeploy(clientOf(devnet, deployer), { params: devnetParams, signal: stop.signal })
  await until(devnet, async () => (await pendingCount(devnet)) === 1)
  await until(devnet, async () => (await pendingCount(devnet)) === 2).catch((error) => assert.ifError(error))
  stop.abort(new DOMException('killed', 'AbortError'))
  await assert.rejects(first, { name: 'AbortError' })
  const outcomes: string[] = []
  let done = false
  const second = runDeploy(clientOf(devnet, deployer), {
    params: devnetParams,
    onStep: (step, outcome) => outcomes.push(`${step.key} ${outcome}`),
  }).finally(() => {
    done = true
  })
  while (!done) {
    await devnet.mine(1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await second
  const { steps } = planDeploy({ deployer: deployer.address, firstNonce: 0, params: devnetParams })
  assert.deepEqual(
    outcomes,
    steps.map(({ key }, position) => `${key} ${position < 2 ? 'found' : 'created'}`),
  )
})
