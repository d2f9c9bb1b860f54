import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupBy } from '@memo/core'
import fc from 'fast-check'

test('items are grouped as Map.groupBy groups them', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9)), (items) => {
      const keyOf = (item: number) => (item % 3 ? `${item % 3}` : undefined)
      assert.deepEqual([...groupBy(items, keyOf)], [...Map.groupBy(items, keyOf)])
    }),
  )
})
