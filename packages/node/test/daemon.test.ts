import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  accountFromSecretKey,
  ensurePledge,
  type MemoChain,
  registerKeeper,
  registerProvider,
  registerUser,
  setEndpoint,
} from '@memo/chain'
import { deployNetwork } from '@memo/chain/testing'
import { type ClientPorts, createKeeperClient, createKeySigner, createProviderClient, type Signer } from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import { createMemoDid } from '@memo/did'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  type HttpTransport,
} from '@memo/platform'
import { type NodeDaemonOptions, type NodeEvent, runKeeperDaemon, runProviderDaemon } from '../src/index.ts'
import { createLogWriter, createPart } from './support/entries.ts'
import { createWorld } from './support/world.ts'

const GIB = 2 ** 30

/** A test key: 32 bytes of one number. */
const testKey = (number: number): Uint8Array => new Uint8Array(32).fill(number)

describe('daemons on a chain, sockets and disks', () => {
  let devnet: Devnet
  let owner: MemoChain
  let joined: (secretKey: Uint8Array) => Promise<MemoChain>
  let http: HttpTransport
  let directory: string

  before(async () => {
    const deployerKey = testKey(0xd0)
    devnet = await createDevnet({ genesisAlloc: { [accountFromSecretKey(deployerKey).address]: 10n ** 24n } })
    const network = await deployNetwork(devnet, { deployerKey })
    owner = network.owner
    joined = network.join
    http = createHttpTransport()
    directory = await mkdtemp(join(tmpdir(), 'memo-node-'))
  })
  after(async () => {
    await http.close()
    await devnet.close()
    await rm(directory, { recursive: true })
  })

  const optionsOf = (
    name: string,
    secretKey: Uint8Array,
    signal: AbortSignal,
    events: NodeEvent[],
  ): NodeDaemonOptions => ({
    dataDir: join(directory, name),
    rpcUrl: 'in-process',
    rpcProvider: devnet,
    registry: owner.network.registry,
    secretKey,
    host: '127.0.0.1',
    port: 0,
    onEvent: (event) => events.push(event),
    signal,
  })
  /** Starts a daemon; resolves when it is ready. */
  const start = async (run: (options: NodeDaemonOptions) => Promise<void>, name: string, secretKey: Uint8Array) => {
    const controller = new AbortController()
    const events: NodeEvent[] = []
    const options = optionsOf(name, secretKey, controller.signal, events)
    const ready = Promise.withResolvers<string>()
    const onEvent = (event: NodeEvent) => {
      events.push(event)
      if (event.type === 'ready') ready.resolve(String(event.url))
    }
    const running = run({ ...options, onEvent })
    const url = await Promise.race([ready.promise, running.then(() => assert.fail('it ended before it was ready'))])
    const stop = async () => {
      controller.abort()
      await running
    }
    return { url, events, stop }
  }
  /** One that stores without an order. */
  const runFreeProvider = async (options: NodeDaemonOptions) => {
    await runProviderDaemon({ ...options, limits: { unpaidBytesPerAccount: 2 ** 30 } })
  }
  const portsOf = (signer?: Signer): ClientPorts => ({
    network: owner.network,
    transport: http.transport,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    signer,
  })
  const offer = { capacityBytes: GIB, storagePriceAttoPerGiBSecond: 1n, retrievalPriceAttoPerByte: 1n }
  const contactAt = (endpoint: string) => ({ endpoint, operator: 'test', region: 'test' })

  test('without a role, with another, or with a directory of another kind, they do not start', async () => {
    const key = testKey(0x31)
    const refusal = (run: typeof runProviderDaemon, name: string, secretKey = key) =>
      run(optionsOf(name, secretKey, new AbortController().signal, []))
    await assert.rejects(refusal(runProviderDaemon, 'x'), { name: 'NoRoleError', fix: /memo provider init/ })
    const chain = await joined(key)
    await registerUser(chain.client, { addresses: chain.addresses })
    await assert.rejects(refusal(runProviderDaemon, 'x'), { name: 'WrongRoleError' })
    await assert.rejects(refusal(runKeeperDaemon, 'y'), { name: 'WrongRoleError' })
    await assert.rejects(refusal(runKeeperDaemon, 'x'), { name: 'DataDirectoryError' })
    await writeFile(join(directory, 'y', 'memo.json'), JSON.stringify({ kind: 'keeper', schema: 99 }))
    await assert.rejects(refusal(runKeeperDaemon, 'y'), { name: 'DataDirectoryError', fix: /memo/ })
  })

  test('a registered provider that has not pledged does not start', async () => {
    const chain = await joined(testKey(0x32))
    await registerProvider(chain.client, {
      addresses: chain.addresses,
      contact: contactAt('http://127.0.0.1:1'),
      offer,
    })
    const run = runProviderDaemon(optionsOf('p', testKey(0x32), new AbortController().signal, []))
    await assert.rejects(run, { name: 'NotActiveError', fix: /memo provider init/ })
  })

  test('a provider serves, warns of another endpoint, keeps one process per directory, and comes back with its pieces', async () => {
    const key = testKey(0x33)
    const chain = await joined(key)
    await registerProvider(chain.client, {
      addresses: chain.addresses,
      contact: contactAt('http://127.0.0.1:1'),
      offer,
    })
    await ensurePledge(chain.client, { addresses: chain.addresses })
    const user = await joined(testKey(0x34))
    await registerUser(user.client, { addresses: user.addresses })
    const { address } = createKeySigner(key)

    const first = await start(runFreeProvider, 'provider', key)
    const warning = first.events.find(({ type }) => type === 'endpoint-differs')
    assert.equal(warning?.level, 'warn')
    const again = runProviderDaemon(optionsOf('provider', key, new AbortController().signal, []))
    await assert.rejects(again, { name: 'DataDirectoryInUseError' })

    const piece = createSystemRandomness().bytes(3_000_000)
    const client = createProviderClient(portsOf(createKeySigner(testKey(0x34))), { address, endpoint: first.url })
    const id = createSystemRandomness().bytes(32)
    const { root, sizeBytes } = await client.upload(id, piece, { maxBytes: piece.length, orderId: 0 })
    const receipt = await client.commit(id, { root, sizeBytes })
    await first.stop()
    assert.deepEqual(first.events.at(-1)?.type, 'stopped')
    await assert.rejects(client.info(), { name: 'UnreachableError' })

    const second = await start(runFreeProvider, 'provider', key)
    const later = createProviderClient(portsOf(createKeySigner(testKey(0x34))), { address, endpoint: second.url })
    assert.deepEqual(await later.commit(id, { root, sizeBytes }), receipt)
    const units = await later.readUnits(root, sizeBytes)
    const bytes = await later.read({ root, sizeBytes, units }, { offset: 1_000_000, length: 1_500_000 })
    assert.deepEqual(Buffer.from(bytes), Buffer.from(piece.subarray(1_000_000, 2_500_000)))
    assert.equal(await later.delete(root), true)
    assert.equal(await later.findSize(root), undefined)
    await second.stop()
  })

  test('two keepers match, acknowledge and replicate', async () => {
    const keys = [testKey(0x35), testKey(0x36)]
    const limits = { probeIntervalMs: 500, feedPollMs: 100 }
    const nodes = []
    for (const [i, key] of keys.entries()) {
      const chain = await joined(key)
      await registerKeeper(chain.client, { addresses: chain.addresses, contact: contactAt('http://127.0.0.1:1') })
      await ensurePledge(chain.client, { addresses: chain.addresses })
      const node = await start((options) => runKeeperDaemon({ ...options, limits }), `keeper-${i}`, key)
      await setEndpoint(chain.client, { addresses: chain.addresses, endpoint: node.url })
      nodes.push(node)
    }
    const provider = await start(runProviderDaemon, 'provider', testKey(0x33))
    const chain = await joined(testKey(0x33))
    await setEndpoint(chain.client, { addresses: chain.addresses, endpoint: provider.url })
    const clients = nodes.map(({ url }, i) => {
      return createKeeperClient(portsOf(), { address: createKeySigner(keys[i]!).address, endpoint: url })
    })
    const deadlineMs = Date.now() + 120_000
    const until = async (what: string, check: () => Promise<boolean>) => {
      while (!(await check())) {
        assert.ok(Date.now() < deadlineMs, what)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
    const wanted = { count: 1, pieceBytes: 1_000, exclude: [] }
    await until('the provider is found', async () => (await clients[0]!.match(wanted))[0]?.endpoint === provider.url)

    const master = createKeySigner(testKey(0x37))
    const did = await createMemoDid(await joined(testKey(0x37)), master)
    const world = createWorld()
    const holder = createKeySigner(testKey(0x33))
    const clock = { ...world, time: { ...world.time, clock: createSystemClock() } }
    const part = await createPart(clock, did, [holder, holder, holder, holder], { network: owner.network })
    const log = createLogWriter(clock, did, master, undefined, owner.network)
    const bundle = await log.next([part])
    const ack = await clients[0]!.submit(bundle)
    assert.equal(ack.seq, 1)
    await until('the entry reaches the other keeper', async () => (await clients[1]!.listHeads(did)).length === 1)
    assert.equal((await clients[1]!.submit(bundle)).seq, 1)
    for (const node of [...nodes, provider]) await node.stop()
  })
})
