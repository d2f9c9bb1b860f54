import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSlitherInstalled, runSlither } from '../scripts/slither.ts'

const skip = isSlitherInstalled() ? false : 'slither is not installed: pip install slither-analyzer'

test('slither finds nothing that is not answered, and no answer is out of date', { skip }, () => {
  assert.deepEqual(runSlither(), { open: [], stale: [] })
})
