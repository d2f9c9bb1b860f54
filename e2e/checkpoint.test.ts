import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { accountFromSecretKey, connectNetwork, createCheckpointChain, registerUser } from '@memo/chain'
import { type Address, createKeySigner, hex32 } from '@memo/core'
import { createMemoDid } from '@memo/did'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient } from '@memo/sdk'
import { LOCAL_BANK_KEY } from '../packages/cli/src/local-chain.ts'
import {
  eventually,
  freshDir,
  type Json,
  killHard,
  memo,
  type Ready,
  type Server,
  startNetwork,
} from './support/memo.ts'

const CHECKPOINT_SECONDS = 2
const COVERED_MS = 120_000
const NETWORK = [
  ...['--no-restart', '--providers', '7', '--keepers', '3', '--policy', 'rs:4+2'],
  ...['--checkpoint-every', `${CHECKPOINT_SECONDS}`],
]

/** One network, one story: everybody stores, the chain remembers, all but chain and k providers die. */
describe('with the gateway, every keeper and m providers dead', () => {
  const http = createHttpTransport()
  let base: string
  let server: Server
  let ready: Ready
  let alice: Person
  let bob: Person
  let lastMs = 0

  before(async () => {
    base = await freshDir()
    ;({ server, ready } = await startNetwork(join(base, 'network'), NETWORK))
    ;[alice, bob] = [await newPerson('alice'), await newPerson('bob')]
  })
  after(async () => {
    await server.stop()
    await http.close()
  })

  /** Somebody with a new DID, a key file, and what shall come back. */
  type Person = Awaited<ReturnType<typeof newPerson>>
  const newPerson = async (name: string) => {
    const chain = await connectAs(LOCAL_BANK_KEY)
    const secretKey = new Uint8Array(randomBytes(32))
    const signer = createKeySigner(secretKey)
    const did = await createMemoDid(chain, signer)
    const keyFile = join(base, `${name}.key`)
    await writeFile(keyFile, hex32(secretKey))
    const client = createGatewayClient({
      endpoint: ready.gateway,
      transport: http.transport,
      did,
      signer,
      clock: createSystemClock(),
      random: createSystemRandomness(),
    })
    return { name, did, keyFile, client, files: new Map<string, Uint8Array>() }
  }
  const connectAs = async (secretKey: Uint8Array) =>
    await connectNetwork({
      rpcUrl: ready.rpc,
      registry: ready.registry as Address,
      account: accountFromSecretKey(secretKey),
      pollingIntervalMs: 20,
    })
  const upload = async ({ client, files }: Person, name: string, size: number, isPublic = false) => {
    const bytes = new Uint8Array(randomBytes(size))
    await client.upload(bytes, { name, isPublic })
    files.set(name, bytes)
    lastMs = Date.now()
  }
  const remove = async ({ client, files }: Person, name: string) => {
    const object = (await client.list()).find((one) => one.name === name)
    assert.ok(object)
    await client.remove(object.id)
    files.delete(name)
    lastMs = Date.now()
  }
  /** What the gateway said of checkpoints, newest last. */
  const written = async (): Promise<Json[]> => {
    const log = await readFile(join(ready.dataDir, 'logs', 'gateway.log'), 'utf8')
    const lines = log.split('\n').filter((line) => line.includes('"checkpoint-written"'))
    return lines.map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Json)
  }
  const isCovered = async ({ did }: Person) =>
    (await written()).some((event) => event.did === did && Date.parse(`${event.at}`) - Number(event.ms) > lastMs)
  const restore = async ({ keyFile, name }: Person, out: string, ...more: string[]) => {
    const dir = join(base, `${name}-${out}`)
    const startedMs = performance.now()
    const outcome = await memo(['restore', '--key', keyFile, '--rpc', ready.rpc, '-o', dir, '--json', ...more])
    assert.equal(outcome.code, 0, outcome.stderr)
    return { ...outcome, dir, ms: Math.round(performance.now() - startedMs) }
  }
  const assertSame = async (dir: string, files: ReadonlyMap<string, Uint8Array>) => {
    assert.deepEqual((await readdir(dir)).sort(), [...files.keys()].sort())
    for (const [name, bytes] of files) assert.ok((await readFile(join(dir, name))).equals(bytes), name)
  }

  test('the gateway tells the chain what each DID has stored and deleted', async (t) => {
    await upload(alice, 'large.bin', 9_000_001)
    await upload(alice, 'gone.bin', 40_000)
    await upload(alice, 'empty.bin', 0)
    for (let i = 0; i < 5; i++) await upload(alice, `small-${i}.bin`, 1_000 + i)
    await upload(alice, 'public.bin', 300_000, true)
    await upload(bob, 'of bob.bin', 70_000)
    await eventually('there is a first checkpoint', COVERED_MS, async () => (await written()).length > 1)
    await upload(alice, 'later.bin', 5_000)
    await remove(alice, 'gone.bin')
    await eventually('all is covered', COVERED_MS, () => isCovered(alice))
    for (const { did, gasUsed, sizeBytes, seq, from, placementBytes } of await written()) {
      t.diagnostic(JSON.stringify({ did: `${did}`.slice(0, 17), from, seq, sizeBytes, placementBytes, gasUsed }))
    }
    const listed = (await alice.client.list()).map(({ name }) => name)
    assert.deepEqual(listed.sort(), [...alice.files.keys()].sort(), 'checkpoints are not among the files')
  })

  test('keepers are asked first, and know what came later; with --from-checkpoint they are not asked', async () => {
    const covered = new Map(alice.files)
    await upload(alice, 'latest.bin', 2_000)
    killHard(ready.nodes.find(({ role }) => role === 'gateway')?.pid ?? 0)
    const all = await restore(alice, 'all')
    assert.equal(all.last.source, 'keepers')
    await assertSame(all.dir, alice.files)
    const some = await restore(alice, 'some', '--from-checkpoint')
    assert.equal(some.last.source, 'checkpoints')
    await assertSame(some.dir, covered)
    alice.files.delete('latest.bin')
  })

  test('who stores without a gateway has the chain remember it himself', async () => {
    const verb = async (...args: string[]) => await memo([...args, '--data', ready.dataDir, '--json'])
    const bytes = new Uint8Array(randomBytes(50_000))
    await writeFile(join(base, 'own.bin'), bytes)
    const put = await verb('put', join(base, 'own.bin'))
    assert.deepEqual([put.code, put.last.uncovered], [0, 1])
    const first = await verb('checkpoint')
    assert.deepEqual([first.code, first.last.written, first.last.seq], [0, true, 1], first.stderr)
    assert.equal((await verb('checkpoint')).last.written, false)
    assert.equal((await verb('ls')).last.inCheckpoint, true)
    const [mine] = (await verb('info')).last.checkpoints as Json[]
    assert.deepEqual(
      [mine?.name, mine?.seq, typeof mine?.block, typeof mine?.timestamp],
      ['you', 1, 'number', 'number'],
    )
    await writeFile(join(base, 'again.bin'), bytes.slice(1))
    const again = await verb('put', join(base, 'again.bin'))
    assert.equal(again.last.uncovered, 1)
    assert.equal((await verb('ls')).last.inCheckpoint, false)
    const removed = await verb('rm', `${again.last.id}`, '--checkpoint')
    assert.deepEqual([removed.code, removed.last.event, removed.last.uncovered], [0, 'deleted', 0], removed.stderr)
    assert.ok(removed.lines.some(({ event, written }) => event === 'checkpoint' && written === true))
    const [own, dir] = [ready.keyFile, join(base, 'own')]
    const args = ['restore', '--key', own, '--rpc', ready.rpc, '-o', dir, '--from-checkpoint', '--data', ready.dataDir]
    const restored = await memo(args)
    assert.equal(restored.code, 0, restored.stderr)
    await assertSame(dir, new Map([['own.bin', bytes]]))
  })

  test('a stranger who leaves noise in a slot is told of, and changes nothing', async () => {
    const { client, addresses } = await connectAs(LOCAL_BANK_KEY)
    await registerUser(client, { addresses })
    const placement = new Uint8Array(randomBytes(500))
    await createCheckpointChain({ client, addresses }).write({
      did: alice.did,
      seq: 99,
      hash: placement.slice(0, 32),
      placement,
    })
    const outcome = await restore(alice, 'noise', '--from-checkpoint')
    const source = outcome.lines.find(({ event }) => event === 'source')
    const faults = (source?.faults ?? []) as Json[]
    assert.equal(faults[0]?.writer, client.account?.address.toLowerCase())
    await assertSame(outcome.dir, alice.files)
  })

  test('every file of every DID comes back byte for byte from key and chain, and what is not known is said', async (t) => {
    const doomed = ready.nodes.filter(({ role, name }) => role === 'keeper' || /^provider-[12]$/.test(name))
    assert.equal(doomed.length, 5)
    for (const { pid } of doomed) killHard(pid)
    for (const { name } of doomed) await server.event('node-down', (event) => event.name === name)
    for (const person of [alice, bob]) {
      const { dir, last, ms, lines } = await restore(person, 'dead')
      await assertSame(dir, person.files)
      assert.deepEqual([last.source, last.restored, last.failed], ['checkpoints', person.files.size, 0])
      const [upTo] = last.upTo as { seq: number; time: string; block: number }[]
      assert.ok(upTo && upTo.seq > 0 && Date.parse(upTo.time) > 0 && upTo.block > 0, JSON.stringify(last))
      assert.equal(lines[0]?.event, 'source')
      t.diagnostic(`${person.files.size} files restored in ${ms} ms`)
    }
    const spoken = await memo(['restore', '--key', alice.keyFile, '--rpc', ready.rpc, '-o', join(base, 'spoken')])
    assert.match(spoken.stdout, /stored or deleted after .*Z may be missing/)
    assert.match(spoken.stderr, /no keeper was asked or answers/)
  })
})
