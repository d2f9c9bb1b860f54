import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, hexFromBytes, type Signer } from '@memo/core'
import { createLogWriter, createPart, createPerson } from './support/entries.ts'
import { createWorld, errorName, type KeeperNode, type Stored, signedHeaders, store } from './support/world.ts'

const HOUR_MS = 3_600_000
/** A grace of one hour, and a pass every quarter of one: an unneeded piece is gone after an hour and a half. */
const LIMITS = { unplacedGraceMs: HOUR_MS, collectRestMs: HOUR_MS / 4 }
/** Keepers look around less often here, so that hours pass quickly. */
const KEEPER_LIMITS = { probeIntervalMs: 600_000, eagerForMs: 1, feedPollMs: 60_000, feedBackoffMs: 60_000 }

async function startedWorld(keeperCount = 2) {
  const world = createWorld()
  const keepers = Array.from({ length: keeperCount }, (_, i) => world.keeper(`${i}`, { limits: KEEPER_LIMITS }))
  for (const keeper of keepers) await keeper.start()
  const provider = world.provider('a', { limits: LIMITS })
  await provider.start()
  const others = ['b', 'c', 'd'].map((name) => {
    const signer = world.stranger(`holder ${name}`)
    world.chain.setAccount({ address: signer.address, role: 'provider' })
    return signer
  })
  const alice = createPerson(world, 'alice')
  const log = createLogWriter(world, alice.did, alice.key)
  const client = provider.client(world.user('alice'))
  const put = async () => await store(client, world, world.random.bytes(5_000))
  /** An entry that needs the piece where it is. */
  const place = async (piece: Stored, to: readonly KeeperNode[] = keepers) => {
    const roots = [piece.root, ...others.map(() => world.random.bytes(32))]
    const holders: Signer[] = [provider.signer, ...others]
    const bundle = await log.next([await createPart(world, alice.did, holders, { roots })])
    for (const keeper of to) await keeper.client().submit(bundle)
  }
  const remove = async (seq: number, from: readonly KeeperNode[] = keepers) => {
    const bundle = await log.remove(alice.key.address, seq)
    for (const keeper of from) await keeper.client().submit(bundle)
  }
  const isThere = (piece: Stored) => provider.disk.pieceRoots().includes(hex32(piece.root))
  return { world, keepers, provider, client, put, place, remove, isThere }
}

describe('a piece that no entry needs', () => {
  test('is there for the grace, then gone with its record and its space', async () => {
    const { world, provider, client, put, isThere } = await startedWorld()
    const before = await client.info()
    const piece = await put()
    await world.time.advance(HOUR_MS)
    assert.ok(isThere(piece))
    await world.time.advance(HOUR_MS / 2 + 1)
    assert.ok(!isThere(piece))
    assert.deepEqual(await client.info(), before)
    assert.equal(await client.findSize(piece.root), undefined)
    assert.ok(provider.events.some(({ type, root }) => type === 'piece-collected' && root === hex32(piece.root)))
  })

  test('stays as long as one keeper does not answer, who alone might know of it', async () => {
    const { world, keepers, provider, put, isThere } = await startedWorld()
    const piece = await put()
    keepers[1]!.crash()
    await world.time.advance(5 * HOUR_MS)
    assert.ok(isThere(piece))
    assert.ok(provider.events.some(({ type }) => type === 'collection-failed'))
    await keepers[1]!.start()
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(piece))
  })

  test('stays while there is no keeper at all', async () => {
    const { world, put, isThere } = await startedWorld(0)
    const piece = await put()
    await world.time.advance(5 * HOUR_MS)
    assert.ok(isThere(piece))
  })

  test('has a new grace when it is committed again', async () => {
    const { world, client, put, isThere } = await startedWorld()
    const piece = await put()
    const bytes = await client.read({ ...piece, units: await client.readUnits(piece.root, piece.sizeBytes) }, ALL)
    await world.time.advance(HOUR_MS + 60_000)
    assert.ok(isThere(piece), 'one pass has found it unneeded')
    await store(client, world, bytes)
    await world.time.advance(HOUR_MS)
    assert.ok(isThere(piece))
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(piece))
  })

  test('is collected though the provider crashed meanwhile', async () => {
    const { world, provider, put, isThere } = await startedWorld()
    const piece = await put()
    for (let i = 0; i < 3; i++) {
      await world.time.advance(HOUR_MS / 2)
      provider.crash()
      await provider.start()
    }
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(piece))
  })
})

const ALL = { offset: 0, length: 5_000 }

describe('a piece that an entry needs', () => {
  test('is never collected, though one keeper alone knows of it', async () => {
    const { world, keepers, put, place, isThere } = await startedWorld()
    const [both, one] = [await put(), await put()]
    await place(both)
    await place(one, [keepers[0]!])
    world.net.setLink(keepers[0]!.endpoint, '*', { state: 'refused' })
    world.net.setLink(keepers[1]!.endpoint, '*', { state: 'refused' })
    await world.time.advance(10 * HOUR_MS)
    assert.ok(isThere(both) && isThere(one))
  })

  test('is collected when the entry is deleted and its writer gave up before the pieces', async () => {
    const { world, put, place, remove, isThere } = await startedWorld()
    const [kept, deleted] = [await put(), await put()]
    await place(kept)
    await place(deleted)
    await world.time.advance(3 * HOUR_MS)
    await remove(2)
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(deleted))
    assert.ok(isThere(kept))
  })

  test('is collected when a better placement puts its part elsewhere', async () => {
    const { world, keepers, provider, put, isThere } = await startedWorld()
    const piece = await put()
    const alice = createPerson(world, 'alice again')
    const log = createLogWriter(world, alice.did, alice.key)
    const holder = (name: string) => {
      const signer = world.stranger(name)
      world.chain.setAccount({ address: signer.address, role: 'provider' })
      return signer
    }
    const [b, c, d] = [holder('b'), holder('c'), holder('d')]
    const roots = [piece.root, ...Array.from({ length: 3 }, () => world.random.bytes(32))]
    const submit = async (holders: readonly (Signer | undefined)[]) => {
      const bundle = await log.next([await createPart(world, alice.did, holders, { roots })])
      for (const keeper of keepers) await keeper.client().submit(bundle)
    }
    await submit([provider.signer, b, c, undefined])
    await world.time.advance(2 * HOUR_MS)
    assert.ok(isThere(piece))
    await submit([holder('e'), b, c, d])
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(piece))
  })

  test('outlives keepers that have lost their records', async () => {
    const { world, keepers, put, place, isThere } = await startedWorld()
    const piece = await put()
    await place(piece)
    await world.time.advance(2 * HOUR_MS)
    for (const [i, keeper] of keepers.entries()) {
      await keeper.stop()
      const { address } = keeper.signer
      world.chain.setAccount({ address, role: 'keeper', state: 'exited' })
      await world.keeper(`${i} with an empty disk`, { limits: KEEPER_LIMITS }).start()
    }
    await world.time.advance(5 * HOUR_MS)
    assert.ok(isThere(piece))
  })

  test('stays while another entry needs the same part', async () => {
    const { world, keepers, provider, put, isThere } = await startedWorld()
    const piece = await put()
    const alice = createPerson(world, 'alice again')
    const log = createLogWriter(world, alice.did, alice.key)
    const part = await createPart(world, alice.did, Array(4).fill(provider.signer), {
      roots: [piece.root, ...Array.from({ length: 3 }, () => world.random.bytes(32))],
    })
    const client = keepers[0]!.client()
    await client.submit(await log.next([part]))
    await client.submit(await log.next([part]))
    const holding = async () => (await client.listHoldings(provider.signer.address, [hex32(piece.root)]))[0]
    assert.equal(await holding(), 'placed')
    await client.submit(await log.remove(alice.key.address, 1))
    assert.equal(await holding(), 'placed')
    await world.time.advance(3 * HOUR_MS)
    assert.ok(isThere(piece))
    await client.submit(await log.remove(alice.key.address, 2))
    assert.equal(await holding(), 'released')
    await world.time.advance(HOUR_MS)
    assert.ok(!isThere(piece))
  })
})

describe('a keeper that is asked what is needed', () => {
  test('counts what its owner needs, and not who else names the part', async () => {
    const { world, keepers, provider, put } = await startedWorld()
    const piece = await put()
    const client = keepers[0]!.client()
    const [alice, mallory] = [createPerson(world, 'alice once more'), createPerson(world, 'mallory')]
    const [own, other] = [alice, mallory].map(({ did, key }) => createLogWriter(world, did, key))
    const roots = [piece.root, ...Array.from({ length: 3 }, () => world.random.bytes(32))]
    const part = await createPart(world, alice.did, Array(4).fill(provider.signer), { roots })
    await client.submit(await own!.next([part]))
    await client.submit({ ...(await other!.next([part])), parts: [] })
    const holding = async () => (await client.listHoldings(provider.signer.address, [hex32(piece.root)]))[0]
    assert.equal(await holding(), 'placed')
    await client.submit(await own!.remove(alice.key.address, 1))
    assert.equal(await holding(), 'released')
  })

  test('answers in the order of the question, and refuses what is no question', async () => {
    const { world, keepers, provider, put, place } = await startedWorld()
    const [placed, unknown] = [await put(), await put()]
    await place(placed)
    const keeper = keepers[0]!
    const roots = [hex32(unknown.root), hex32(placed.root)]
    assert.deepEqual(await keeper.client().listHoldings(provider.signer.address, roots), ['unknown', 'placed'])
    const stranger = world.stranger('x').address
    assert.deepEqual(await keeper.client().listHoldings(stranger, roots), ['unknown', 'unknown'])
    const ask = async (body: unknown) =>
      await keeper.raw({ method: 'POST', url: '/holdings', body: Buffer.from(JSON.stringify(body)) })
    const address = provider.signer.address
    const bad = [
      null,
      {},
      { provider: address },
      { provider: 'x', roots },
      { provider: address, roots: 'x' },
      { provider: address, roots: ['../x'] },
      { provider: address, roots: [hexFromBytes(placed.root)] },
      { provider: address, roots: Array(501).fill(roots[0]) },
    ]
    for (const body of bad) assert.equal((await ask(body)).status, 400, JSON.stringify(body)?.slice(0, 60))
  })
})

describe('a deletion', () => {
  test('that was carried out is not carried out again by its repetition, also after a restart', async () => {
    const { world, provider, client } = await startedWorld(0)
    const bytes = world.random.bytes(5_000)
    const alice = world.user('alice')
    const { root } = await store(client, world, bytes)
    const path = `/pieces/${hex32(root)}`
    const request = { method: 'DELETE', path, body: new Uint8Array(0) }
    const headers = await signedHeaders(world, alice, provider.signer.address, request)
    const send = async () => await provider.raw({ method: 'DELETE', url: path, headers })
    assert.equal((await send()).status, 200)
    await store(client, world, bytes)
    provider.crash()
    await provider.start()
    const again = await send()
    assert.deepEqual([again.status, errorName(again)], [401, 'UnauthorizedError'])
    assert.equal(await client.findSize(root), 5_000)
    await world.time.advance(HOUR_MS)
    const left = await provider.disk.openIndexStore().list({ prefix: 'nonce/', limit: 10 })
    assert.deepEqual(left, [], 'nonces are forgotten when they have expired')
  })
})
