import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { accountFromSecretKey, createChainClient, ensureFunds, getMemoBalance, runDeploy } from '@memo/chain'
import { createDevnet, type Devnet } from '@memo/devnet'
import { LOCAL_BANK_KEY, LOCAL_BANK_WEI, localBankAddress, localParams } from '../src/local-chain.ts'
import { balance } from '../src/money/balance.ts'
import { buy } from '../src/money/buy.ts'
import { deposit } from '../src/money/escrow.ts'
import { wallet } from '../src/money/wallet.ts'
import { initNode } from '../src/nodes/init-node.ts'
import { runInit } from '../src/nodes/run-init.ts'
import { runNode } from '../src/nodes/run-node.ts'
import { networkOf } from '../src/settings.ts'
import { createIdentity, type Identity } from '../src/user/identity.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { createTestContext } from './support/test-context.ts'

const OTHER_CHAIN_ID = 986
const FUNDS_ATTO = 10n ** 21n
const data = mkdtempSync(join(tmpdir(), 'memo-other-chain-'))
let network: TestNetwork
let other: Devnet
let otherUrl: string
let user: Identity

before(async () => {
  network = await startNetwork()
  const { signal } = new AbortController()
  user = await createIdentity({ dataDir: data, rpcUrl: network.rpcUrl, registry: network.registry, signal })
  other = await createDevnet({ chainId: OTHER_CHAIN_ID, genesisAlloc: { [localBankAddress()]: LOCAL_BANK_WEI } })
  otherUrl = (await other.listen({ port: 0 })).url
})
after(async () => {
  await network?.close()
  await other?.close()
  rmSync(data, { recursive: true, force: true })
})

test('nothing is paid or shown of another chain whose registry has the same address', async () => {
  const bank = createChainClient({ rpcUrl: otherUrl, account: accountFromSecretKey(LOCAL_BANK_KEY) })
  const { addresses } = await runDeploy(bank, { params: localParams(1) })
  assert.equal(addresses.registry, network.registry, 'the same deployer at the same point of its life')
  const { address } = user.signer
  await ensureFunds(bank, { addresses, to: address, memoAtto: FUNDS_ATTO, gasWei: 10n ** 18n })
  const there = { data, yes: true, rpc: otherUrl }
  const refusal = { name: 'WrongChainId', message: /serves chain 986, not 985/ }
  await assert.rejects(buy(createTestContext().context, there, ['space', '1GiB']), refusal)
  await assert.rejects(deposit(createTestContext().context, there, ['1']), refusal)
  await assert.rejects(wallet(createTestContext().context, there, []), refusal)
  await assert.rejects(balance(createTestContext().context, there, []), refusal)
  assert.equal(await getMemoBalance(bank, { addresses, address }), FUNDS_ATTO)
})

test('no node starts or is set up again on another chain whose registry has the same address, and nothing is written', async () => {
  const { rpcUrl, registry } = network
  const { signal } = new AbortController()
  for (const kind of ['keeper', 'provider', 'gateway'] as const) {
    const dataDir = join(data, kind)
    await initNode({ kind, dataDir, rpcUrl, registry, signal })
    const path = join(dataDir, 'node.json')
    const before = readFileSync(path, 'utf8')
    assert.equal(JSON.parse(before).chainId, 985)
    const files = readdirSync(dataDir).sort()
    const refusal = { name: 'WrongChainId', blame: 'user', fix: /chain 985/, message: /serves chain 986, not 985/ }
    await assert.rejects(runInit(createTestContext().context, kind, { rpc: otherUrl }, dataDir), refusal)
    await assert.rejects(runNode(createTestContext().context, kind, { rpc: otherUrl }, dataDir), refusal)
    const elsewhere = { registry: `0x${'1'.repeat(40)}` }
    await assert.rejects(runInit(createTestContext().context, kind, elsewhere, dataDir), { name: 'UsageError' })
    assert.equal(readFileSync(path, 'utf8'), before)
    const added = readdirSync(dataDir).filter((name) => !files.includes(name))
    assert.deepEqual(
      added.filter((name) => !/^memo\.|^gateway\.sqlite/.test(name)),
      [],
    )
  }
})

test('a node of before, which does not know its chain, keeps that of its next start', async () => {
  const { rpcUrl, registry } = network
  const dataDir = join(data, 'old')
  const { signal } = new AbortController()
  await initNode({ kind: 'keeper', dataDir, rpcUrl, registry, signal })
  const path = join(dataDir, 'node.json')
  const { chainId, ...old } = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify(old))
  const said = createTestContext()
  const running = runNode(said.context, 'keeper', {}, dataDir)
  while (!said.json.some(({ event }) => event === 'ready')) await Promise.race([sleep(20), running])
  said.interrupt()
  await running
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).chainId, chainId)
  await assert.rejects(runNode(createTestContext().context, 'keeper', { rpc: otherUrl }, dataDir), {
    name: 'WrongChainId',
  })
})

test('whoever names a registry of his own names its chain by that', () => {
  const [a, b] = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`]
  const kept = { rpc: 'http://kept', registry: a, chainId: 985 }
  assert.equal(networkOf({ rpc: 'http://x' }, kept).chainId, 985)
  assert.equal(networkOf({ registry: a.toUpperCase().replace('0X', '0x') }, kept).chainId, 985)
  assert.equal(networkOf({ registry: b }, kept).chainId, undefined)
})
