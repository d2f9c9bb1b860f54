import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Hex, KeeperClient, LogHead } from '@memo/core'
import { listWriterHeads } from '../src/writer-heads.ts'

const WRITER: Hex = `0x${'7'.repeat(40)}`
const HASH: Hex = `0x${'1'.repeat(64)}`
const never = new AbortController().signal

/** A keeper that answers with what `pageAfter` gives. */
function keeperOf(pageAfter: (after: string) => readonly string[]): KeeperClient {
  const listPage = async (writer: Hex, after: string): Promise<readonly LogHead[]> =>
    pageAfter(after).map((did) => ({ did, writer, seq: 1, hash: HASH }))
  return { listWriterHeads: listPage } as Partial<KeeperClient> as KeeperClient
}

const didOf = (n: number) => `did:memo:${n.toString(16).padStart(64, '0')}`

describe('the logs that a keeper shows', () => {
  test('are read page by page to their end, without what is no DID', async () => {
    const pages = [[didOf(1), didOf(2)], ['did:memo:x', `did:memo:${'F'.repeat(64)}`, didOf(3)], []]
    let asked = 0
    const heads = await Array.fromAsync(
      listWriterHeads(
        keeperOf(() => pages[asked++] ?? []),
        WRITER,
        never,
      ),
    )
    assert.deepEqual(
      heads.map(({ did }) => did),
      [1, 2, 3].map(didOf),
    )
  })

  test('of one that goes in circles come to an end', async () => {
    const keeper = keeperOf((after) => (after === didOf(2) ? [didOf(1)] : [didOf(2)]))
    assert.equal((await Array.fromAsync(listWriterHeads(keeper, WRITER, never))).length, 2)
  })

  test('of one that goes on and on are not waited for', async () => {
    let n = 0
    const page = () => {
      n += 500_000
      return Array.from({ length: 500_000 }, (_, i) => (i === 499_999 ? didOf(n) : ''))
    }
    const reading = Array.fromAsync(listWriterHeads(keeperOf(page), WRITER, never))
    await assert.rejects(reading, { name: 'BadAnswerError', blame: 'keeper' })
  })
})
