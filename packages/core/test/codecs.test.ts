import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode } from '@ipld/dag-cbor'
import {
  BadInputError,
  clearEnvelope,
  compressPublicKey,
  continuesLog,
  createKeySigner,
  decodeBundle,
  decodeManifest,
  decodePlacedPart,
  decodePlacement,
  decodeSignedEntry,
  encodeBundle,
  encodeManifest,
  encodePlacedPart,
  encodePlacement,
  envelopeFromPlain,
  envelopeToPlain,
  findBytesFromHex,
  hexFromBytes,
  isReceipt,
  isSamePart,
  type Manifest,
  openManifest,
  partIdOf,
  sealBox,
  sealManifest,
  signEntry,
  wrapKey,
  ZERO_HASH,
} from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { testSecret, testSigner } from './support/keys.ts'
import { CID, makeLog, makePart, manifest, network, OWNER, placement, putEntry, writer } from './support/records.ts'

const random = createSeededRandomness('codecs').bytes
const reader = { publicKey: createKeySigner(testSecret(1)).publicKey, secretKey: testSecret(1) }

type Plain = Record<string, unknown>

/** The same record with some fields replaced (undefined: left out). */
function withFields(bytes: Uint8Array, fields: Plain): Uint8Array {
  const merged = Object.entries({ ...(decode(bytes) as Plain), ...fields })
  return encode(Object.fromEntries(merged.filter(([, value]) => value !== undefined)))
}

/** That `parse` takes any bytes at all with a value or a BadInputError: random, mutated, other types in any field. */
function survivesFuzz(valid: Uint8Array, parse: (bytes: Uint8Array) => unknown): void {
  const attempt = (bytes: Uint8Array) => {
    try {
      parse(bytes)
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error
    }
  }
  const values = fc.oneof(
    fc.constantFrom<unknown>(null, true, -1, 2 ** 53 - 1, 1.5, '', [], {}, [[]], [null], new Uint8Array(0)),
    fc.uint8Array(),
    fc.string(),
    fc.maxSafeInteger(),
    fc.array(fc.oneof(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer(), fc.constant(null))),
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt))
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, end) => {
      attempt(valid.with(at, byte))
      attempt(valid.subarray(0, end))
    }),
    { numRuns: 300 },
  )
  const root = decode(valid) as Plain
  for (const path of pathsOf(root)) {
    fc.assert(
      fc.property(values, (value) => attempt(encode(replaced(root, path, value)))),
      { numRuns: 25 },
    )
  }
}

type Path = readonly (string | number)[]

/** Ways to every field of a record, its lists and its records in lists. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  const isLeaf = value === null || typeof value !== 'object' || value instanceof Uint8Array
  const inner = isLeaf ? [] : Object.entries(value).slice(0, 8)
  return [path, ...inner.flatMap(([key, child]) => pathsOf(child, [...path, Array.isArray(value) ? Number(key) : key]))]
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by
  if (Array.isArray(value)) return value.with(Number(key), replaced(value[Number(key)], rest, by))
  return { ...(value as Plain), [key]: replaced((value as Plain)[key], rest, by) }
}

describe('a placement', () => {
  const bytes = encodePlacement(placement)

  test('comes back whole', () => assert.deepEqual(decodePlacement(bytes), placement))

  test('has an id that depends on what the part is made of and not on where it lies', () => {
    const moved = { ...placement, expiry: 1, pieces: placement.pieces.map((p) => ({ ...p, provider: writer.address })) }
    assert.ok(isSamePart(placement, decodePlacement(encodePlacement(moved))))
    const roots = placement.pieces.map((piece) => piece.root)
    const others = [
      partIdOf({ ...placement, sizeBytes: 5_000_001 }, roots),
      partIdOf({ ...placement, dataShards: 3, parityShards: 3 }, roots),
      partIdOf(placement, roots.toReversed()),
      partIdOf(placement, roots.with(0, dataOf('x', 32))),
    ]
    for (const other of others) assert.notDeepEqual(other, placement.partId)
  })

  test('recomputes its id and believes none', () => {
    const lying = encodePlacement({ ...placement, partId: new Uint8Array(32) })
    assert.deepEqual(decodePlacement(lying).partId, placement.partId)
  })

  test('that cannot be is refused', () => {
    const pieces = (decode(bytes) as Plain).pieces as unknown[]
    const bad: Plain[] = [
      { v: 2 },
      { v: undefined },
      { k: 0 },
      { m: 0 },
      { k: 255, m: 2 },
      { k: 5 },
      { size: 0 },
      { size: 67_108_865 },
      { size: -1 },
      { pieces: pieces.slice(1) },
      { pieces: [...pieces, pieces[0]] },
      { pieces: pieces.with(0, [new Uint8Array(31), new Uint8Array(20), 0]) },
      { pieces: pieces.with(0, [new Uint8Array(32), new Uint8Array(19), 0]) },
      { pieces: pieces.with(0, [new Uint8Array(32), new Uint8Array(20), -1]) },
      { owner: 5 },
      { owner: 'x'.repeat(257) },
      { expiry: -1 },
      { expiry: undefined },
      { expiry: 2 ** 53 - 1 },
    ]
    for (const fields of bad) {
      assert.throws(() => decodePlacement(withFields(bytes, fields)), BadInputError, JSON.stringify(fields))
    }
  })

  test('survives any bytes', () => survivesFuzz(bytes, decodePlacement))
})

describe('a manifest', () => {
  const bytes = encodeManifest(manifest)

  test('comes back whole, with a key and without', () => {
    assert.deepEqual(decodeManifest(bytes), manifest)
    const open = { ...manifest, isPublic: true, contentKey: undefined, metadata: {}, parts: [] }
    assert.deepEqual(decodeManifest(encodeManifest(open)), open)
  })

  test('with a field out of its bounds is never made', () => {
    const bad: Partial<Manifest>[] = [
      { name: 'n'.repeat(1_025) },
      { name: '猫'.repeat(342) },
      { contentType: 't'.repeat(256) },
      { cid: 'c'.repeat(201) },
      { sizeBytes: -1 },
      { sizeBytes: Number.NaN },
      { createdAt: 1.5 },
      { createdAt: 253_402_300_800 },
      { contentKey: new Uint8Array(31) },
      { parts: [{ partId: new Uint8Array(31), offset: 0, length: 1 }] },
      { parts: [{ partId: new Uint8Array(32), offset: -1, length: 1 }] },
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ''])) },
      { metadata: { n: 5 as unknown as string } },
    ]
    for (const fields of bad) {
      assert.throws(() => encodeManifest({ ...manifest, ...fields }), BadInputError, JSON.stringify(fields))
    }
  })

  test('of an unknown version, or with metadata that is no map, is refused', () => {
    for (const fields of [
      { v: 2 },
      { v: '1' },
      { meta: 'text' },
      { meta: ['a'] },
      { meta: null },
      { meta: undefined },
    ]) {
      assert.throws(() => decodeManifest(withFields(bytes, fields)), BadInputError, JSON.stringify(fields))
    }
  })

  test('survives any bytes', () => survivesFuzz(bytes, decodeManifest))
})

describe('a manifest’s envelope', () => {
  const others = [2, 3].map((n) => testSigner(n).publicKey)
  const sealed = sealManifest(manifest, [others[0]!, reader.publicKey, others[1]!], random)

  test('opens for each of its readers and for nobody else', () => {
    for (const n of [1, 2, 3]) {
      const own = { publicKey: testSigner(n).publicKey, secretKey: testSecret(n) }
      assert.deepEqual(openManifest(sealed, own), manifest)
    }
    assert.equal(openManifest(sealed, { publicKey: testSigner(4).publicKey, secretKey: testSecret(4) }), undefined)
    assert.equal(openManifest(sealed), undefined)
  })

  test('shows nothing of what it holds', () => {
    const text = Buffer.from(encode(envelopeToPlain(sealed))).toString('latin1')
    for (const secret of [manifest.name, manifest.cid, 'image/jpeg', 'camera']) assert.ok(!text.includes(secret))
  })

  test('in clear is read by anyone', () => {
    const open: Manifest = { ...manifest, isPublic: true, contentKey: undefined }
    assert.deepEqual(openManifest(clearEnvelope(open)), open)
  })

  test('comes back whole from its plain form', () => {
    for (const envelope of [sealed, clearEnvelope(manifest)]) {
      assert.deepEqual(envelopeFromPlain(decode(encode(envelopeToPlain(envelope)))), envelope)
    }
  })

  test('altered, or with keys of another envelope, does not open', () => {
    assert.ok(sealed.kind === 'sealed')
    const again = sealManifest(manifest, [reader.publicKey], random)
    assert.ok(again.kind === 'sealed')
    assert.throws(() => openManifest({ ...sealed, keys: again.keys }, reader), BadInputError)
    for (const at of [0, 12, sealed.box.length - 1]) {
      const box = sealed.box.with(at, sealed.box[at]! ^ 1)
      assert.throws(() => openManifest({ ...sealed, box }, reader), BadInputError)
    }
  })

  test('whose writer wrapped a key of another length is refused, not crashed on', () => {
    const keys = [
      { reader: compressPublicKey(reader.publicKey), wrapped: wrapKey(reader.publicKey, new Uint8Array(5)) },
    ]
    assert.throws(() => openManifest({ kind: 'sealed', box: new Uint8Array(50), keys }, reader), BadInputError)
  })

  test('a box for something else does not pass for a manifest', () => {
    const key = random(32)
    const box = sealBox(key, random(12), encodeManifest(manifest), 'memo-other-v1')
    const keys = [{ reader: reader.publicKey, wrapped: wrapKey(reader.publicKey, key) }]
    assert.throws(() => openManifest({ kind: 'sealed', box, keys }, reader), BadInputError)
  })
})

describe('an index entry', () => {
  test('comes back whole: a put, a public put, a deletion', async () => {
    const open = clearEnvelope({ ...manifest, isPublic: true, contentKey: undefined })
    const actions = [
      putEntry.action,
      { kind: 'put', isPublic: true, cid: CID, sizeBytes: 5, partIds: [], manifest: open } as const,
      { kind: 'delete', writer: testSigner(9).address, seq: 3 } as const,
    ]
    for (const [i, action] of actions.entries()) {
      const evidence = i === 0 ? putEntry.evidence : undefined
      const signed = await signEntry(network, { ...putEntry, evidence, action }, writer)
      assert.deepEqual(decodeSignedEntry(network, signed.bytes, signed.signature), signed)
      assert.deepEqual(
        decodeSignedEntry(network, signed.bytes, signed.signature),
        signed,
        'also when it was seen before',
      )
      const page = new Uint8Array(100_000)
      page.set(signed.bytes, 500)
      const again = decodeSignedEntry({ ...network }, page.subarray(500, 500 + signed.bytes.length), signed.signature)
      page.fill(0)
      assert.deepEqual(again, signed, 'what is remembered is not in the memory of whoever showed it')
    }
  })

  test('that another key signed, or for another network, is refused', async () => {
    const { bytes, signature } = await signEntry(network, putEntry, writer)
    const forged = await signEntry(network, putEntry, testSigner(2))
    assert.throws(() => decodeSignedEntry(network, forged.bytes, forged.signature), BadInputError)
    assert.throws(() => decodeSignedEntry({ ...network, chainId: 1 }, bytes, signature), BadInputError)
    assert.throws(() => decodeSignedEntry(network, withFields(bytes, { time: 1 }), signature), BadInputError)
    assert.throws(() => decodeSignedEntry(network, bytes, new Uint8Array(0)), BadInputError)
    assert.throws(() => decodeSignedEntry(network, bytes, new Uint8Array(1_000_000)), BadInputError)
  })

  test('of a time of which no date can be made is refused', async () => {
    const { bytes, signature } = await signEntry(network, { ...putEntry, time: 253_402_300_800 }, writer)
    assert.throws(() => decodeSignedEntry(network, bytes, signature), { message: /number or time/ })
  })

  test('that drags along what nobody reads is refused, at any depth and size', async () => {
    const { bytes, signature } = await signEntry(network, putEntry, writer)
    const { put } = decode(bytes) as { put: Plain }
    const dragging: Plain[] = [
      { zzz: 1 },
      { zzz: new Uint8Array(9_000_000) },
      { put: { ...put, zzz: 1 } },
      { put: { ...put, manifest: { ...(put.manifest as Plain), zzz: 1 } } },
      { put: { ...put, public: 0 } },
      { delete: [findBytesFromHex(testSigner(9).address, 20), 1] },
    ]
    for (const fields of dragging) {
      assert.throws(() => decodeSignedEntry(network, withFields(bytes, fields), signature), /unknown fields/)
    }
    const large = withFields(bytes, { zzz: new Uint8Array(9_500_000) })
    assert.throws(() => decodeSignedEntry(network, large, signature), /too large/)
  })

  test('that hides its object shows no CID', async () => {
    assert.ok(putEntry.action.kind === 'put')
    const showing = await signEntry(network, { ...putEntry, action: { ...putEntry.action, cid: CID } }, writer)
    assert.throws(() => decodeSignedEntry(network, showing.bytes, showing.signature), BadInputError)
  })

  test('continues a log only at its end, with its link', async () => {
    const log = await makeLog(3)
    const head = (i: number) => ({ seq: log[i]!.entry.seq, hash: log[i]!.hash })
    assert.ok(continuesLog(undefined, log[0]!.entry))
    assert.ok(continuesLog(head(0), log[1]!.entry))
    assert.ok(continuesLog(head(1), log[2]!.entry))
    assert.equal(continuesLog(undefined, log[1]!.entry), false, 'a log begins at 1')
    assert.equal(continuesLog(head(0), log[2]!.entry), false, 'a gap')
    assert.equal(continuesLog(head(1), log[1]!.entry), false, 'a repetition')
    const unlinked = { ...log[1]!.entry, previous: ZERO_HASH }
    assert.equal(continuesLog(head(0), unlinked), false, 'another past')
    assert.equal(continuesLog(undefined, { ...putEntry, previous: dataOf('x', 32) }), false, 'a past before the first')
  })

  test('survives any bytes, signed by whomever', async () => {
    const { bytes, signature } = await signEntry(network, putEntry, writer)
    survivesFuzz(bytes, (altered) => decodeSignedEntry(network, altered, signature))
  })
})

describe('a bundle', () => {
  test('comes back whole, with the receipts there are', async () => {
    const [signed] = await makeLog(1)
    const part = await makePart()
    const lacking = { ...part, receipts: part.receipts.with(2, undefined) }
    const bundle = { signed: signed!, parts: [part, lacking] }
    const back = decodeBundle(network, encodeBundle(bundle))
    assert.deepEqual(back, bundle)
    for (const receipt of back.parts[0]!.receipts) assert.ok(receipt && isReceipt(network, receipt))
    assert.deepEqual(decodePlacedPart(encodePlacedPart(lacking)), lacking)
  })

  test('a receipt is of the piece that the placement names: moved to another piece it is none', async () => {
    const part = await makePart()
    const swapped = { ...part, receipts: [part.receipts[1], part.receipts[0], ...part.receipts.slice(2)] }
    const [first, second, third] = decodePlacedPart(encodePlacedPart(swapped)).receipts
    assert.equal(isReceipt(network, first!), false)
    assert.equal(isReceipt(network, second!), false)
    assert.equal(isReceipt(network, third!), true)
  })

  test('of an unknown version, with too few receipts or a receipt from before time is refused', async () => {
    const [signed] = await makeLog(1)
    const part = await makePart()
    const bytes = encodeBundle({ signed: signed!, parts: [part] })
    assert.throws(() => decodeBundle(network, withFields(bytes, { v: 2 })), BadInputError)
    const plain = decode(encodePlacedPart(part)) as { receipts: unknown[] }
    for (const receipts of [
      plain.receipts.slice(1),
      [...plain.receipts, null],
      plain.receipts.with(0, [-1, new Uint8Array(65)]),
      plain.receipts.with(0, []),
      plain.receipts.with(0, 5),
    ]) {
      assert.throws(() => decodePlacedPart(encode({ ...plain, receipts })), BadInputError)
    }
  })

  test('survives any bytes', async () => {
    const [signed] = await makeLog(1)
    const part = await makePart()
    survivesFuzz(encodePlacedPart(part), (bytes) =>
      decodePlacedPart(bytes).receipts.map((receipt) => receipt && isReceipt(network, receipt)),
    )
    survivesFuzz(encodeBundle({ signed: signed!, parts: [part] }), (bytes) => decodeBundle(network, bytes))
  })

  test('names the same owner as its entry when it was made so', async () => {
    const part = await makePart()
    assert.equal(decodePlacedPart(encodePlacedPart(part)).placement.owner, OWNER)
    assert.equal(hexFromBytes(part.placement.partId), hexFromBytes(placement.partId))
  })
})
