import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explanations } from '../src/client/explanations.ts'
import { contractErrorNames } from '../src/client/revert.ts'

test('every custom error of the contracts is explained, and nothing else is', () => {
  assert.deepEqual(Object.keys(explanations).sort(), [...contractErrorNames].sort())
})

test('an explanation is one clause without an end, and its fix a sentence', () => {
  for (const [name, { says, fix }] of Object.entries(explanations)) {
    assert.match(says, /^[^.]+$/, name)
    if (fix !== undefined) assert.match(fix, /^[A-Z].*\.$/, name)
  }
})
