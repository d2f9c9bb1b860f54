import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didProxyAbi, registryAbi } from '@memo/contracts'
import {
  ContractsVersionMismatch,
  connectNetwork,
  createChainClient,
  DeployBlocked,
  DeployerNotFresh,
  type DeployState,
  type DeployStore,
  devnetParams,
  NotAMemoRegistry,
  planDeploy,
  RpcUnreachable,
  registryName,
  runDeploy,
  transferGas,
  WrongChainId,
} from '../src/index.ts'
import { callWrite } from '../src/write/call.ts'
import { clientOf, deployer, pollingIntervalMs, startChain, testAccount } from './support/network.ts'

const params = devnetParams

/** A store in memory. */
function memoryStore(): DeployStore {
  let state: DeployState | undefined
  return {
    load: async () => state,
    save: async (next) => {
      state = next
    },
  }
}

test('a deployment that is killed at any request goes on and ends at the same addresses', async (context) => {
  const reference = await startChain()
  const wanted = await runDeploy(clientOf(reference, deployer), { params })
  await reference.close()
  // Every request after which the process could die; they are tried with one chain that keeps what was done.
  const devnet = await startChain()
  context.after(() => devnet.close())
  let deaths = 0
  for (let requests = 3; ; requests += 4) {
    let left = requests
    const death = new AbortController()
    const mortal = {
      request: async (call: { method: string; params?: unknown }) => {
        left -= 1
        // Dies after the chain took the request: the worst moment, since the answer is lost.
        const answer = await devnet.request(call)
        if (left < 0) {
          death.abort(new Killed())
          throw new Killed()
        }
        return answer
      },
    }
    try {
      const result = await runDeploy(clientOf(mortal, deployer), { params, signal: death.signal })
      assert.deepEqual(result.addresses, wanted.addresses)
      break
    } catch (error) {
      if (left >= 0) throw error
      deaths += 1
      assert.ok(deaths < 100, 'it comes to an end')
    }
  }
  assert.ok(deaths >= 5, `only ${deaths} deaths`)
  const again = await runDeploy(clientOf(devnet, deployer), {
    params,
    onStep: (step, outcome) => assert.equal(outcome, 'found', step.key),
  })
  assert.equal(
    again.block,
    planDeploy({ deployer: deployer.address, firstNonce: 0, params }).steps.length,
    'each contract was created once',
  )
})

class Killed extends Error {}

test('a deployer with a past is refused without a store, and remembered with one', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const client = clientOf(devnet, deployer)
  for (let sent = 0; sent < 3; sent += 1) {
    await transferGas(client, { to: testAccount(1).address, amountWei: 1n })
  }
  await assert.rejects(runDeploy(client, { params }), DeployerNotFresh)
  const store = memoryStore()
  const first = await runDeploy(client, { params, store })
  const second = await runDeploy(client, { params, store })
  assert.deepEqual(second.addresses, first.addresses)
  const plan = planDeploy({ deployer: deployer.address, firstNonce: 3, params })
  assert.deepEqual(first.addresses, plan.addresses)
})

test('a nonce that went elsewhere stops the deployment with the reason', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const client = clientOf(devnet, deployer)
  await transferGas(client, { to: testAccount(1).address, amountWei: 1n })
  const store = memoryStore()
  await store.save({ chainId: 985, deployer: deployer.address.toLowerCase() as `0x${string}`, firstNonce: 0 })
  await assert.rejects(runDeploy(client, { params, store }), DeployBlocked)
})

test('the registry leads to everything, under the names and the numbers of the original', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const client = clientOf(devnet, deployer)
  const { registry, addresses } = await runDeploy(client, { params })
  const chain = await connectNetwork({ rpcUrl: 'in-process', provider: devnet, registry })
  assert.deepEqual(chain.addresses, addresses)
  assert.deepEqual(chain.network, { chainId: 985, registry })
  const contract = { address: registry, abi: registryAbi, functionName: 'instances' } as const
  for (const [instanceId, key] of [
    [4, 'memoToken'],
    [30, 'accountDid'],
    [33, 'didProxy'],
  ] as const) {
    const target = await client.rpc.readContract({ ...contract, args: [instanceId] })
    assert.equal(target.toLowerCase(), addresses[key])
  }
  const inst = await client.rpc.readContract({ address: addresses.didProxy, abi: didProxyAbi, functionName: 'inst' })
  assert.equal(inst.toLowerCase(), registry)
})

test('what is not the network is named for what it is', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const client = clientOf(devnet, deployer)
  const { registry, addresses } = await runDeploy(client, { params })
  const options = { rpcUrl: 'in-process', provider: devnet, registry, pollingIntervalMs }
  await assert.rejects(connectNetwork({ ...options, registry: addresses.roles }), NotAMemoRegistry)
  await assert.rejects(connectNetwork({ ...options, registry: testAccount(1).address }), NotAMemoRegistry)
  await assert.rejects(connectNetwork({ ...options, chainId: 1 }), WrongChainId)
  const write = { address: registry, abi: registryAbi } as const
  await callWrite(client, { ...write, functionName: 'set', args: [registryName('Roles'), `0x${'0'.repeat(40)}`] })
  await assert.rejects(connectNetwork(options), NotAMemoRegistry)
  await callWrite(client, { ...write, functionName: 'setVersion', args: [99] })
  await assert.rejects(connectNetwork(options), (error) => {
    assert.ok(error instanceof ContractsVersionMismatch)
    assert.match(error.fix ?? '', /Update/)
    return true
  })
})

test('an endpoint that does not answer is unreachable, and its credentials stay out of the message', async () => {
  const { registry } = { registry: testAccount(1).address }
  const rpcUrl = 'http://user:hunter2@127.0.0.1:9/key-of-mine'
  await assert.rejects(connectNetwork({ rpcUrl, registry, timeoutMs: 2_000 }), (error) => {
    assert.ok(error instanceof RpcUnreachable)
    assert.doesNotMatch(`${error.message}${JSON.stringify(error.details)}`, /hunter2|key-of-mine/)
    return true
  })
  assert.throws(() => createChainClient({ rpcUrl: 'ftp://127.0.0.1' }), RpcUnreachable)
})
