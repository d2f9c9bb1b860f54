import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  eventually,
  freePort,
  freshDir,
  isRunning,
  type Json,
  killHard,
  memo,
  type Ready,
  type Server,
  start,
  startNetwork,
} from './memo.ts'

const SIZE = 9_000_001
const SEVEN = ['--no-restart', '--providers', '7', '--keepers', '3', '--policy', 'rs:4+2']

/** Which chain a network runs on: its own, or one that others run. */
export type ChainOfNetwork = {
  /** What `memo up` is told of it. */
  readonly flags: readonly string[]
  /** Processes of the network that serve it. */
  readonly processes: 0 | 1
  close(): Promise<void>
}

/** One network, one story, the same whatever chain it is on: each test goes on where the one before ended. */
export function tellNetworkStory(openChain: () => Promise<ChainOfNetwork>): void {
  const file = randomBytes(SIZE)
  let base: string
  let dir: string
  let chain: ChainOfNetwork
  let server: Server
  let ready: Ready
  let cid: string

  const verb = async (args: readonly string[]) => await memo([...args, '--data', dir])
  const path = (name: string) => join(base, name)
  const node = (name: string) => {
    const found = ready.nodes.find((one) => one.name === name)
    assert.ok(found, `there is no ${name}`)
    return found
  }

  before(async () => {
    base = await freshDir()
    dir = join(base, 'network')
    await writeFile(path('file.bin'), file)
    chain = await openChain()
    ;({ server, ready } = await startNetwork(dir, [...SEVEN, ...chain.flags]))
  })
  after(async () => {
    await server?.stop()
    await chain?.close()
  })

  test('it says where everything is', async () => {
    const roles = Map.groupBy(ready.nodes, ({ role }) => role)
    const counts = ['chain', 'keeper', 'provider', 'gateway'].map((role) => roles.get(role)?.length ?? 0)
    assert.deepEqual(counts, [chain.processes, 3, 7, 1])
    assert.ok(ready.nodes.every(({ pid }) => isRunning(pid)))
    const info = (await verb(['info', '--json'])).last
    assert.equal(info.registry, ready.registry)
    const endpoints = (info.providers as { endpoint: string; state: string }[]).map(({ endpoint }) => endpoint).sort()
    assert.deepEqual(
      endpoints,
      roles
        .get('provider')
        ?.map(({ url }) => url)
        .sort(),
    )
    assert.ok((info.keepers as { state: string }[]).every(({ state }) => state === 'active'))
  })

  test('a file that was put is listed, found whole on six providers, and comes back the same', async () => {
    const put = await verb(['put', path('file.bin'), '--json'])
    assert.equal(put.code, 0, put.stderr)
    cid = String(put.last.cid)
    assert.equal(put.last.event, 'stored')
    assert.ok(put.lines.some(({ stage }) => stage === 'durable'))
    const listed = (await verb(['ls', '--json'])).lines
    assert.deepEqual(
      listed.map((line) => [line.cid, line.name, line.sizeBytes]),
      [[cid, 'file.bin', SIZE]],
    )
    const status = (await verb(['status', cid, '--json'])).last
    assert.deepEqual([status.pieces, status.alive, status.isReadable], [6, 6, true])
    const got = await verb(['get', cid, '-o', path('copy.bin')])
    assert.equal(got.code, 0, got.stderr)
    assert.ok(file.equals(await readFile(path('copy.bin'))))
  })

  test('the same file again has the same CID and is not stored twice', async () => {
    const again = await verb(['put', path('file.bin'), '--json'])
    assert.deepEqual([again.last.cid, again.last.deduplicated], [cid, true])
  })

  test('with two holders killed it still comes back the same, and new files can be put', async () => {
    const holders = (await verb(['status', cid, '--json'])).lines.filter((line) => line.event === 'piece')
    const victims = ready.nodes.filter(({ address }) => holders.slice(0, 2).some((piece) => piece.provider === address))
    assert.equal(victims.length, 2)
    for (const victim of victims) killHard(victim.pid)
    for (const { name } of victims) await server.event('node-down', (event) => event.name === name)
    const status = (await verb(['status', cid, '--json'])).last
    assert.deepEqual([status.alive, status.isReadable], [4, true])
    const got = await verb(['get', cid, '-o', path('copy-2.bin')])
    assert.equal(got.code, 0, got.stderr)
    assert.ok(file.equals(await readFile(path('copy-2.bin'))))
    assert.equal(server.seen('node-up').length, ready.nodes.length, '--no-restart leaves them down')
  })

  test('restore needs neither gateway nor data directory: the key and one RPC endpoint do', async () => {
    killHard(node('gateway').pid)
    await server.event('node-down', (event) => event.name === 'gateway')
    const out = path('restored')
    const restored = await memo(['restore', '--key', ready.keyFile, '--rpc', ready.rpc, '-o', out, '--json'])
    assert.equal(restored.code, 0, restored.stderr)
    assert.deepEqual([restored.last.restored, restored.last.failed], [1, 0])
    assert.deepEqual(await readdir(out), ['file.bin'])
    assert.ok(file.equals(await readFile(join(out, 'file.bin'))))
  })

  test('after a restart everything is there under the same names', async () => {
    const before = ready
    assert.equal(await server.stop(), 0)
    assert.deepEqual(
      before.nodes.filter(({ pid }) => isRunning(pid)),
      [],
    )
    ;({ server, ready } = await startNetwork(dir, [...SEVEN, ...chain.flags]))
    assert.equal(ready.registry, before.registry)
    assert.equal(ready.did, before.did)
    const names = (of: Ready) =>
      of.nodes.filter(({ role }) => role !== 'gateway').map(({ name, url, address }) => `${name} ${url} ${address}`)
    assert.deepEqual(names(ready), names(before))
    const status = (await verb(['status', cid, '--json'])).last
    assert.deepEqual([status.alive, status.isReadable], [6, true])
    const got = await memo(['get', cid, '--data', dir])
    assert.equal(got.code, 0, got.stderr)
    assert.ok(file.equals(got.bytes), 'through a pipe as well')
  })

  test('an eighth provider joins by the same verbs and receives pieces', async () => {
    const data = path('provider-8')
    const network = ['--rpc', ready.rpc, '--registry', ready.registry]
    const made = await memo(['provider', 'init', ...network, '--data', data, '--region', 'elsewhere', '--json'])
    assert.equal(made.code, 0, made.stderr)
    assert.deepEqual([made.last.event, made.last.state], ['initialized', 'active'])
    const again = await memo(['provider', 'init', ...network, '--data', data, '--json'])
    assert.equal(again.last.address, made.last.address, 'init again changes nothing')
    const eighth = start(['provider', 'run', '--data', data])
    const up = await eighth.event('ready')
    assert.equal(up.address, made.last.address)
    await eventually('the eighth provider holds a piece', 120_000, async () => {
      await writeFile(path('more.bin'), randomBytes(100_000))
      const put = await verb(['put', path('more.bin'), '--json'])
      assert.equal(put.code, 0, put.stderr)
      return (put.last.providers as string[]).includes(String(up.address))
    })
    const second = await memo(['provider', 'run', '--data', data])
    assert.equal(second.code, 5, 'a directory serves one process at a time')
    assert.equal(await eighth.stop(), 0)
  })

  test('a key that is registered for one role is refused for another, with what to do', async () => {
    const data = path('impostor')
    const keeperDir = join(dir, 'keeper-1')
    const network = ['--rpc', ready.rpc, '--registry', ready.registry]
    const kind = await memo(['provider', 'run', '--data', keeperDir, '--json'])
    assert.equal(kind.code, 2)
    assert.match(kind.stderr, /belongs to a keeper.*memo keeper run/)
    await mkdir(join(data, 'keys'), { recursive: true })
    for (const name of ['node.json', 'password']) {
      await writeFile(join(data, 'keys', name), await readFile(join(keeperDir, 'keys', name)))
    }
    const init = await memo(['provider', 'init', ...network, '--data', data, '--json'])
    assert.equal(init.code, 4, init.stderr)
    assert.match(init.stderr, /registered as a keeper/)
    const config = JSON.parse(await readFile(join(keeperDir, 'node.json'), 'utf8'))
    await writeFile(join(data, 'node.json'), JSON.stringify({ ...config, kind: 'provider', port: await freePort() }))
    const run = await memo(['provider', 'run', '--data', data, '--json'])
    assert.equal(run.code, 4, run.stderr)
    assert.equal(JSON.parse(run.stderr.split('\n').findLast((line) => line !== '') ?? '').error.name, 'WrongRoleError')
  })

  test('what comes through a pipe is stored, and found by anybody once it is public', async () => {
    const input = randomBytes(70_000)
    const put = await memo(['put', '-', '--public', '--name', '去中心化存储.txt', '--data', dir, '--json'], { input })
    assert.equal(put.code, 0, put.stderr)
    const anybody = ['--rpc', ready.rpc, '--registry', ready.registry, '--data', path('nobody')]
    const got = await memo(['get', String(put.last.cid), ...anybody])
    assert.ok(Buffer.from(input).equals(got.bytes))
    const hidden = await memo(['get', cid, ...anybody])
    assert.equal(hidden.code, 3, 'a private file does not exist for others')
    const listed = (await verb(['ls', '--json'])).lines.map((line) => line.name)
    assert.ok(listed.includes('去中心化存储.txt'))
    const endless = start(['put', '-', '--data', dir], { input })
    await endless.event('stage')
    assert.equal(await endless.stop(), 130, 'Ctrl-C before it is durable')
    assert.deepEqual((await verb(['ls', '--json'])).lines.length, listed.length)
  })

  test('a wrong password is refused and named', async () => {
    const wrong = await memo(['did', 'show', '--data', dir], { env: { MEMO_PASSWORD: 'not this one' } })
    assert.equal(wrong.code, 4)
    assert.match(wrong.stderr, /password does not open/)
    assert.doesNotMatch(wrong.stderr, /not this one/)
  })

  test('a deleted file is gone, and doctor finds nothing wrong', async () => {
    assert.equal((await verb(['rm', cid])).code, 0)
    assert.equal((await verb(['get', cid, '-o', path('gone.bin')])).code, 3)
    assert.ok(!(await readdir(base)).includes('gone.bin'))
    const checks = (await verb(['doctor', '--json'])).lines
    const failing = checks.filter((line: Json) => line.result === 'fail')
    assert.deepEqual(failing, [])
    assert.equal(await server.stop(), 0)
  })
}
