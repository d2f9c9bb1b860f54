import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createCachedChain } from '@memo/chain'
import { createTurns } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createGateway, type Gateway, listenAt } from '@memo/gateway'
import {
  createByteBudget,
  createStripePool,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  type Listener,
  type StripePool,
} from '@memo/platform'
import { cidOf, createCaller, queryOf, type TestCaller } from './support/caller.ts'
import { until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork } from './support/network.ts'
import { fresh, store } from './support/objects.ts'

const MIB = 1_048_576
const CLIENTS = 12
const READS_OF_EACH = 6
/** So little that what is given back is used at once, by whoever waits. */
const READ_MEMORY_BYTES = 24 * MIB

type Stored = { readonly content: Uint8Array; readonly cid: string; readonly owner: TestCaller | undefined }

let network: TestNetwork
let pool: StripePool
let gateway: Gateway
let listener: Listener
const objects: Stored[] = []
/** Signed calls of one session are numbered: the next is sent when the one before is let in. */
const inTurn = createTurns()

/** A gateway as it is served: work on strips goes to threads, and memory of what is sent is lent again. */
before(async () => {
  network = await startNetwork()
  pool = createStripePool({ threads: 1 })
  const clock = createSystemClock()
  let isReady = false
  gateway = await createGateway({
    chain: createCachedChain(network.chain, clock, 500),
    contracts: network.gatewayChain,
    transport: network.http.transport,
    clock,
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    store: createMemoryIndexStore(),
    secretKey: GATEWAY_KEY,
    policy: 'rs:2+1',
    encode: async (stripe) => await pool.encode(stripe),
    hashUnits: async (data) => await pool.hashUnits(data),
    openChunks: async (chunks) => await pool.openChunks(chunks),
    memory: { put: createByteBudget(64 * MIB), read: createByteBudget(READ_MEMORY_BYTES) },
    onEvent: ({ type }) => {
      isReady ||= type === 'table-restored'
    },
  })
  await gateway.start()
  listener = await listenAt(gateway.server, '127.0.0.1', 0)
  await until('the table is filled', () => isReady)
  const { did, master } = await network.newDid()
  const owner = createCaller(listener.url, did, master)
  await owner.login()
  for (const [isPublic, bytes] of [
    [true, 5 * MIB],
    [false, 5 * MIB + 4_321],
    [true, 3 * MIB + 77],
    [false, 8 * MIB],
  ] as const) {
    const content = fresh(bytes)
    await store(owner, content, { isPublic })
    objects.push({ content, cid: cidOf(content), owner: isPublic ? undefined : owner })
  }
})
after(async () => {
  await listener.close(500)
  await gateway.stop()
  await pool.close()
  await network.close()
})

/** The path of an object, signed by its owner where it is private. */
async function pathOf({ cid, owner }: Stored): Promise<string> {
  return `/mefs/${cid}${owner ? `?${queryOf(await owner.sign())}` : ''}`
}

type Plan = { readonly from: number; readonly to: number; readonly leaveAt: number; readonly pauseMs: number }

/** Reads a stretch and compares every byte as it comes; leaves where the plan says. */
async function readAndCompare(object: Stored, { from, to, leaveAt, pauseMs }: Plan): Promise<void> {
  const ask = async () => {
    const path = await pathOf(object)
    const { port } = listener
    const request = get({ host: '127.0.0.1', port, path, headers: { range: `bytes=${from}-${to - 1}` } })
    request.on('error', () => undefined) // who leaves breaks the connection
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { request, response }
  }
  const { request, response } = object.owner ? await inTurn('owner', ask) : await ask()
  assert.equal(response.statusCode, 206)
  let at = from
  for await (const bytes of response as AsyncIterable<Uint8Array>) {
    const isSame = Buffer.compare(bytes, object.content.subarray(at, at + bytes.length)) === 0
    assert.ok(isSame, `${object.cid} is other than it was stored behind byte ${at}`)
    at += bytes.length
    if (at - from >= leaveAt) break // ends the stream, and with it the connection
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  request.destroy()
  if (leaveAt === Number.POSITIVE_INFINITY) assert.equal(at, to)
}

/** Numbers that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function planFor(pick: (below: number) => number, size: number): Plan {
  const isWhole = pick(2) === 0
  const from = isWhole ? 0 : pick(size - 1)
  const to = isWhole ? size : from + 1 + pick(size - from - 1)
  const leaveAt = pick(3) === 0 ? pick(to - from) : Number.POSITIVE_INFINITY
  return { from, to, leaveAt, pauseMs: pick(4) === 0 ? 3 : 0 }
}

describe('memory that is lent to downloads again and again', () => {
  test('gives each of many clients the bytes that were stored, while others leave, read slowly, or read the same', async () => {
    const client = async (seed: number) => {
      const pick = numbers(seed)
      for (let read = 0; read < READS_OF_EACH; read++) {
        const object = objects[pick(objects.length)]!
        await readAndCompare(object, planFor(pick, object.content.length))
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, async (_, index) => await client(index + 1)))
  })

  test('gives requests that come behind each other on one connection their own bytes, HEAD between them', async () => {
    const [first, second] = [objects[0]!, objects[2]!]
    const asks = [
      { object: first, method: 'GET' },
      { object: second, method: 'HEAD' },
      { object: second, method: 'GET' },
      { object: first, method: 'GET' },
    ]
    const socket = connect(listener.port, '127.0.0.1')
    for (const { object, method } of asks) socket.write(`${method} /mefs/${object.cid} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const others = Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const object = objects[index % objects.length]!
        await readAndCompare(object, { from: 0, to: object.content.length, leaveAt: 2 * MIB, pauseMs: 0 })
      }),
    )
    const blocks: Uint8Array[] = []
    const total = 2 * first.content.length + second.content.length
    let length = 0
    for await (const block of socket as AsyncIterable<Uint8Array>) {
      blocks.push(block)
      length += block.length
      if (length > total && bodiesOf(Buffer.concat(blocks), asks)) break
    }
    const bodies = bodiesOf(Buffer.concat(blocks), asks)
    assert.deepEqual(
      bodies?.map((body, index) =>
        Buffer.compare(body, asks[index]!.method === 'HEAD' ? new Uint8Array(0) : asks[index]!.object.content),
      ),
      [0, 0, 0, 0],
    )
    await others
  })
})

/** The bodies of answers in a row; undefined while the last is not there. */
function bodiesOf(
  raw: Buffer,
  asks: readonly { readonly method: string; readonly object: Stored }[],
): Uint8Array[] | undefined {
  let at = 0
  const bodies: Uint8Array[] = []
  for (const { method, object } of asks) {
    const head = raw.indexOf('\r\n\r\n', at)
    const end = head + 4 + (method === 'HEAD' ? 0 : object.content.length)
    if (head < 0 || end > raw.length) return undefined
    assert.match(raw.toString('latin1', at, head), /^HTTP\/1\.1 200 /)
    bodies.push(raw.subarray(head + 4, end))
    at = end
  }
  return bodies
}
