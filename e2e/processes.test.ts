import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  eventually,
  findOldNode,
  freePort,
  freshDir,
  isRunning,
  killHard,
  memo,
  type Ready,
  start,
  startNetwork,
} from './support/memo.ts'

const TINY = ['--keepers', '1', '--providers', '2', '--policy', 'rs:1+1']
const GONE_MS = 60_000
const UP_MS = 60_000
const OLD_NODE = findOldNode()

const pidsOf = (ready: Ready) => ready.nodes.map((node) => node.pid)

async function assertAllGone(pids: readonly number[]): Promise<void> {
  await eventually(`processes ${pids.join(', ')} have ended`, GONE_MS, () => !pids.some(isRunning))
}

describe('processes of a local network', () => {
  test('each node is a process of its own; one that is killed comes back where it was', async () => {
    const { server, ready } = await startNetwork(await freshDir(), TINY)
    assert.deepEqual(ready.nodes.map((node) => node.name).sort(), [
      'chain',
      'gateway',
      'keeper-1',
      'provider-1',
      'provider-2',
    ])
    assert.equal(new Set(pidsOf(ready)).size, 5)
    const victim = ready.nodes.find((node) => node.name === 'provider-2')
    killHard(victim?.pid ?? 0)
    const down = await server.event('node-down', (event) => event.name === 'provider-2')
    assert.equal(down.signal, 'SIGKILL')
    assert.ok(typeof down.restartInMs === 'number')
    await eventually(
      'provider-2 is up again',
      UP_MS,
      () => server.seen('node-up').filter((event) => event.name === 'provider-2').length === 2,
    )
    const again = server.seen('node-up').findLast((event) => event.name === 'provider-2')
    assert.equal(again?.url, victim?.url)

    killHard(ready.nodes.find(({ role }) => role === 'chain')?.pid ?? 0)
    await eventually('the chain is up again', UP_MS, () => {
      return server.seen('node-up').filter((event) => event.name === 'chain').length === 2
    })
    const input = new TextEncoder().encode('stored after the chain had died')
    const put = await memo(['put', '-', '--data', ready.dataDir, '--json'], { input })
    assert.equal(put.code, 0, put.stderr)
    const got = await memo(['get', String(put.last.cid), '--data', ready.dataDir])
    assert.equal(got.stdout, 'stored after the chain had died')
    assert.equal(await server.stop(), 0)
    await assertAllGone(pidsOf(ready))
  })

  test('Ctrl-C ends all in order, and the directory is free again at once', async () => {
    const dir = await freshDir()
    const { server, ready } = await startNetwork(dir, TINY)
    assert.equal(await server.stop(), 0)
    assert.deepEqual(pidsOf(ready).filter(isRunning), [])
    const order = server.seen('node-down').map((event) => event.name)
    assert.equal(order[0], 'gateway')
    assert.equal(order.at(-1), 'chain')
    assert.ok(
      server.seen('node-down').every((event) => event.code === 0),
      JSON.stringify(server.seen('node-down')),
    )
    assert.equal(server.seen('stopped').length, 1)
    // Meanwhile something else took the port of a provider.
    const taken = new URL(ready.nodes.find(({ name }) => name === 'provider-2')?.url ?? '').port
    const squatter = createServer().listen(Number(taken), '127.0.0.1')
    await once(squatter, 'listening')
    const next = await startNetwork(dir, TINY)
    squatter.close()
    assert.equal(next.ready.registry, ready.registry)
    assert.equal(next.ready.did, ready.did)
    const addresses = (of: Ready) => of.nodes.map(({ name, address }) => `${name} ${address}`)
    assert.deepEqual(addresses(next.ready), addresses(ready))
    const info = (await memo(['info', '--data', dir, '--json'])).last
    const onChain = (info.providers as { endpoint: string }[]).map(({ endpoint }) => endpoint).sort()
    const urls = next.ready.nodes.filter(({ role }) => role === 'provider').map(({ url }) => url)
    assert.deepEqual(onChain, urls.sort())
    assert.ok(!urls.some((url) => new URL(url).port === taken), 'a taken port is exchanged, on chain too')
    await next.server.stop()
  })

  test('kill -9 of the supervisor leaves no orphan and no lock', async () => {
    const dir = await freshDir()
    const { server, ready } = await startNetwork(dir, TINY)
    killHard(server.pid)
    await server.ended()
    await assertAllGone(pidsOf(ready))
    const next = await startNetwork(dir, TINY)
    assert.equal(next.ready.registry, ready.registry)
    await next.server.stop()
  })

  test('Ctrl-C in the middle of the start leaves nothing either', async () => {
    const server = start(['up', '--data', await freshDir(), '--port', `${await freePort()}`, ...TINY])
    await server.event('chain')
    assert.ok([0, 130].includes((await server.stop()) as number))
    assert.equal(server.seen('ready').length, 0)
    assert.equal(server.seen('stopped').length, 1)
  })

  test('a second Ctrl-C waits for nobody', async () => {
    const { server, ready } = await startNetwork(await freshDir(), TINY)
    const stuck = ready.nodes.find(({ name }) => name === 'provider-1')?.pid ?? 0
    process.kill(stuck, 'SIGSTOP')
    server.signal('SIGINT')
    await server.event('stopping')
    await wait(500)
    assert.ok(isRunning(stuck))
    server.signal('SIGINT')
    assert.equal(await server.ended(), 130)
    assert.equal(server.seen('stopped').length, 0, 'it has not waited for the others to stop')
    await assertAllGone(pidsOf(ready))
  })

  test('a second network in the same directory is refused, and a taken gateway port named', async () => {
    const dir = await freshDir()
    const { server, ready } = await startNetwork(dir, TINY)
    const second = await memo(['up', '--data', dir, ...TINY, '--json'])
    assert.equal(second.code, 5)
    assert.equal(JSON.parse(second.stderr).error.name, 'DataDirectoryInUseError')
    const port = new URL(ready.gateway).port
    const third = await memo(['up', '--data', await freshDir(), '--port', port, ...TINY])
    assert.equal(third.code, 5)
    assert.match(third.stderr, new RegExp(`port ${port} is in use.*\n(why.*\n)?fix +.*memo up --port \\d+`))
    assert.equal(await server.stop(), 0)
  })

  test('an old Node goes on in the pinned one, passes Ctrl-C on, and dying takes all with it', {
    skip: OLD_NODE === undefined && 'this machine has no Node that is too old',
  }, async () => {
    assert.equal((await memo(['--version'], { node: OLD_NODE as string })).stdout, '0.1.0\n')
    assert.equal((await memo(['nonsense'], { node: OLD_NODE as string })).code, 2)
    const args = async () => ['up', '--data', await freshDir(), '--port', `${await freePort()}`, ...TINY]
    const first = start(await args(), { node: OLD_NODE as string })
    const ready = (await first.event('ready')) as unknown as Ready
    assert.equal(await first.stop(), 0)
    await assertAllGone(pidsOf(ready))
    const second = start(await args(), { node: OLD_NODE as string })
    const again = (await second.event('ready')) as unknown as Ready
    killHard(second.pid)
    await assertAllGone(pidsOf(again))
  })
})
