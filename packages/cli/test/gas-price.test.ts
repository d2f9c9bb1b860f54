import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { getGasBalance, transferGas } from '@memo/chain'
import { gasOf, parseGasPrice } from '../src/gas-price.ts'
import { localBankAddress } from '../src/local-chain.ts'
import { buy } from '../src/money/buy.ts'
import { initNode } from '../src/nodes/init-node.ts'
import { findNodeConfig } from '../src/nodes/node-config.ts'
import { createIdentity } from '../src/user/identity.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { createTestContext } from './support/test-context.ts'

const home = mkdtempSync(join(tmpdir(), 'memo-gas-'))
/** A wei: less than any chain asks. */
const TOO_LITTLE = '0.000000001'
const { signal } = new AbortController()
let network: TestNetwork

before(async () => {
  network = await startNetwork()
})
after(async () => {
  await network?.close()
  rmSync(home, { recursive: true, force: true })
})

async function createUser(name: string, maxGasPrice?: string): Promise<string> {
  const { rpcUrl, registry } = network
  const dataDir = join(home, name)
  await createIdentity({ dataDir, rpcUrl, registry, signal, ...(maxGasPrice === undefined ? {} : { maxGasPrice }) })
  return dataDir
}

const buyOne = async (data: string, options = {}) => {
  await buy(createTestContext().context, { data, yes: true, ...options }, ['space', '1MiB'])
}

test('prices of gas are gwei, and nonsense is refused with an example', () => {
  assert.deepEqual(['80', '1.5', '0.000000001', '20 gwei'].map(parseGasPrice), [
    80n * 10n ** 9n,
    15n * 10n ** 8n,
    1n,
    20n * 10n ** 9n,
  ])
  for (const text of ['', '0', '-1', '1e3', '0.0000000001', '5 wei', '0x5']) {
    assert.throws(() => parseGasPrice(text), { name: 'UsageError', fix: /gwei/ }, text)
  }
})

test('the flag counts before the environment, that before what is kept, and that before the default', () => {
  assert.equal(gasOf(undefined, undefined).maxFeePerGasWei, 1_000n * 10n ** 9n)
  assert.equal(gasOf(undefined, '30').maxFeePerGasWei, 30n * 10n ** 9n)
  process.env.MEMO_MAX_GAS_PRICE = '40'
  try {
    assert.equal(gasOf(undefined, '30').maxFeePerGasWei, 40n * 10n ** 9n)
    assert.equal(gasOf('50', '30').maxFeePerGasWei, 50n * 10n ** 9n)
  } finally {
    delete process.env.MEMO_MAX_GAS_PRICE
  }
})

test('a purchase while gas costs more is not sent, and says what it would cost and how to go on', async () => {
  const data = await createUser('given')
  await assert.rejects(buyOne(data, { maxGasPrice: TOO_LITTLE }), {
    name: 'GasTooExpensive',
    message: /gas costs .* gwei now, above the limit of 0.000000001 gwei: .* of the chain's coin/,
    fix: /--max-gas-price GWEI/,
  })
  await buyOne(data)
})

test('the limit of a data directory is kept, for users and for nodes', async () => {
  const data = await createUser('kept', TOO_LITTLE)
  assert.equal(JSON.parse(readFileSync(join(data, 'profile.json'), 'utf8')).maxGasPrice, TOO_LITTLE)
  await assert.rejects(buyOne(data), { name: 'GasTooExpensive' })
  await buyOne(data, { maxGasPrice: '500' })
  const dataDir = join(home, 'keeper')
  const { rpcUrl, registry } = network
  await initNode({ kind: 'keeper', dataDir, rpcUrl, registry, signal, maxGasPrice: '70' })
  await initNode({ kind: 'keeper', dataDir, rpcUrl, registry, signal })
  assert.equal(findNodeConfig(dataDir)?.maxGasPrice, '70')
})

test('who has too little coin is told what the transaction may take, what is there, and what to send where', async () => {
  const { rpcUrl, registry } = network
  const data = join(home, 'poor')
  const { chain, signer } = await createIdentity({ dataDir: data, rpcUrl, registry, signal })
  const { address } = signer
  const all = await getGasBalance(chain.client, { address })
  // All but the gas of the transfer itself, which the refusal tells.
  const refusal: { details?: Readonly<Record<string, unknown>> | undefined } = await transferGas(chain.client, {
    to: localBankAddress(),
    amountWei: all,
  }).then(
    () => assert.fail('it was sent'),
    (error) => error,
  )
  assert.equal(refusal.details?.hasWei, `${all}`)
  const gasWei = BigInt(`${refusal.details?.needsWei}`) - all
  await transferGas(chain.client, { to: localBankAddress(), amountWei: all - gasWei })
  const left = await getGasBalance(chain.client, { address })
  await assert.rejects(buyOne(data), (error: Error & { fix?: string; details?: Record<string, string> }) => {
    assert.equal(error.name, 'GasMoneyMissing')
    assert.match(error.message, /has 0(\.\d+)? of the chain's own coin, and the transaction may take 0\.\d+/)
    assert.match(error.fix ?? '', new RegExp(`Send 0\\.\\d+ or more of the chain's coin to ${address}`, 'i'))
    assert.equal(error.details?.hasWei, `${left}`)
    assert.ok(BigInt(error.details?.needsWei ?? 0) > left)
    return true
  })
})
