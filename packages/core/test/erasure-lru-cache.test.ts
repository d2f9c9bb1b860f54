import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LruCache } from '../src/erasure/lru-cache.ts'

describe('the cache of matrices', () => {
  test('forgets what was used longest ago once it holds too many', () => {
    const cache = new LruCache<number>(2)
    cache.add('a', 1)
    cache.add('b', 2)
    assert.equal(cache.find('a'), 1)
    cache.add('c', 3)
    assert.equal(cache.find('b'), undefined)
    assert.equal(cache.find('a'), 1)
    assert.equal(cache.find('c'), 3)
    assert.equal(cache.size, 2)
  })

  test('forgets as much as a heavy value needs, and no more', () => {
    const cache = new LruCache<string>(10, 100)
    for (const name of ['a', 'b', 'c']) cache.add(name, name, 30)
    cache.add('d', 'd', 60)
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => cache.find(name)),
      [undefined, undefined, 'c', 'd'],
    )
  })

  test('does not keep, or forget others for, what is heavier than all it may hold', () => {
    const cache = new LruCache<string>(10, 100)
    cache.add('a', 'a', 100)
    cache.add('b', 'b', 101)
    assert.equal(cache.find('a'), 'a')
    assert.equal(cache.find('b'), undefined)
  })
})
