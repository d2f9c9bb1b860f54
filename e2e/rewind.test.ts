import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { accountFromSecretKey, connectNetwork, createChainClient } from '@memo/chain'
import type { Address } from '@memo/core'
import { type Anvil, describeWithAnvil, startAnvil } from '../packages/chain/test/support/anvil.ts'
import { LOCAL_BANK_KEY } from '../packages/cli/src/local-chain.ts'
import { eventually, freePort, freshDir, killHard, memo, type Ready, type Server, start } from './support/memo.ts'

const SIZES = ['--providers', '4', '--keepers', '1', '--policy', 'rs:2+1']
const SIZE = 300_001
const POLL_MS = 5
const BACK_MS = 180_000
/** Of those that deploy, by how many transactions the bank had sent. */
const KILLED_AFTER = [1, 6]
/** The newest blocks with something in them are exchanged for empty ones: what was in them never happened. */
const DROPPED = [1, 3, 10]
/** Blocks come each second where nothing happens; what happened last is not further back. */
const MAX_DEPTH = 60

describeWithAnvil('a network on a chain that forgets', () => {
  const bank = accountFromSecretKey(LOCAL_BANK_KEY)
  const files = new Map<string, Uint8Array>()
  let anvil: Anvil
  let base: string
  let args: readonly string[]
  let server: Server
  let ready: Ready
  let copies = 0
  /** The newest block when the contracts were there, and nobody was registered. */
  let deployedAt: bigint

  const verb = async (...words: string[]) => await memo([...words, '--data', join(base, 'network'), '--json'])
  const put = async (name: string) => {
    const bytes = new Uint8Array(randomBytes(SIZE))
    await writeFile(join(base, name), bytes)
    const outcome = await verb('put', join(base, name), '--public')
    if (outcome.code === 0) files.set(String(outcome.last.cid), bytes)
    return outcome
  }
  const assertAllThere = async () => {
    const listed = (await verb('ls')).lines.map(({ cid }) => String(cid))
    assert.deepEqual(listed.sort(), [...files.keys()].sort(), 'what was stored is listed, and nothing else')
    for (const [cid, bytes] of files) {
      copies += 1
      const copy = join(base, `copy ${copies}`)
      const got = await verb('get', cid, '-o', copy)
      assert.equal(got.code, 0, got.stderr)
      assert.ok((await readFile(copy)).equals(bytes))
    }
  }

  /** How many of the newest blocks go back to, and with, the `wanted`-th that has something in it. */
  const depthOf = async (wanted: number) => {
    const client = createChainClient({ rpcUrl: (await anvil.listen()).url })
    const newest = await client.rpc.getBlockNumber()
    for (let [depth, found] = [1, 0]; depth <= MAX_DEPTH; depth += 1) {
      const { transactions } = await client.rpc.getBlock({ blockNumber: newest - BigInt(depth - 1) })
      if (transactions.length > 0) found += 1
      if (found === wanted) return depth
    }
    throw new TypeError(`there are no ${wanted} such blocks`)
  }

  before(async () => {
    base = await freshDir()
    anvil = await startAnvil({ rich: [bank.address] })
    const { url } = await anvil.listen()
    args = ['up', '--rpc', url, '--port', `${await freePort()}`, '--data', join(base, 'network'), ...SIZES]
  })
  after(async () => {
    await server?.stop()
    await anvil?.close()
  })

  test('is deployed to its end by the same command, wherever that was killed', async () => {
    const client = createChainClient({ rpcUrl: (await anvil.listen()).url })
    const sent = async () => await client.rpc.getTransactionCount({ address: bank.address, blockTag: 'pending' })
    for (const killedAfter of KILLED_AFTER) {
      const killed = start(args)
      while ((await sent()) < killedAfter) await wait(POLL_MS)
      killHard(killed.pid)
      await killed.ended()
      assert.deepEqual(killed.seen('contracts'), [], 'it was still at it')
    }
    server = start(args)
    await server.event('contracts')
    deployedAt = await client.rpc.getBlockNumber()
    ready = (await server.event('ready')) as unknown as Ready
    assert.equal((await put('first.bin')).code, 0)
    await assertAllThere()
  })

  test('serves again by itself after it forgot all but the contracts: who was registered, paid and named', async () => {
    const client = createChainClient({ rpcUrl: (await anvil.listen()).url })
    const contracts = await connectNetwork({ rpcUrl: client.rpcUrl, registry: ready.registry as Address })
    const serving = ready.nodes.map(({ address }) => address as Address)
    await anvil.reorganize(Number((await client.rpc.getBlockNumber()) - deployedAt))
    for (const address of serving) assert.equal((await contracts.findAccount(address))?.role ?? 'none', 'none')
    await eventually('all are registered again', BACK_MS, async () => {
      const accounts = await Promise.all(serving.map(async (address) => await contracts.findAccount(address)))
      return accounts.every((account) => account?.state === 'active') && server.seen('identity-again').length === 1
    })
    await eventually('files can be stored again', BACK_MS, async () => (await put('after all.bin')).code === 0)
    await assertAllThere()
    assert.equal((await fetch(`${ready.gateway}/readyz`)).status, 200)
    for (const { url } of ready.nodes) assert.equal((await fetch(`${url}/readyz`)).status, 200)
    assert.deepEqual(server.seen('node-down'), [], 'none was started again')
  })

  for (const dropped of DROPPED) {
    test(`loses no file and stores others after it forgot the last that happened (${dropped} blocks of it)`, async () => {
      assert.equal((await put(`before ${dropped}.bin`)).code, 0)
      await anvil.reorganize(await depthOf(dropped))
      await eventually('files can be stored again', BACK_MS, async () => (await put(`after ${dropped}.bin`)).code === 0)
      await assertAllThere()
      const { status } = await fetch(`${ready.gateway}/readyz`)
      assert.equal(status, 200)
    })
  }
})
