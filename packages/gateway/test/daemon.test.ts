import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createKeySigner } from '@memo/core'
import { type GatewayDaemonOptions, type GatewayEvent, runGatewayDaemon } from '@memo/gateway'
import { cidOf, createCaller, openUpload, type TestCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork, testKey } from './support/network.ts'

let network: TestNetwork
let home: string
let directories = 0

before(async () => {
  network = await startNetwork()
  home = await mkdtemp(join(tmpdir(), 'memo-gateway-'))
})
after(async () => {
  await network.close()
  await rm(home, { recursive: true, force: true })
})

function freshDirectory(): string {
  directories += 1
  return join(home, String(directories))
}

type Running = {
  readonly url: string
  readonly events: readonly GatewayEvent[]
  readonly done: Promise<void>
  stop(): Promise<void>
}

function run(options: Partial<GatewayDaemonOptions> = {}) {
  const stopping = new AbortController()
  const events: GatewayEvent[] = []
  const done = runGatewayDaemon({
    dataDir: freshDirectory(),
    rpcUrl: 'devnet',
    rpcProvider: network.devnet,
    registry: network.chain.addresses.registry,
    secretKey: GATEWAY_KEY,
    host: '127.0.0.1',
    port: 0,
    policy: 'rs:2+1',
    onEvent: (event) => events.push(event),
    signal: stopping.signal,
    ...options,
  })
  return { done, events, stop: () => stopping.abort() }
}

async function start(options: Partial<GatewayDaemonOptions> = {}): Promise<Running> {
  const { done, events, stop } = run(options)
  const ready = () => events.find((event) => event.type === 'ready')
  await Promise.race([done, until('it is ready', () => ready() !== undefined)])
  return {
    url: String(ready()?.url),
    events,
    done,
    async stop() {
      stop()
      await done
    },
  }
}

async function joinAt(url: string): Promise<TestCaller> {
  const { did, master } = await network.newDid()
  const caller = createCaller(url, did, master)
  await caller.login()
  return caller
}

describe('the gateway as a process', () => {
  test('serves from a data directory, stops when told to, and goes on from there', async () => {
    const dataDir = freshDirectory()
    const content = new Uint8Array(randomBytes(10_000))
    const first = await start({ dataDir })
    const caller = await joinAt(first.url)
    await until('it is ready', async () => (await fetch(`${first.url}/readyz`)).status === 200)
    assert.equal((await caller.upload(content, { name: 'a.bin' })).status, 200)
    await first.stop()
    await assert.rejects(fetch(`${first.url}/livez`))
    assert.equal(first.events.at(-1)?.type, 'stopped')

    const second = await start({ dataDir })
    caller.baseUrl = second.url
    const answer = await caller.get(`/mefs/${cidOf(content)}`)
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content)
    await second.stop()
  })

  test('is alone on its data directory', async () => {
    const dataDir = freshDirectory()
    const first = await start({ dataDir })
    await assert.rejects(run({ dataDir }).done, { name: 'DataDirectoryInUseError' })
    assert.equal((await fetch(`${first.url}/livez`)).status, 200)
    await first.stop()
    await (await start({ dataDir })).stop()
  })

  test('refuses to start without an active User behind it, and leaves nothing locked', async () => {
    const dataDir = freshDirectory()
    await assert.rejects(run({ dataDir, secretKey: testKey(77) }).done, { name: 'NoRoleError', blame: 'user' })
    await assert.rejects(run({ dataDir, secretKey: testKey(30) }).done, { name: 'WrongRoleError' })
    await (await start({ dataDir })).stop()
  })

  test('refuses to start where no network is', async () => {
    const nowhere = `0x${'9'.repeat(40)}` as const
    await assert.rejects(run({ registry: nowhere }).done, { name: 'NotAMemoRegistry' })
    const unplugged = { rpcProvider: undefined, rpcUrl: 'http://127.0.0.1:1' }
    await assert.rejects(run(unplugged).done, { name: 'RpcUnreachable' })
  })

  test('listens on its second port where that is free, and without it where it is not', async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    const taken = (blocker.address() as AddressInfo).port
    const without = await start({ extraPort: taken })
    assert.ok(without.events.some((event) => event.type === 'extra-port-taken' && event.level === 'warn'))
    assert.equal((await fetch(`${without.url}/livez`)).status, 200)
    await without.stop()
    await assert.rejects(run({ port: taken }).done, { name: 'ListenError', blame: 'user' })
    await new Promise((resolve) => blocker.close(resolve))

    const both = await start({ extraPort: taken })
    for (const url of [both.url, `http://127.0.0.1:${taken}`]) assert.equal((await fetch(`${url}/livez`)).status, 200)
    await both.stop()
  })

  test('ends the upload that is under way before it stops', async () => {
    const running = await start()
    const caller = await joinAt(running.url)
    await until('it is ready', async () => (await fetch(`${running.url}/readyz`)).status === 200)
    const content = new Uint8Array(randomBytes(5_000_000))
    const upload = await openUpload(caller, content)
    const answered = once(upload, 'response')
    const stopped = running.stop()
    upload.write(content)
    upload.end('\r\n--x--\r\n')
    const [answer] = (await answered) as [IncomingMessage]
    answer.resume()
    assert.equal(answer.statusCode, 200)
    await stopped
  })

  test('breaks what does not end in time, and stops all the same', async () => {
    const running = await start({ drainMs: 200 })
    const caller = await joinAt(running.url)
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) })
    const hanging = fetch(`${running.url}/login`, { method: 'POST', body, duplex: 'half' } as RequestInit)
    const broken = assert.rejects(hanging)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await running.stop()
    await broken
    await assert.rejects(caller.get('/mefs/listobjects'))
  })

  test('tells of itself who it is', async () => {
    const running = await start({ about: { version: '1.2.3' } })
    const info = (await (await fetch(`${running.url}/info`)).json()) as Record<string, unknown>
    assert.equal(info.version, '1.2.3')
    assert.equal(info.account, createKeySigner(GATEWAY_KEY).address)
    await running.stop()
  })

  test('takes the uploads of many at a time', async () => {
    const running = await start()
    await until('it is ready', async () => (await fetch(`${running.url}/readyz`)).status === 200)
    const callers = await Promise.all(Array.from({ length: 6 }, () => joinAt(running.url)))
    const answers = await Promise.all(
      callers.map(async (caller) => await caller.upload(new Uint8Array(randomBytes(1_000)))),
    )
    assert.deepEqual(
      answers.map((answer) => answer.status),
      answers.map(() => 200),
    )
    await running.stop()
  })
})
