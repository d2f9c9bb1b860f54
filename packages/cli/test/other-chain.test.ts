import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { accountFromSecretKey, createChainClient, ensureFunds, getMemoBalance, runDeploy } from '@memo/chain'
import { createDevnet, type Devnet } from '@memo/devnet'
import { LOCAL_BANK_KEY, LOCAL_BANK_WEI, localBankAddress, localParams } from '../src/local-chain.ts'
import { balance } from '../src/money/balance.ts'
import { buy } from '../src/money/buy.ts'
import { deposit } from '../src/money/escrow.ts'
import { wallet } from '../src/money/wallet.ts'
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

test('whoever names a registry of his own names its chain by that', () => {
  const [a, b] = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`]
  const kept = { rpc: 'http://kept', registry: a, chainId: 985 }
  assert.equal(networkOf({ rpc: 'http://x' }, kept).chainId, 985)
  assert.equal(networkOf({ registry: a.toUpperCase().replace('0X', '0x') }, kept).chainId, 985)
  assert.equal(networkOf({ registry: b }, kept).chainId, undefined)
})
