import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  BadCidError,
  BadInputError,
  CID_PROFILES,
  type CidProfileName,
  canonicalCid,
  createCidBuilder,
  digestFromCid,
} from '@memo/core'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { readVectors } from './support/vectors.ts'

type Vectors = {
  profiles: { profile: CidProfileName; label: string; length: number; cid: string }[]
  custom: { leafBytes: number; width: number; label: string; length: number; cid: string }[]
}
const vectors = readVectors<Vectors>('cid')

function cidOf(by: Parameters<typeof createCidBuilder>[0], ...parts: Uint8Array[]): string {
  const builder = createCidBuilder(by)
  for (const part of parts) builder.update(part)
  return builder.finish()
}

describe('CIDs equal those of another implementation', () => {
  for (const { profile, label, length, cid } of vectors.profiles.toSorted((a, b) => b.length - a.length)) {
    test(`${profile}, ${length} bytes`, () => assert.equal(cidOf(profile, dataOf(label, length)), cid))
  }
  test('trees of every depth and every way to end one', () => {
    for (const { leafBytes, width, label, length, cid } of vectors.custom) {
      assert.equal(cidOf({ leafBytes, width }, dataOf(label, length)), cid, `${leafBytes} × ${width}, ${length} bytes`)
    }
  })
  test('the default profile is unixfs-v1-2025', () => {
    const data = dataOf('cid', 2_000_000)
    assert.equal(cidOf(undefined, data), cidOf('unixfs-v1-2025', data))
  })
})

describe('a CID builder', () => {
  test('gives one CID however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(fc.nat(500), { maxLength: 8 }), (data, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, data.length)).sort((a, b) => a - b), data.length]
        const parts = at.slice(1).map((end, i) => data.subarray(at[i], end))
        const by = { leafBytes: 16, width: 3 }
        assert.equal(cidOf(by, ...parts), cidOf(by, data))
      }),
      { numRuns: 200 },
    )
  })
  test('a byte changed anywhere gives another CID', () => {
    const data = dataOf('cid', 1_000)
    const before = cidOf({ leafBytes: 64, width: 4 }, data)
    for (let at = 0; at < data.length; at += 97) {
      const other = data.slice()
      other[at]! ^= 1
      assert.notEqual(cidOf({ leafBytes: 64, width: 4 }, other), before)
    }
  })
  test('an unknown profile is refused, also one that every object has', () => {
    for (const name of ['', 'kubo', 'toString', '__proto__']) {
      assert.throws(() => createCidBuilder(name as CidProfileName), BadInputError)
    }
  })
  test('the profiles are what the protocol says', () => {
    const table = Object.values(CID_PROFILES).map(({ name, leafBytes, width }) => [name, leafBytes, width])
    assert.deepEqual(table, [
      ['unixfs-v1-2025', 1_048_576, 1_024],
      ['kubo-legacy', 262_144, 174],
      ['memo-legacy', 253_952, 174],
    ])
  })
})

describe('the text of a CID', () => {
  const accepted = [
    'Qme8ZzfkB1QM5nye1BfUkSN5ocYqoEwX6trPYkxfshRKgR',
    'Qme8ZzfkB1QM5nye1BfUkSN5ocYqoEwX6trPYkxfshRKgK',
    'bafybeibml5uieyxa5tufngvg7fgwbkwvlsuntwbxgtskoqynbt7wlchmfm',
    'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
    'bafkreia2l7lm225zmhky7cjyat6bnvn7dfq6yxcbkc5r76idhn4dv7khfm',
  ]
  test('has one canonical form, version 1 in base 32', () => {
    for (const text of accepted) {
      const canonical = canonicalCid(text)
      assert.match(canonical, /^baf[ky]/)
      assert.equal(canonicalCid(canonical), canonical)
      assert.deepEqual(digestFromCid(canonical), digestFromCid(text))
      assert.equal(digestFromCid(text).length, 32)
    }
  })
  test('that is cut off, empty, long or no CID is refused with one error', () => {
    const refused = [
      '',
      'x',
      'Qme8ZzfkB1QM5nye1BfUkSN5ocYqoEwX6trPYkxfshRKg',
      'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd',
      '../../etc/passwd',
      'b'.repeat(10_000),
      'Zm9v',
    ]
    for (const text of refused) assert.throws(() => canonicalCid(text), BadCidError, text)
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        try {
          canonicalCid(text)
        } catch (error) {
          assert.ok(error instanceof BadCidError)
        }
      }),
    )
  })
})
