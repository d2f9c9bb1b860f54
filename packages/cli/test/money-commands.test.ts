import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { getMemoBalance, getQuota, type MemoChain } from '@memo/chain'
import type { Address } from '@memo/core'
import { LOCAL_USER_ATTO } from '../src/local-chain.ts'
import { createIdentity } from '../src/user/identity.ts'
import { type HoldingRpc, startHoldingRpc } from './support/holding-rpc.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { runLines } from './support/run-lines.ts'
import { NO_TERMINAL, type RunOptions, runMemo, startMemo } from './support/run-memo.ts'

const GIB = 2n ** 30n
const GIB_COST = 60_000_000_000n * GIB
const home = mkdtempSync(join(tmpdir(), 'memo-money-commands-'))
const data = join(home, 'network')
let network: TestNetwork
let rpc: HoldingRpc
let chain: MemoChain
let address: Address
let did: string

before(async () => {
  network = await startNetwork()
  rpc = await startHoldingRpc(network.devnet)
  const { signal } = new AbortController()
  const identity = await createIdentity({ dataDir: data, rpcUrl: rpc.url, registry: network.registry, signal })
  chain = identity.chain
  address = identity.signer.address
  did = identity.did
})
after(async () => {
  await rpc?.close()
  await network?.close()
  rmSync(home, { recursive: true, force: true })
})

const env = { HOME: home, MEMO_DATA: data, XDG_CACHE_HOME: join(home, 'cache') }
const memo = async (line: string, options: RunOptions = {}) => await runMemo(line.split(' '), { env, ...options })

async function has(): Promise<{ readonly memo: bigint; readonly space: bigint; readonly free: bigint }> {
  const { client, addresses } = chain
  const [atto, quota] = await Promise.all([
    getMemoBalance(client, { addresses, address }),
    getQuota(client, { addresses, kind: 'space', buyer: address }),
  ])
  return { memo: atto, space: quota.sizeByte, free: quota.freeByte }
}

describe('what pays', () => {
  test('without a terminal and without -y it ends with 2, says what it would cost, and moves nothing', async () => {
    const { code, stdout, stderr } = await memo('buy space 10 GiB')
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /would cost 644\.2450944 MEMO, and there is no terminal.*\nfix +Add -y/)
    const dry = await memo('buy space 10GiB --dry-run --json')
    assert.deepEqual([dry.code, dry.last().dryRun, dry.last().costAtto], [0, true, `${10n * GIB_COST}`])
    assert.deepEqual(await has(), { memo: LOCAL_USER_ATTO, space: 0n, free: 0n })
  })

  test('on a terminal it asks, and takes what is not yes for no', { skip: NO_TERMINAL ?? false }, async () => {
    for (const [keys, code] of [
      ['\r', 130],
      ['n\r', 130],
      ['\x03', 130],
      ['y\r', 0],
    ] as const) {
      const before = await has()
      const running = startMemo(['buy', 'space', '1GiB'], { env, terminal: true })
      await running.saw(/Pay 64\.4245 MEMO\? \[y\/N\]/)
      running.type(keys)
      const ended = await running.ended
      assert.equal(ended.code, code, `${JSON.stringify(keys)}: ${ended.stdout}`)
      const paid = code === 0 ? 1n : 0n
      assert.deepEqual(await has(), {
        ...before,
        memo: before.memo - paid * GIB_COST,
        space: before.space + paid * GIB,
      })
    }
  })

  test('killed while it waits for its block, it is paid once by the same command', async () => {
    const before = await has()
    rpc.hold()
    const held = rpc.held().length
    const killed = startMemo(['buy', 'space', '2GiB', '-y'], { env })
    while (rpc.held().length === held) await new Promise((resolve) => setTimeout(resolve, 20))
    killed.child.kill('SIGKILL')
    await killed.ended
    rpc.pass()
    await rpc.release()
    const again = await memo('buy space 2GiB -y --json')
    assert.deepEqual([again.code, again.last().event, again.last().isResumed], [0, 'bought', true], again.stderr)
    assert.deepEqual(await has(), { ...before, memo: before.memo - 2n * GIB_COST, space: before.space + 2n * GIB })
  })

  test('wrong words end with 2 and an example, what does not exist with 3, too little money with 5', async () => {
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['buy room 1GiB -y', 2, /room is neither space nor traffic\nfix +Say one of them/],
      ['buy space lots -y', 2, /lots is not a size\nfix +Write it as 10GiB/],
      ['buy space 0 -y', 2, /0 bytes are nothing/],
      ['buy space', 2, /missing required argument/],
      ['escrow deposit 1,5 -y', 2, /is not an amount of MEMO\nfix +Write it as 12\.5/],
      ['quote --for soon', 2, /is not a length of time/],
      // Without a size it asks for 10 GiB; what is missing here is a gateway.
      ['apply --type space --evidence https://example.org/post', 2, /no gateway is known here/],
      [`buy space 1GiB -y --for did:memo:${'1'.repeat(64)}`, 3, /there is no did:memo:1{64}/],
      ['escrow deposit 20000 -y', 5, new RegExp(`${address} has .*: 10,\\d{3}.* MEMO more\nfix`)],
    ]
    const lines = cases.map(([line]) => line.split(' '))
    const ended = await runLines(lines, { PATH: process.env.PATH, ...env })
    for (const [i, [line, code, expected]] of cases.entries()) {
      assert.equal(ended[i]?.code, code, `${line}: ${ended[i]?.stderr}`)
      assert.match(ended[i]?.stderr ?? '', expected)
    }
  })
})

describe('the tool of administrators', () => {
  test('as the seeds print it, without a target, it names what is missing', async () => {
    const { code, stderr } = await memo('admin free --type=space', { bin: 'middleware-contracts' })
    assert.equal(code, 2)
    assert.match(stderr, /missing: --to, --size, --reason\nfix/)
  })

  test('on a terminal it asks for what is missing, and then whether', { skip: NO_TERMINAL ?? false }, async () => {
    const before = await has()
    const args = ['admin', 'free', '--type=space']
    const running = startMemo(args, { env, terminal: true, bin: 'middleware-contracts' })
    for (const [question, answer] of [
      [/to whom/, did],
      [/how much/, '3 GiB'],
      [/reason, which/, 'a tweet'],
      [/Grant it\?/, 'y'],
    ] as const) {
      await running.saw(question)
      running.type(`${answer}\r`)
    }
    const { code, stdout } = await running.ended
    assert.equal(code, 0, stdout)
    assert.deepEqual(await has(), { ...before, free: before.free + 3n * GIB })
  })

  test('with all of it nobody is asked, and an account without the role ends with 4 and learns who has it', async () => {
    const before = await has()
    const grant = [
      'admin',
      'free',
      '--type=space',
      '--to',
      did,
      '--size',
      '1GiB',
      '--reason',
      'a tweet',
      '-y',
      '--json',
    ]
    const granted = await runMemo(grant, { env, bin: 'middleware-contracts' })
    assert.deepEqual([granted.code, granted.last().event, granted.last().to], [0, 'granted', address], granted.stderr)
    const key = join(data, 'keys', 'user.json')
    const refused = await runMemo([...grant, '--key', key], { env })
    assert.equal(refused.code, 4)
    assert.match(refused.stderr, /the role is held by 0x/)
    assert.deepEqual(await has(), { ...before, free: before.free + GIB })
  })
})
