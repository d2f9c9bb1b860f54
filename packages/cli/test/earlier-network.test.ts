import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { accountFromSecretKey, createChainClient, type DeployStep, planDeploy } from '@memo/chain'
import { createDevnet } from '@memo/devnet'
import { LOCAL_BANK_KEY, LOCAL_BANK_WEI, LOCAL_CHAIN_ID, localBankAddress, localParams } from '../src/local-chain.ts'
import { runLines } from './support/run-lines.ts'

const home = mkdtempSync(join(tmpdir(), 'memo-earlier-'))
after(() => rmSync(home, { recursive: true, force: true }))
const ENV = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: join(home, 'cache') }
const { steps } = planDeploy({ deployer: localBankAddress(), firstNonce: 0, params: localParams(1) })

/** A network that was started once, with `created` as its contracts. */
async function makeNetwork(name: string, created: readonly Pick<DeployStep, 'data'>[]): Promise<string> {
  const dir = join(home, name)
  mkdirSync(join(dir, 'keeper-1'), { recursive: true })
  const genesisAlloc = { [localBankAddress()]: LOCAL_BANK_WEI }
  const devnet = await createDevnet({ dataDir: join(dir, 'chain'), chainId: LOCAL_CHAIN_ID, genesisAlloc })
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const bank = createChainClient({ rpcUrl: 'http://127.0.0.1', provider: devnet, account, pollingIntervalMs: 5 })
  for (const [nonce, { data }] of created.entries()) await bank.sender?.send({ data, nonce })
  await devnet.close()
  writeFileSync(join(dir, 'network.json'), JSON.stringify({ rpcPort: 9, gatewayPort: 8080, level: 1, ports: {} }))
  return dir
}

/** What lies in a directory, but for the locks that a look takes. */
function contentOf(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  return paths
    .filter((path) => !/\.lock$|\.pid$|-wal$|-shm$|memo\.json$/.test(path))
    .map((path) => `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`)
    .sort()
}

describe('a data directory of another version', () => {
  test('is told of, with what is in it and the ways on, and stays as it was', async () => {
    const other = steps.map((step) => (step.key === 'timelock' ? (steps[0] as DeployStep) : step))
    const dir = await makeNetwork("earlier's", other)
    const before = contentOf(dir)
    const [ended] = await runLines([['up', '--keepers', '1', '--data', dir]], ENV)
    const { code, stderr, stdout } = ended ?? assert.fail()
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, /holds a network that another version of memo made/)
    assert.match(stderr, /\nfix +For a new network: memo up --data '.*earlier'\\''s-2'\n/)
    assert.match(
      stderr,
      /\n {7}For what is in the old one \(1 keeper, 0 providers and .*a chain of \d+ blocks, the last of 20\d\d-.* UTC\): start it/,
    )
    assert.match(stderr, /Nothing was started or changed/)
    assert.deepEqual(contentOf(dir), before)
  })

  test('is known as well where the earlier one had fewer contracts', async () => {
    const dir = await makeNetwork('fewer', [...steps.slice(0, -2), steps[0] as DeployStep, steps[0] as DeployStep])
    const [ended] = await runLines([['up', '--keepers', '1', '--data', dir, '--json']], ENV)
    const { error } = JSON.parse(ended?.stderr ?? '')
    assert.equal(error.name, 'EarlierNetworkError')
  })
})
