import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ByteStream, createKeySigner, MemoError } from '@memo/core'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  LIGHT_SCRYPT_N,
  openKeyStore,
} from '@memo/platform'
import { createGatewayClient, type GatewayClient } from '@memo/sdk'
import {
  eventually,
  freshDir,
  type Json,
  killHard,
  memo,
  type Ready,
  type Server,
  start,
  startNetwork,
} from './support/memo.ts'

const MIB = 1_048_576
const UPLOAD_BYTES = 64 * MIB
/** A kill in the middle: all providers have part of their piece, none has been asked to keep it. */
const KILL_AFTER_BYTES = 28 * MIB
const STREAM_BYTES = (process.env.MEMO_LONG ? 1_536 : 512) * MIB
const RSS_LIMIT_BYTES = 300 * MIB
const BACK_MS = 180_000
/** Pieces of half of it: two fit into 1 MiB. */
const PUT_BYTES = 900_000

let dir: string
let server: Server
let ready: Ready
let client: GatewayClient
const http = createHttpTransport()

before(async () => {
  dir = await freshDir()
  const started = await startNetwork(dir, ['--keepers', '3', '--providers', '5', '--policy', 'rs:2+1'])
  ;({ server, ready } = started)
  const keysDir = join(dir, 'keys')
  const password = (await readFile(join(keysDir, 'password'), 'utf8')).trimEnd()
  const keys = await openKeyStore(keysDir, password, { scryptN: LIGHT_SCRYPT_N })
  const signer = createKeySigner(await keys.load(basename(ready.keyFile, '.json')))
  const ports = { transport: http.transport, clock: createSystemClock(), random: createSystemRandomness() }
  client = createGatewayClient({ endpoint: ready.gateway, did: ready.did, signer, ...ports })
  await client.login()
})
after(async () => {
  await http.close()
  await server?.stop()
})

/** Bytes that no two names have in common, the same each time; `onSent` hears how many have been taken. */
function bytesOf(name: string, sizeBytes: number, onSent: (bytes: number) => void = () => undefined) {
  const key = createHash('sha256').update(name).digest()
  return async function* open(): ByteStream {
    const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
    const zeros = Buffer.alloc(MIB)
    for (let sent = 0; sent < sizeBytes; sent += MIB) {
      yield new Uint8Array(cipher.update(zeros.subarray(0, Math.min(MIB, sizeBytes - sent))))
      onSent(sent + MIB)
    }
  } as () => ByteStream
}

async function digestOf(stream: ByteStream): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of stream) hash.update(bytes)
  return hash.digest('hex')
}

/** The process that runs under this name now. */
function pidOf(name: string): number {
  const again = server.seen('node-up').findLast((event) => event.name === name)
  return Number(again?.pid ?? ready.nodes.find((node) => node.name === name)?.pid)
}

function timesUp(name: string): number {
  return server.seen('node-up').filter((event) => event.name === name).length
}

function keeperUrls(): string[] {
  return ready.nodes.filter(({ role }) => role === 'keeper').map(({ url }) => url)
}

async function untilReady(): Promise<void> {
  await eventually('the gateway is ready', BACK_MS, async () => {
    const answer = await fetch(`${ready.gateway}/readyz`).catch(() => undefined) // it is not up yet
    return answer?.status === 200
  })
}

/** Files that providers have begun and not finished. */
async function listHalfWritten(): Promise<string[]> {
  const providers = (await readdir(dir)).filter((name) => name.startsWith('provider-'))
  const found = await Promise.all(
    providers.map(async (name) => (await readdir(join(dir, name, 'incoming'))).map((file) => `${name}/${file}`)),
  )
  return found.flat()
}

describe('kill -9 in the middle of an upload of 64 MiB', () => {
  /** By name: what a client was told is stored, and what it was told nothing of. */
  const stored = new Map<string, string>()
  const attempted = new Map<string, string>()

  async function upload(name: string, onSent?: (bytes: number) => void): Promise<void> {
    attempted.set(name, await digestOf(bytesOf(name, UPLOAD_BYTES)()))
    const hashed = UPLOAD_BYTES
    let taken = 0
    // The client reads the source twice, first for its CID.
    const count = () => {
      taken += MIB
      if (taken > hashed) onSent?.(taken - hashed)
    }
    await client.upload(bytesOf(name, UPLOAD_BYTES, count), { name })
    stored.set(name, attempted.get(name)!)
  }

  async function assertWhole(): Promise<void> {
    const listed = await client.list()
    const names = listed.map((object) => object.name)
    for (const name of stored.keys()) assert.ok(names.includes(name), `${name} was stored and is not listed`)
    assert.equal(new Set(names).size, names.length, 'nothing is listed twice')
    for (const { name, cid, sizeBytes } of listed) {
      assert.equal(sizeBytes, UPLOAD_BYTES)
      assert.equal(
        await digestOf((await client.download(cid)).body),
        attempted.get(name),
        `${name} comes back as it was`,
      )
    }
  }

  for (const victim of ['provider-2', 'keeper-1', 'chain', 'gateway']) {
    test(`of ${victim}: what was stored is whole, and the network takes files again`, async () => {
      const before = timesUp(victim)
      let isKilled = false
      const outcome = await upload(`while ${victim} dies`, (sent) => {
        if (isKilled || sent < KILL_AFTER_BYTES) return
        isKilled = true
        killHard(pidOf(victim))
      }).catch((error: unknown) => error)
      assert.ok(isKilled)
      if (outcome) assert.ok(outcome instanceof MemoError && outcome.retry !== 'never', String(outcome))
      if (victim === 'keeper-1' || victim === 'provider-2') assert.equal(outcome, undefined, 'others stand in for it')
      await eventually(`${victim} is up again`, BACK_MS, () => timesUp(victim) > before)
      await untilReady()
      await upload(`after ${victim} died`)
    })
  }

  test('of all providers at once: every file that was stored comes back, none is phantom, nothing half-written stays', async () => {
    assert.ok(stored.size >= 6, `${stored.size} uploads succeeded`)
    const names = ready.nodes.filter(({ role }) => role === 'provider').map(({ name }) => name)
    const before = names.map(timesUp)
    for (const name of names) killHard(pidOf(name))
    await eventually('all are up again', BACK_MS, () => names.every((name, i) => timesUp(name) > before[i]!))
    assert.deepEqual(await listHalfWritten(), [], 'what a commit did not finish is gone')
    await assertWhole()
  })
})

describe('a provider with room for next to nothing', () => {
  test('is full soon, and files go on being stored elsewhere', async () => {
    const data = join(await freshDir(), 'tiny')
    const network = ['--rpc', ready.rpc, '--registry', ready.registry]
    const made = await memo(['provider', 'init', ...network, '--data', data, '--capacity', '1MiB', '--json'])
    assert.equal(made.code, 0, made.stderr)
    const tiny = start(['provider', 'run', '--data', data])
    const { url, address } = await tiny.event('ready')
    const infoOf = async () => (await (await fetch(`${url}/info`)).json()) as { freeBytes: number; pieces: number }
    const put = async (name: string) => {
      const { cid } = await client.upload(bytesOf(name, PUT_BYTES), { name })
      const { parts } = (await client.status(cid)) as { parts: Json[] }
      assert.equal(parts.filter(({ alive }) => alive).length, 3, 'every piece has a place')
      return parts.map(({ provider }) => provider)
    }
    // With three of five stopped, the tiny one is needed.
    const stopped = ['provider-1', 'provider-2', 'provider-3'].map(pidOf)
    for (const pid of stopped) process.kill(pid, 'SIGSTOP')
    try {
      await eventually('keepers have noticed', BACK_MS, async () => {
        const infos = await Promise.all(
          keeperUrls().map(async (keeper) => (await (await fetch(`${keeper}/info`)).json()) as Json),
        )
        return infos.every(({ providersSeen }) => providersSeen === 3)
      })
      assert.ok((await put('small 1')).includes(address))
      assert.ok((await put('small 2')).includes(address))
      assert.ok((await infoOf()).freeBytes < PUT_BYTES / 2, 'it is full')
      await assert.rejects(client.upload(bytesOf('small 3', PUT_BYTES), { name: 'small 3' }), { name: 'GatewayError' })
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT')
    }
    await eventually(
      'the others are back',
      BACK_MS,
      async () => !(await put('small 3').catch(() => [address])).includes(address),
    )
    assert.equal((await infoOf()).pieces, 2)
    assert.deepEqual(
      (await client.list())
        .map(({ name }) => name)
        .filter((name) => name.startsWith('small'))
        .sort(),
      ['small 1', 'small 2', 'small 3'],
    )
    assert.equal(await tiny.stop(), 0)
  })
})

describe('a stream that is far larger than the memory allowed', () => {
  test(`${STREAM_BYTES / MIB} MiB go in and come out through a gateway of at most 300 MiB`, async () => {
    const open = bytesOf('large', STREAM_BYTES)
    const { cid } = await client.upload(open, { name: 'large' })
    assert.equal(await digestOf((await client.download(cid)).body), await digestOf(open()))
    const status = await readFile(`/proc/${pidOf('gateway')}/status`, 'utf8')
    const peakBytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
    assert.ok(peakBytes > 0 && peakBytes <= RSS_LIMIT_BYTES, `peak RSS ${Math.round(peakBytes / MIB)} MiB`)
  })
})
