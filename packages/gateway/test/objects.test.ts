import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type IndexStore, type Manifest, textFromUtf8 } from '@memo/core'
import { createMemoryIndexStore, createSeededRandomness } from '@memo/core/testing'
import type { MemoDid } from '@memo/did'
import fc from 'fast-check'
import { ID_KEY, type ObjectTable, openObjectTable } from '../src/store/objects.ts'

const KEY = new Uint8Array(32).fill(5)
const ALICE: MemoDid = `did:memo:${'a'.repeat(64)}`
const BOB: MemoDid = `did:memo:${'b'.repeat(64)}`
const DIDS: readonly MemoDid[] = [ALICE, BOB]

async function open(store: IndexStore = createMemoryIndexStore(), key = KEY): Promise<ObjectTable> {
  return await openObjectTable(store, key, createSeededRandomness('table'))
}

function manifestOf(cid: string, id?: number, isPublic = false): Manifest {
  return {
    name: `secret-name-${cid}`,
    contentType: 'text/plain',
    cid,
    sizeBytes: 1,
    createdAt: 1_700_000_000,
    isPublic,
    contentKey: undefined,
    parts: [],
    metadata: id === undefined ? {} : { [ID_KEY]: String(id) },
  }
}

async function idsOf(table: ObjectTable, did: MemoDid): Promise<number[]> {
  const ids: number[] = []
  for await (const { id } of table.list(did)) ids.push(id)
  return ids
}

describe('the table of objects', () => {
  test('finds an object by number, by owner and CID, and among public ones; the newest counts', async () => {
    const table = await open()
    for (const seq of [1, 2]) await table.add(ALICE, { seq, manifest: manifestOf('cid', seq, true) }, seq)
    await table.add(BOB, { seq: 1, manifest: manifestOf('cid', 3) }, 3)
    assert.equal((await table.findOwned(ALICE, 'cid'))?.id, 2)
    assert.equal((await table.findOwned(BOB, 'cid'))?.id, 3)
    assert.equal((await table.findPublic('cid'))?.id, 2)
    assert.equal((await table.findById(3))?.did, BOB)
    for (const id of [2, 1]) await table.remove((await table.findById(id))!)
    assert.equal(await table.findPublic('cid'), undefined)
    assert.equal(await table.findOwned(ALICE, 'cid'), undefined)
    assert.deepEqual(await idsOf(table, ALICE), [])
    assert.deepEqual(await idsOf(table, BOB), [3])
  })

  test('shows neither names nor CIDs to who has its disk, and nothing to another key', async () => {
    const store = createMemoryIndexStore()
    const table = await open(store)
    await table.add(ALICE, { seq: 1, manifest: manifestOf('bafkreisecret', 1, true) }, 1)
    for (const { key, value } of await store.list({ prefix: '', limit: 100 })) {
      const text = key + Buffer.from(value).toString('latin1')
      assert.ok(!text.includes('secret'), key)
    }
    const other = await open(store, new Uint8Array(32).fill(6))
    assert.deepEqual(await idsOf(other, ALICE), [])
  })

  test('opened again goes on counting, also past numbers that were given up', async () => {
    const store = createMemoryIndexStore()
    const first = await open(store)
    await first.release(await first.reserve(ALICE))
    const second = await open(store)
    assert.equal(await second.reserve(ALICE), 2)
    assert.deepEqual(await second.listUnsettled(), [ALICE])
  })

  test('keeps the number that a manifest has, unless it is another object’s or none', async () => {
    const table = await open()
    await table.add(ALICE, { seq: 1, manifest: manifestOf('one', 70) }, await table.reserve(ALICE))
    assert.deepEqual(await idsOf(table, ALICE), [70])
    const again = await table.add(ALICE, { seq: 1, manifest: manifestOf('one', 70) }, await table.reserve(ALICE))
    assert.equal(again.id, 70)
    const foreign = await table.add(BOB, { seq: 1, manifest: manifestOf('two', 70) }, await table.reserve(BOB))
    assert.equal(foreign.id, 72)
    for (const bad of ['0', '-1', '1.5', 'x', '9'.repeat(30), '']) {
      const manifest = { ...manifestOf('three'), metadata: { [ID_KEY]: bad } }
      const id = await table.reserve(BOB)
      assert.equal((await table.add(BOB, { seq: 9, manifest }, id)).id, id)
    }
    assert.deepEqual(await table.listUnsettled(), [])
  })

  test('says after a reconciliation what the log says, whatever it said before', async () => {
    const object = fc.record({ seq: fc.integer({ min: 1, max: 12 }), id: fc.integer({ min: 1, max: 20 }) })
    const history = fc.array(fc.tuple(fc.constantFrom(...DIDS), object), { maxLength: 15 })
    const log = fc.uniqueArray(object, { selector: ({ seq }) => seq, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(history, log, async (before, wanted) => {
        const store = createMemoryIndexStore()
        const table = await open(store)
        for (const [did, { seq, id }] of before) {
          await table.add(did, { seq, manifest: manifestOf(`cid-${seq}`, id) }, await table.reserve(did))
        }
        await table.reserve(ALICE)
        const bobs = await idsOf(table, BOB)
        await table.reconcile(
          ALICE,
          wanted.map(({ seq, id }) => ({ seq, manifest: manifestOf(`cid-${seq}`, id) })),
        )
        const seqs: number[] = []
        const ids: number[] = []
        for await (const { seq, id } of table.list(ALICE)) {
          seqs.push(seq)
          ids.push(id)
        }
        assert.deepEqual(new Set(seqs), new Set(wanted.map(({ seq }) => seq)))
        assert.equal(new Set([...ids, ...bobs]).size, ids.length + bobs.length)
        assert.deepEqual(await idsOf(table, BOB), bobs)
        assert.deepEqual(await table.listUnsettled(), [])
        const owners = await store.list({ prefix: 'owner/', limit: 1_000 })
        assert.equal(owners.length, ids.length + bobs.length)
        for (const { value } of owners) assert.ok(DIDS.includes(textFromUtf8(value) as MemoDid))
      }),
      { numRuns: 60 },
    )
  })
})
