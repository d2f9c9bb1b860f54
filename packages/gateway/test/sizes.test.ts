import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findSize } from '../src/quota/numbers.ts'

test('a size of JSON is taken for what was written, or not at all', () => {
  const read = (json: string) => findSize((JSON.parse(json) as { size: unknown }).size)
  assert.equal(read('{"size": 12}'), 12n)
  assert.equal(read('{"size": 9007199254740991}'), 2n ** 53n - 1n)
  assert.equal(read('{"size": "9007199254740993"}'), 2n ** 53n + 1n)
  assert.equal(read(`{"size": "${2n ** 64n - 1n}"}`), 2n ** 64n - 1n)
  // JSON.parse makes 9007199254740992 of the first: nobody may sign for, or buy, what he did not write.
  for (const size of [
    '9007199254740993',
    '18446744073709551615',
    '1.5',
    '-1',
    '-0.5',
    '1e400',
    'null',
    'true',
    '[1]',
  ]) {
    assert.equal(read(`{"size": ${size}}`), undefined, size)
  }
})
