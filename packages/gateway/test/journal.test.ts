import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RpcProvider } from '@memo/chain'
import { textFromUtf8 } from '@memo/core'
import { runGatewayDaemon } from '@memo/gateway'
import { openSqliteIndexStore } from '@memo/platform'
import { cidOf, createCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import { startMoneyNetwork } from './support/money-network.ts'
import { testKey } from './support/network.ts'

const MIB = 1_048_576
const GATEWAY = testKey(2)

test('what a gateway signs for a purpose is in its store before it leaves, so that a killed one does not lock money twice', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'memo-gateway-journal-'))
  const limits = { unpaidReadBytesPerHour: 0, unpaidBytesPerAccount: 0, readWindowBytes: MIB }
  const network = await startMoneyNetwork({ providers: 3, limits })
  const stop = new AbortController()
  let running: Promise<void> | undefined
  try {
    await network.joinUser(GATEWAY)
    const kept: string[] = []
    const watching: RpcProvider = {
      async request({ method, params }) {
        if (method === 'eth_sendRawTransaction') {
          const [raw] = params as readonly string[]
          const store = openSqliteIndexStore(join(dataDir, 'gateway.sqlite'))
          const found = await store.list({ prefix: 'sent/', limit: 100 })
          await store.close()
          kept.push(
            ...found.filter(({ value }) => (textFromUtf8(value) ?? '').includes(`${raw}`)).map(({ key }) => key),
          )
        }
        return await network.devnet.request({ method, params })
      },
    }
    const ready = Promise.withResolvers<string>()
    running = runGatewayDaemon({
      dataDir,
      rpcUrl: 'in-process',
      rpcProvider: watching,
      registry: network.owner.network.registry,
      secretKey: GATEWAY,
      host: '127.0.0.1',
      port: 0,
      policy: 'rs:2+1',
      pollingIntervalMs: 20,
      drainMs: 100,
      orders: { firstOrderBytes: MIB, closeMs: 500 },
      quota: { trialSpaceBytes: 100 * MIB, trialTrafficBytes: 100 * MIB },
      signal: stop.signal,
      onEvent: (event) => event.type === 'ready' && ready.resolve(`${event.url}`),
    })
    const url = await Promise.race([ready.promise, running.then(() => assert.fail('it ended'))])
    await until('the gateway is ready', async () => (await fetch(`${url}/readyz`)).ok)
    const { did, master } = await network.newDid()
    const caller = createCaller(url, did, master)
    await caller.login()
    const bytes = new Uint8Array(randomBytes(MIB))
    const stored = await caller.upload(bytes)
    assert.equal(stored.status, 200, await stored.clone().text())
    const got = await caller.get(`/mefs/${cidOf(bytes)}`)
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), bytes)
    assert.ok(
      kept.some((key) => /^sent\/\d+\/0x[0-9a-f]{40}\/reads\//.test(key)),
      `${kept.length} kept`,
    )
  } finally {
    stop.abort()
    await running
    await network.close()
    await rm(dataDir, { recursive: true, force: true })
  }
})
