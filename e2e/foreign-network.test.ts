import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  ATTOMEMO_PER_MEMO,
  accountFromSecretKey,
  type ChainClient,
  createChainClient,
  type DeployResult,
  devnetParams,
  ensureFunds,
  runDeploy,
} from '@memo/chain'
import type { Address } from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import { freshDir, memo, start } from './support/memo.ts'

/** Test key, made for this run: here nobody else has money. */
const OWNER_KEY = new Uint8Array(randomBytes(32))
const PASSWORD = 'correct horse battery staple'

describe('a network whose money is not for the taking', () => {
  const account = accountFromSecretKey(OWNER_KEY)
  let devnet: Devnet
  let rpcUrl: string
  let owner: ChainClient
  let deployed: DeployResult
  let base: string
  let network: readonly string[]
  let passwordFile: string

  before(async () => {
    base = await freshDir()
    passwordFile = join(base, 'password')
    await writeFile(passwordFile, `${PASSWORD}\n`)
    devnet = await createDevnet({ genesisAlloc: { [account.address]: 10n ** 24n } })
    rpcUrl = (await devnet.listen({ port: 0 })).url
    owner = createChainClient({ rpcUrl, account, pollingIntervalMs: 20 })
    deployed = await runDeploy(owner, { params: { ...devnetParams, level: 1 } })
    network = ['--rpc', rpcUrl, '--registry', deployed.registry]
  })
  after(async () => await devnet?.close())

  const send = async (to: string, memos: bigint) => {
    const funds = { to: to as Address, memoAtto: memos * ATTOMEMO_PER_MEMO, gasWei: 10n ** 18n }
    await ensureFunds(owner, { addresses: deployed.addresses, ...funds })
  }

  test('without a password nobody gets a key there', async () => {
    const init = await memo(['keeper', 'init', ...network, '--data', join(base, 'none')])
    assert.equal(init.code, 2)
    assert.match(init.stderr, /a password is needed[\s\S]*--password-file/)
  })

  for (const kind of ['keeper', 'provider']) {
    test(`${kind} init says what to send where, goes on once it is there, and then runs with its password only`, async () => {
      const dir = join(base, kind)
      const init = [kind, 'init', ...network, '--data', dir, '--password-file', passwordFile, '--json']
      const poor = await memo(init)
      assert.equal(poor.code, 5, poor.stderr)
      const { error } = JSON.parse(poor.stderr)
      assert.equal(error.name, 'FundsMissingError')
      const { address } = error.details
      assert.match(error.fix, new RegExp(`Send it to ${address}, then run the same command again`))
      assert.equal((await memo(init)).code, 5, 'asking again makes no other key')

      await send(address, 1_000n)
      const rich = await memo(init)
      assert.equal(rich.code, 0, rich.stderr)
      assert.deepEqual([rich.last.event, rich.last.address, rich.last.state], ['initialized', address, 'active'])

      const key = JSON.parse(await readFile(join(dir, 'keys', 'node.json'), 'utf8'))
      assert.equal(key.crypto.kdfparams.n, 131_072)
      const wrong = await memo([kind, 'run', '--data', dir, '--json'], { env: { MEMO_PASSWORD: 'wrong' } })
      assert.equal(wrong.code, 4)
      const node = start([kind, 'run', '--data', dir, '--password-file', passwordFile])
      assert.equal((await node.event('ready')).address, address)
      assert.equal(await node.stop(), 0)
    })
  }

  test('did create says the same, then makes an identity that a wallet could open', async () => {
    const dir = join(base, 'me')
    const create = ['did', 'create', ...network, '--data', dir, '--json']
    const env = { MEMO_PASSWORD: PASSWORD }
    const poor = await memo(create, { env })
    assert.equal(poor.code, 5, poor.stderr)
    await send(JSON.parse(poor.stderr).error.details.address, 0n)
    const made = await memo(create, { env })
    assert.equal(made.code, 0, made.stderr)
    assert.match(String(made.last.did), /^did:memo:[0-9a-f]{64}$/)
    const shown = await memo(['did', 'show', '--data', dir, '--json'], { env })
    assert.deepEqual([shown.last.did, shown.last.onChain], [made.last.did, true])
    const doctor = await memo(['doctor', '--data', dir, '--json'])
    assert.equal(doctor.code, 1, 'no node of this network runs, and doctor says so')
  })
})
