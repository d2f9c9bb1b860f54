import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collectBytes } from '@memo/core'
import { startedStream } from '../src/started-stream.ts'

const FAILURE = new RangeError('the source broke')

/** Gives blocks of these lengths, then fails if it is to; counts how often it was freed. */
function sourceOf(lengths: readonly number[], failure?: Error) {
  const state = { freed: 0, given: 0, bytes: read() }
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (const length of lengths) {
        state.given += 1
        yield new Uint8Array(length).fill(state.given)
      }
      if (failure) throw failure
    } finally {
      state.freed += 1
    }
  }
  return state
}

describe('the body of a download', () => {
  test('is what the source gives, in order, whatever its blocks', async () => {
    for (const lengths of [[], [0], [1], [0, 1, 0], [1, 2], [3, 0, 0, 4, 5], [1, 0, 70_000, 1]]) {
      const source = sourceOf(lengths)
      const body = await collectBytes(await startedStream(source.bytes), 100_000)
      assert.equal(
        body.length,
        lengths.reduce((sum, length) => sum + length, 0),
      )
      const expected = lengths.flatMap((length, index) => Array.from({ length }, () => index + 1))
      assert.deepEqual([...body], expected)
      assert.equal(source.freed, 1)
    }
  })

  test('does not begin where the source cannot', async () => {
    for (const lengths of [[], [0], [5]]) {
      await assert.rejects(startedStream(sourceOf(lengths, FAILURE).bytes), FAILURE)
    }
  })

  test('lacks its last block where the source fails at its very end', async () => {
    const received: number[] = []
    const stream = await startedStream(sourceOf([5, 6, 7], FAILURE).bytes)
    await assert.rejects(async () => {
      for await (const block of stream) received.push(block.length)
    }, FAILURE)
    assert.deepEqual(received, [5, 6])
  })

  test('lets go of the source when nobody reads on, or nobody ever did', async () => {
    for (const isRead of [true, false]) {
      const source = sourceOf([5, 6, 7, 8])
      const stream = await startedStream(source.bytes)
      if (isRead) {
        const reader = stream[Symbol.asyncIterator]()
        await reader.next()
      }
      await stream.return?.()
      for (let i = 0; i < 1_000 && source.freed === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
      assert.equal(source.freed, 1)
    }
  })
})
