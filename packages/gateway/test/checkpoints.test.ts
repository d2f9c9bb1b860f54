import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createCheckpointChain } from '@memo/chain'
import { createKeySigner, type MemoError } from '@memo/core'
import { createMemoryIndexStore, createVirtualTime } from '@memo/core/testing'
import type { GatewayEvent } from '@memo/gateway'
import { createSystemClock, createSystemRandomness, createSystemTimers } from '@memo/platform'
import { createStorage, type RestoreReport } from '@memo/sdk'
import { openChangedLogs } from '../src/checkpoint/changed-logs.ts'
import { createCheckpointer, DEFAULT_CHECKPOINT_POLICY } from '../src/checkpoint/checkpointer.ts'
import { startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'

const ALICE = `did:memo:${'a'.repeat(64)}` as const
const BOB = `did:memo:${'b'.repeat(64)}` as const

const writtenOf = (gateway: TestGateway, did: string) =>
  gateway.events.filter((event) => event.type === 'checkpoint-written' && event.did === did)

describe('a gateway whose logs change', () => {
  let network: TestNetwork
  let gateway: TestGateway
  const store = createMemoryIndexStore()
  const start = async () => await startReadyGateway(network, { store, checkpoints: { checkpointMs: 300 } })

  before(async () => {
    network = await startNetwork()
    gateway = await start()
  })
  after(async () => {
    await gateway.close()
    await network.close()
  })

  /** What comes back of a DID from chain and providers alone, by name. */
  const restore = async (did: string, secretKey: Uint8Array) => {
    const signer = createKeySigner(secretKey)
    const storage = createStorage({
      ports: {
        network: network.chain.network,
        transport: network.http.transport,
        clock: createSystemClock(),
        timers: createSystemTimers(),
        random: createSystemRandomness(),
        signer,
      },
      chain: network.chain,
      checkpoints: createCheckpointChain(network.chain),
    })
    const files = new Map<string, string>()
    const reports: RestoreReport[] = []
    const reader = { publicKey: signer.publicKey, secretKey }
    const onReport = (report: RestoreReport) => void reports.push(report)
    for await (const { object, open } of storage.restore(did, { reader, onReport })) {
      const blocks: Uint8Array[] = []
      for await (const block of open()) blocks.push(block.slice())
      files.set(object.manifest.name, Buffer.concat(blocks).toString())
    }
    await storage.close()
    return { files, report: reports[0] }
  }

  test('leaves checkpoints from which the owner restores all without it and without keepers', async () => {
    const { did, master, secretKey } = await network.newDid()
    const { createCaller } = await import('./support/caller.ts')
    const caller = createCaller(gateway.url, did, master)
    await caller.login()
    assert.equal((await caller.upload(Buffer.from('one'), { name: 'one' })).status, 200)
    assert.equal((await caller.upload(Buffer.from('two'), { name: 'two', isPublic: true })).status, 200)
    await until('a checkpoint is written', () => writtenOf(gateway, did).some(({ seq }) => (seq as number) >= 2))
    const [written] = writtenOf(gateway, did).slice(-1) as GatewayEvent[]
    assert.ok((written!.gasUsed as number) > 20_000 && (written!.gasUsed as number) < 200_000, `${written!.gasUsed}`)
    const listed = (await (await caller.get('/mefs/listobjects')).json()) as { Objects: { Name: string }[] }
    assert.deepEqual(listed.Objects.map(({ Name }) => Name).sort(), ['one', 'two'])

    await gateway.close()
    for (const keeper of network.keepers) keeper.isDown = true
    const { files, report } = await restore(did, secretKey)
    assert.deepEqual([...files].sort(), [
      ['one', 'one'],
      ['two', 'two'],
    ])
    assert.equal(report?.source, 'checkpoints')
    for (const keeper of network.keepers) keeper.isDown = false
    gateway = await start()
  })

  test('writes none for logs that have not changed, and goes on after keepers were away', async () => {
    const caller = await gateway.join()
    assert.equal((await caller.upload(Buffer.from('three'), { name: 'three' })).status, 200)
    await until('a checkpoint is written', () => writtenOf(gateway, caller.did).length > 0)
    const before = gateway.events.filter(({ type }) => type === 'checkpoint-written').length
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    assert.equal(gateway.events.filter(({ type }) => type === 'checkpoint-written').length, before)

    const hasFailed = () => gateway.events.some(({ type }) => type === 'checkpoint-failed')
    let written = 0
    // Where the checkpoint is quicker than the keepers go, once more.
    for (let i = 4; !hasFailed(); i++) {
      assert.equal((await caller.upload(Buffer.from(`${i}`), { name: `${i}` })).status, 200)
      written = writtenOf(gateway, caller.did).length
      for (const keeper of network.keepers) keeper.isDown = true
      await until('it is written, or it says why it fails', () => {
        return hasFailed() || writtenOf(gateway, caller.did).length > written
      })
      for (const keeper of network.keepers) keeper.isDown = false
    }
    await until('it is made up for', () => writtenOf(gateway, caller.did).length > written)
  })
})

describe('which logs are due', () => {
  test('those with enough entries, and those that have waited long enough; also after a restart', async () => {
    const time = createVirtualTime()
    const store = createMemoryIndexStore()
    const logs = await openChangedLogs(store, time.clock)
    for (let i = 0; i < 3; i++) await store.apply([...logs.note(ALICE)])
    await time.advance(1_000)
    await store.apply([...logs.note(BOB)])
    const limits = { entries: 3, ageMs: 5_000 }
    assert.deepEqual(
      logs.listDue(limits).map(({ did }) => did),
      [ALICE],
    )
    const again = await openChangedLogs(store, time.clock)
    await time.advance(4_000)
    assert.deepEqual(
      again.listDue({ entries: 9, ageMs: 5_000 }).map(({ did }) => did),
      [ALICE],
    )
    await time.advance(1_000)
    assert.deepEqual(
      again.listDue({ entries: 9, ageMs: 5_000 }).map(({ did }) => did),
      [ALICE, BOB],
    )
    const [alice] = again.listDue({ entries: 9, ageMs: 5_000 })
    again.note(ALICE)
    await again.cover(alice!)
    assert.deepEqual(
      again.listDue({ entries: 1, ageMs: 5_000 }).map(({ did, entries }) => [did, entries]),
      [
        [BOB, 1],
        [ALICE, 1],
      ],
    )
    for (const log of again.listDue({ entries: 1, ageMs: 0 })) await again.cover(log)
    assert.deepEqual((await openChangedLogs(store, time.clock)).listDue({ entries: 1, ageMs: 0 }), [])
  })
})

describe('the checkpointer', () => {
  /** Runs for a while over 1,000 changed logs; `write` stands for the storage. */
  const run = async (limits: Partial<typeof DEFAULT_CHECKPOINT_POLICY>, forMs: number, fails?: () => MemoError) => {
    const time = createVirtualTime()
    const changed = await openChangedLogs(createMemoryIndexStore(), time.clock)
    for (let i = 0; i < 1_000; i++) changed.note(`did:memo:${i.toString(16).padStart(64, '0')}`)
    const events: GatewayEvent[] = []
    let running = 0
    let most = 0
    const stop = new AbortController()
    const done = createCheckpointer({
      storage: {
        async writeCheckpoint(did) {
          most = Math.max(most, ++running)
          await time.timers.sleep(10)
          running--
          if (fails) throw fails()
          const sizes = { from: 1, seq: 1, links: 1, sizeBytes: 1, placementBytes: 1, deleted: 0, lacking: 0 }
          return { ...sizes, did, isComplete: true, blockNumber: 1, gasUsed: 100_000n, costWei: 1n }
        },
      },
      changed,
      ...time,
      policy: 'rs:2+1',
      limits: { ...DEFAULT_CHECKPOINT_POLICY, checkpointEntries: 1, ...limits },
      findKey: async () => undefined,
      log: (event) => events.push(event),
    }).run(stop.signal)
    await time.advance(forMs)
    stop.abort()
    await time.run(done)
    const count = (type: string) => events.filter((event) => event.type === type).length
    return {
      most,
      written: count('checkpoint-written'),
      failed: count('checkpoint-failed'),
      waits: count('checkpoints-wait'),
    }
  }

  test('writes a few at a time, and no more than its gas allows', async () => {
    const all = await run({ checkpointGasPerHour: 1_000_000_000 }, 60_000)
    assert.deepEqual([all.most, all.written, all.waits], [4, 1_000, 0])
    const few = await run({ checkpointGasPerHour: 1_000_000 }, 60_000)
    assert.ok(few.written >= 10 && few.written <= 14, `${few.written}`)
    assert.equal(few.waits, 1)
    const hours = await run({ checkpointGasPerHour: 1_000_000 }, 3 * 3_600_000)
    assert.ok(hours.written >= 38 && hours.written <= 46, `${hours.written} in three hours`)
  })

  test('does not run through all logs when the network is away, and tries each one more and more rarely', async () => {
    const { BadInputError } = await import('@memo/core')
    const away = () => new BadInputError('nobody there', { blame: 'keeper', retry: 'later' })
    const minute = await run({}, 60_000, away)
    assert.ok(minute.failed > 50 && minute.failed < 500, `${minute.failed} attempts in a minute`)
  })
})
