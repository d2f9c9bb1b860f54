import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { accountFromSecretKey, createChainClient, type DeployResult, devnetParams, runDeploy } from '@memo/chain'
import { keccak256, utf8 } from '@memo/core'
import { type Anvil, describeWithAnvil, startAnvil } from '../packages/chain/test/support/anvil.ts'
import { eventually, freePort, freshDir, isRunning, killHard, memo, type Server, start } from './support/memo.ts'

const PROVIDERS = 4
const POLICY = 'rs:2+1'
const SIZE = 3_000_001

/** The verbs that a person types, against a chain that we did not write. */
describeWithAnvil('a network on a chain that others run', () => {
  /** Test key, which anybody can compute: on networks of one machine it gives to whoever joins. */
  const bank = accountFromSecretKey(keccak256(utf8('the bank of local MEMO networks: a test key, worth nothing')))
  const file = randomBytes(SIZE)
  const nodes = new Map<string, Server>()
  let anvil: Anvil
  let deployed: DeployResult
  let base: string
  let network: readonly string[]
  let cid: string
  let gateway: string

  before(async () => {
    base = await freshDir()
    anvil = await startAnvil({ rich: [bank.address] })
    const { url } = await anvil.listen()
    const client = createChainClient({ rpcUrl: url, account: bank, pollingIntervalMs: 20 })
    deployed = await runDeploy(client, { params: { ...devnetParams, level: 1 } })
    network = ['--rpc', url, '--registry', deployed.registry]
  })
  after(async () => {
    await Promise.all([...nodes.values()].map((node) => node.stop()))
    await anvil?.close()
  })

  const serve = async (name: string, kind: string, more: readonly string[] = []) => {
    const node = start([kind, 'run', '--init', ...network, '--data', join(base, name), ...more])
    nodes.set(name, node)
    return await node.event('ready')
  }
  const mine = async (args: readonly string[]) => await memo([...args, '--data', join(base, 'me'), '--json'])

  test('providers, a keeper and a gateway join it, one after the other', async () => {
    const names = Array.from({ length: PROVIDERS }, (_, index) => `provider-${index + 1}`)
    for (const name of names) await serve(name, 'provider')
    await serve('keeper-1', 'keeper')
    gateway = String((await serve('gateway', 'gateway', ['--policy', POLICY])).url)
    const info = (await memo(['info', ...network, '--data', join(base, 'nobody'), '--json'])).last
    assert.equal((info.providers as { state: string }[]).filter(({ state }) => state === 'active').length, PROVIDERS)
  })

  test('somebody gets an identity on it and stores a file', async () => {
    const created = await mine(['did', 'create', ...network])
    assert.equal(created.code, 0, created.stderr)
    await writeFile(join(base, 'file.bin'), file)
    const put = await mine(['put', join(base, 'file.bin'), '--public', '--policy', POLICY])
    assert.equal(put.code, 0, put.stderr)
    cid = String(put.last.cid)
    assert.equal(put.last.event, 'stored')
  })

  test('a holder is killed, and the file comes back the same, with the verb and over HTTP', async () => {
    const holder = findHolder(await (await fetch(`${gateway}/mefs/status/${cid}`)).text())
    const pid = nodes.get(holder)?.pid ?? 0
    killHard(pid)
    await eventually(`${holder} has ended`, 60_000, () => !isRunning(pid))
    const got = await mine(['get', cid, '-o', join(base, 'copy.bin')])
    assert.equal(got.code, 0, got.stderr)
    assert.ok(file.equals(await readFile(join(base, 'copy.bin'))))
    const response = await fetch(`${gateway}/mefs/${cid}`)
    assert.equal(response.status, 200)
    assert.ok(file.equals(Buffer.from(await response.arrayBuffer())))
    const after = (await mine(['status', cid])).last
    assert.deepEqual([after.pieces, after.alive, after.isReadable], [3, 2, true])
  })

  /** The name of a provider that is named in `text`. */
  const findHolder = (text: string): string => {
    const found = [...nodes.keys()].find(
      (name) => name.startsWith('provider') && text.includes(addressOf(nodes.get(name) as Server)),
    )
    assert.ok(found, text)
    return found
  }
  const addressOf = (node: Server) => String(node.seen('ready')[0]?.address)
})

describeWithAnvil('memo up on a chain that others run', () => {
  const bank = accountFromSecretKey(keccak256(utf8('the bank of local MEMO networks: a test key, worth nothing')))
  let anvil: Anvil

  before(async () => {
    anvil = await startAnvil({ rich: [bank.address] })
  })
  after(async () => {
    await anvil?.close()
  })

  test('it deploys there, stores a file, loses a provider and fetches the file', async () => {
    const { url } = await anvil.listen()
    const sizes = ['--providers', '4', '--keepers', '1', '--policy', POLICY]
    const flags = ['--rpc', url, '--port', String(await freePort()), '--data', await freshDir(), ...sizes]
    const network = start(['up', ...flags, '--demo', '--json'])
    try {
      const ready = await network.event('ready')
      assert.equal(ready.rpc, url)
      assert.ok((ready.nodes as { role: string }[]).every(({ role }) => role !== 'chain'))
      await network.event('demo-done')
    } finally {
      await network.stop()
    }
  })

  test('a chain that is not there, or gives the bank nothing, is said to be so', async () => {
    const absent = await memo(['up', '--rpc', `http://127.0.0.1:${await freePort()}`, '--data', await freshDir()])
    assert.equal(absent.code, 5, absent.stderr)
    const poor = await startAnvil({ rich: [] })
    try {
      const { url } = await poor.listen()
      const refused = await memo(['up', '--rpc', url, '--port', String(await freePort()), '--data', await freshDir()])
      assert.notEqual(refused.code, 0)
      assert.match(refused.stderr, new RegExp(bank.address, 'i'))
    } finally {
      await poor.close()
    }
  })
})
