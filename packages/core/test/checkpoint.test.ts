import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode } from '@ipld/dag-cbor'
import {
  type Checkpoint,
  type CheckpointLink,
  countKeptLinks,
  firstEntryOf,
  type Hex,
  hex32,
  hexFromBytes,
  joinCheckpoints,
  type Network,
  openCheckpoint,
  type SignedEntry,
  sealBox,
  sealCheckpoint,
  signEntry,
  wrapKey,
} from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { bytes, testSecret, testSigner } from './support/keys.ts'
import { makeLog, network, OWNER, placement, putEntry, writer } from './support/records.ts'
import { readVectors } from './support/vectors.ts'

type Vectors = {
  network: Network
  head: { did: string; writer: Hex; seq: number; hash: Hex }
  reader: Hex
  checkpoints: { stored: Hex; opened: Hex; from: number; seq: number }[]
}

const owner = { publicKey: testSigner(2).publicKey, secretKey: testSecret(2) }
const stranger = { publicKey: testSigner(3).publicKey, secretKey: testSecret(3) }
const log = await makeLog(5)
const hashOf = (seq: number) => log[seq - 1]!.hash
const head = { did: OWNER, writer: writer.address, seq: 5, hash: hashOf(5) }
const linkTo = (from: number, seq: number): CheckpointLink => ({ from, seq, hash: hashOf(seq), placement })

function checkpointOf(from: number, seq: number, links: readonly CheckpointLink[] = []): Checkpoint {
  const entries = log.slice(from - 1, seq).map(({ bytes, signature }) => ({ bytes, signature }))
  const placements = from === 1 ? [placement] : []
  return { did: OWNER, writer: writer.address, from, seq, time: 1_770_000_100, entries, placements, links }
}

const first = checkpointOf(1, 2)
const second = checkpointOf(3, 3, [linkTo(1, 2)])
const newest = checkpointOf(4, 5, [linkTo(1, 2), linkTo(3, 3)])

const seal = (checkpoint: Checkpoint, readers = [owner.publicKey, writer.publicKey]) =>
  sealCheckpoint(checkpoint, readers, createSeededRandomness('checkpoint').bytes)

describe('a checkpoint', () => {
  test('opens for each of its readers as what was sealed, and for nobody else', () => {
    const stored = seal(newest)
    assert.deepEqual(openCheckpoint(stored, owner), newest)
    assert.deepEqual(openCheckpoint(stored, { publicKey: writer.publicKey, secretKey: testSecret(1) }), newest)
    assert.equal(openCheckpoint(stored, stranger), undefined)
    assert.throws(() => openCheckpoint(stored, { ...stranger, publicKey: owner.publicKey }), { name: 'BadInputError' })
  })

  test('with its predecessors shows the whole log and where the parts lie', () => {
    const joined = joinCheckpoints(network, head, newest, [first, second])
    assert.deepEqual(
      joined.entries.map(({ hash }) => hex32(hash)),
      log.map(({ hash }) => hex32(hash)),
    )
    assert.deepEqual([...joined.placements.keys()], [hex32(placement.partId)])
    assert.equal(firstEntryOf(network, first).entry.evidence?.timestamp, 1_770_000_000)
  })

  test('is what the examples say', () => {
    const vectors = readVectors<Vectors>('checkpoint')
    const reader = { publicKey: owner.publicKey, secretKey: bytes(vectors.reader) }
    const opened = vectors.checkpoints.map(({ stored }) => {
      const checkpoint = openCheckpoint(bytes(stored), reader)
      assert.ok(checkpoint)
      return checkpoint
    })
    assert.deepEqual(opened, [first, second, newest])
    const { did, seq, hash } = vectors.head
    const earlier = opened.slice(0, -1)
    const joined = joinCheckpoints(vectors.network, { ...head, did, seq, hash: bytes(hash) }, opened.at(-1)!, earlier)
    assert.equal(joined.entries.length, seq)
    for (const [i, { opened: plain, stored }] of vectors.checkpoints.entries()) {
      assert.equal(hexFromBytes(seal([first, second, newest][i]!)), stored, 'sealed the same from the same chance')
      assert.deepEqual(decode(bytes(plain)), plainOf(opened[i]!))
    }
  })
})

/** As `spec/checkpoint.md` 6 has it. */
function plainOf({ did, writer: by, from, seq, time, entries, placements, links }: Checkpoint) {
  const plainPlacement = (p: typeof placement) => ({
    v: 1,
    k: p.dataShards,
    m: p.parityShards,
    size: p.sizeBytes,
    pieces: p.pieces.map((piece) => [piece.root, bytes(piece.provider), piece.orderId]),
    owner: p.owner,
    expiry: p.expiry,
  })
  return {
    v: 1,
    did,
    writer: bytes(by),
    from,
    seq,
    time,
    entries: entries.map((entry) => [entry.bytes, entry.signature]),
    parts: placements.map(plainPlacement),
    links: links.map((link) => [link.from, link.seq, link.hash, plainPlacement(link.placement)]),
  }
}

describe('hostile checkpoints', () => {
  const key = dataOf('key', 32)
  /** Sealed by somebody who writes into it what he likes. */
  const forge = (change: Record<string, unknown>, envelope: Record<string, unknown> = {}) => {
    const box = sealBox(key, dataOf('nonce', 12), encode({ ...plainOf(newest), ...change }), 'memo-checkpoint-v1')
    const keys = [[owner.publicKey, wrapKey(owner.publicKey, key)]]
    return encode({ v: 1, box, keys, ...envelope })
  }
  const link = plainOf(newest).links[0]!

  test('the unchanged forgery opens, so that what follows tests the changes', () => {
    assert.deepEqual(openCheckpoint(forge({}), owner), newest)
  })

  const changes: readonly [string, Record<string, unknown>][] = [
    ['another version', { v: 2 }],
    ['a DID that is too long', { did: 'x'.repeat(257) }],
    ['a writer that is no address', { writer: dataOf('writer', 19) }],
    ['a first number of 0', { from: 0 }],
    ['an end before its beginning', { seq: 3 }],
    ['more entries than it says', { seq: 4 }],
    ['fewer entries than it says', { seq: 6 }],
    ['numbers beyond 2^53', { from: 2 ** 53, seq: 2 ** 53 + 2 }],
    ['a time that is no number', { time: 'now' }],
    ['entries that are none', { entries: [1, 2] }],
    ['entries without signatures', { entries: plainOf(newest).entries.map(([entry]) => [entry]) }],
    ['a time of which no date can be made', { time: 2 ** 53 - 1 }],
    ['parts that are none', { parts: [{}] }],
    ['parts that are no list', { parts: {} }],
    ['links with a gap', { links: [plainOf(newest).links[1]] }],
    ['the same link twice', { links: [link, link] }],
    ['no links although others come before', { links: [] }],
    ['a link to itself', { links: [...plainOf(newest).links, [4, 5, head.hash, link[3]]] }],
    ['a link that ends before it begins', { links: [[1, 0, link[2], link[3]], ...plainOf(newest).links] }],
    ['a link with a short hash', { links: [[1, 2, dataOf('hash', 31), link[3]], plainOf(newest).links[1]] }],
    ['links beyond measure', { from: 2_001, seq: 2_002, links: Array(2_000).fill(link) }],
    ['unknown fields', { more: 1 }],
  ]
  for (const [what, change] of changes) {
    test(`${what}: refused`, () => {
      assert.throws(() => openCheckpoint(forge(change), owner), { name: 'BadInputError' })
    })
  }

  const envelopes: readonly [string, Record<string, unknown>][] = [
    ['of another version', { v: 2 }],
    ['without a box', { box: null }],
    ['with keys that are none', { keys: [1] }],
    ['with a key of another length inside', { keys: [[owner.publicKey, wrapKey(owner.publicKey, key.subarray(1))]] }],
    ['with more readers than may be', { keys: Array(65).fill([owner.publicKey, key]) }],
  ]
  for (const [what, envelope] of envelopes) {
    test(`an envelope ${what}: refused`, () => {
      assert.throws(() => openCheckpoint(forge({}, envelope), owner), { name: 'BadInputError' })
    })
  }

  test('one that is larger than a part: refused before it is parsed', () => {
    assert.throws(() => openCheckpoint(new Uint8Array(67_108_865), owner), /too large/)
  })

  test('one that would fill the memory once it is decoded, in clear or in its box: refused before that', () => {
    const many = Array.from({ length: 50_000 }, () => ({}))
    assert.throws(
      () => openCheckpoint(forge({}, { keys: many }), owner),
      ({ name, cause }: Error) => name === 'BadInputError' && /items/.test(String(cause)),
    )
    assert.throws(
      () => openCheckpoint(forge({ entries: many }), owner),
      ({ name, cause }: Error) => name === 'BadInputError' && /items/.test(String(cause)),
    )
  })

  test('whatever is cut off, flipped or random: refused, or as it was', () => {
    const stored = seal(first)
    for (let length = 0; length < stored.length; length += 7) {
      assert.throws(() => openCheckpoint(stored.subarray(0, length), owner), { name: 'BadInputError' })
    }
    fc.assert(
      fc.property(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = stored.slice()
        changed[at]! ^= flip
        let opened: Checkpoint | undefined
        try {
          opened = openCheckpoint(changed, owner)
        } catch (thrown) {
          assert.equal((thrown as Error).name, 'BadInputError')
        }
        if (opened) assert.deepEqual(opened, first)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        assert.throws(() => openCheckpoint(noise, owner), { name: 'BadInputError' })
      }),
    )
  })
})

describe('a log that checkpoints claim', () => {
  const refuses = (what: RegExp, ...args: Parameters<typeof joinCheckpoints>) =>
    assert.throws(() => joinCheckpoints(...args), what)

  test('lacks a predecessor, or has them in another order: refused', () => {
    refuses(/without all/, network, head, newest, [first])
    refuses(/other entries/, network, head, newest, [second, first])
  })

  test('is older than the chain says, or ends with another entry: refused', () => {
    refuses(/other entries/, network, { ...head, seq: 6 }, newest, [first, second])
    refuses(/not the one that was named/, network, { ...head, hash: hashOf(4) }, newest, [first, second])
  })

  test('belongs to another DID or another writer: refused', () => {
    const other = testSigner(9).address
    refuses(/another log/, network, { ...head, did: 'did:memo:other' }, newest, [first, second])
    refuses(/another log/, network, { ...head, writer: other }, newest, [first, second])
    const renamed = [first, second, newest].map((one) => ({ ...one, writer: other }))
    refuses(/another log/, network, { ...head, writer: other }, renamed[2]!, renamed.slice(0, 2))
  })

  test('has an entry that its writer did not sign, a foreign one, or a gap: refused', async () => {
    const with4 = (signed: Pick<SignedEntry, 'bytes' | 'signature'>) => ({
      ...newest,
      entries: [signed, newest.entries[1]!],
    })
    const entry4 = log[3]!
    const unsigned = { bytes: entry4.bytes, signature: log[2]!.signature }
    refuses(/did not sign/, network, head, with4(unsigned), [first, second])
    const forged = await signEntry(network, { ...entry4.entry, previous: hashOf(2) }, writer)
    refuses(/do not follow/, network, head, with4(forged), [first, second])
    refuses(/do not follow/, network, head, with4(log[0]!), [first, second])
    const elsewhere = await signEntry({ ...network, chainId: 7 }, entry4.entry, writer)
    refuses(/did not sign/, network, head, with4(elsewhere), [first, second])
  })

  test('has a predecessor that ends otherwise than the newest one says: refused', () => {
    const links = [linkTo(1, 2), { ...linkTo(3, 3), hash: hashOf(4) }]
    refuses(/not the one that was named/, network, head, { ...newest, links }, [first, second])
  })

  test('does not begin with a first entry: no standing can be read from it', async () => {
    assert.throws(() => firstEntryOf(network, newest), /beginning/)
    const late = await signEntry(network, { ...putEntry, seq: 2, previous: hashOf(1) }, writer)
    assert.throws(() => firstEntryOf(network, { ...first, entries: [late, first.entries[1]!] }), /first entry/)
  })

  test('names a placement with other pieces: it has another part id, so no object finds it', () => {
    const pieces = placement.pieces.map((piece, i) => (i === 0 ? { ...piece, root: dataOf('other', 32) } : piece))
    const lying = openCheckpoint(seal({ ...first, placements: [{ ...placement, pieces }] }), owner)
    assert.ok(lying)
    const joined = joinCheckpoints(network, { ...head, seq: 2, hash: hashOf(2) }, lying, [])
    assert.equal(joined.placements.has(hex32(placement.partId)), false)
  })
})

describe('which checkpoints are merged', () => {
  test('none up to eight; then all that are no larger than what came after them', () => {
    assert.equal(countKeptLinks(Array(7).fill(100), 100, 10_000), 7)
    assert.equal(countKeptLinks(Array(8).fill(100), 100, 10_000), 0)
    assert.equal(countKeptLinks([900, ...Array(7).fill(100)], 100, 10_000), 1)
    assert.equal(countKeptLinks([1280, 640, 320, 160, 80, 40, 20, 10], 5, 10_000), 7, 'the last one at the least')
  })

  test('none whose merger would be larger than a checkpoint may be', () => {
    assert.equal(countKeptLinks(Array(8).fill(100), 100, 250), 7)
    assert.equal(countKeptLinks(Array(8).fill(100), 100, 150), 8)
  })

  test('so each byte is written again a few times only, and few checkpoints hold a log of any length', () => {
    let links: number[] = []
    let written = 0
    for (let i = 0; i < 4_096; i++) {
      const kept = countKeptLinks(links, 1, 1e9)
      const size = links.slice(kept).reduce((sum, bytes) => sum + bytes, 1)
      links = [...links.slice(0, kept), size]
      written += size
      assert.ok(links.length <= 8)
    }
    assert.ok(written / 4_096 < 12, `each was written ${written / 4_096} times`)
  })
})
