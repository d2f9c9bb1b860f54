import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  combineUnits,
  concatBytes,
  type EncodedStripe,
  encodeStripe,
  NotFoundError,
  PieceUnrepairableError,
  type Placement,
  partIdOf,
  rebuildPiece,
  stripePlainBytesOf,
  TooFewPiecesError,
} from '@memo/core'
import { dataOf } from './support/data.ts'

const policy = { dataShards: 3, parityShards: 2 }

/** A part of two full stripes and a short one. */
function makePart(): { stripes: EncodedStripe[]; placement: Placement } {
  const each = stripePlainBytesOf(3, false)
  const bytes = dataOf('part', 2 * each + 100_000)
  const stripes = [0, 1, 2].map((i) =>
    encodeStripe({
      ...policy,
      plaintext: bytes.subarray(i * each, (i + 1) * each),
      contentKey: undefined,
      firstChunk: 0,
      endsObject: i === 2,
    }),
  )
  const roots = combineUnits(stripes).map((digest) => digest.root)
  const head = { ...policy, sizeBytes: bytes.length }
  const pieces = roots.map((root) => ({ root, provider: `0x${'11'.repeat(20)}` as const, orderId: 0 }))
  return { stripes, placement: { ...head, partId: partIdOf(head, roots), pieces, owner: 'did:memo:x', expiry: 1 } }
}

const part = makePart()
const pieceOf = (index: number) => concatBytes(...part.stripes.map((stripe) => stripe.strips[index]!))

describe('rebuildPiece', () => {
  test('makes every piece from the others, byte for byte', async () => {
    for (let index = 0; index < 5; index++) {
      const written: Uint8Array[] = []
      const digest = await rebuildPiece({
        placement: part.placement,
        index,
        readStrip: async (piece, stripe) => {
          assert.notEqual(piece, index)
          return part.stripes[stripe]!.strips[piece]
        },
        write: async (strip) => void written.push(strip.slice()),
      })
      assert.deepEqual(concatBytes(...written), pieceOf(index))
      assert.deepEqual(digest.root, part.placement.pieces[index]!.root)
    }
  })

  test('goes on from other pieces when one fails half-way, and asks the failed one last', async () => {
    const asked: string[] = []
    await rebuildPiece({
      placement: part.placement,
      index: 4,
      readStrip: async (piece, stripe) => {
        asked.push(`${stripe}:${piece}`)
        if (piece === 0 && stripe > 0) throw new NotFoundError('gone')
        return part.stripes[stripe]!.strips[piece]
      },
      write: async () => undefined,
    })
    assert.deepEqual(asked, ['0:0', '0:1', '0:2', '1:0', '1:1', '1:2', '1:3', '2:1', '2:2', '2:3'])
  })

  test('fails with the causes when fewer than k pieces can be read', async () => {
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 0,
      readStrip: async (piece, stripe) => {
        if (piece < 3) throw new NotFoundError(`no piece ${piece}`)
        return part.stripes[stripe]!.strips[piece]
      },
      write: async () => assert.fail('nothing can be written'),
    })
    await assert.rejects(rebuilding, (error: TooFewPiecesError) => {
      assert.ok(error instanceof TooFewPiecesError)
      assert.deepEqual(error.details.present, 2)
      assert.ok(error.cause instanceof AggregateError)
      return true
    })
  })

  test('a part whose parity was wrong from the start is told apart from one that lacks pieces', async () => {
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 0,
      readStrip: async (piece, stripe) => {
        const strip = part.stripes[stripe]!.strips[piece]!.slice()
        if (piece === 3 && stripe === 2) strip[0]! ^= 1
        return piece === 1 ? undefined : strip
      },
      write: async () => undefined,
    })
    await assert.rejects(rebuilding, PieceUnrepairableError)
  })

  test('a strip of another length counts as not had', async () => {
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 0,
      readStrip: async (piece, stripe) => part.stripes[stripe]!.strips[piece]!.subarray(piece < 3 ? 1 : 0),
      write: async () => undefined,
    })
    await assert.rejects(rebuilding, TooFewPiecesError)
  })

  test('a bug in a reader is not taken for a lost piece', async () => {
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 0,
      readStrip: async () => {
        throw new TypeError('bug')
      },
      write: async () => undefined,
    })
    await assert.rejects(rebuilding, TypeError)
  })

  test('an abort ends it with its reason, and the readers too', async () => {
    const controller = new AbortController()
    let readerSignal: AbortSignal | undefined
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 0,
      readStrip: (_piece, _stripe, signal) => {
        readerSignal = signal
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      },
      write: async () => undefined,
      signal: controller.signal,
    })
    controller.abort(new NotFoundError('nobody waits'))
    await assert.rejects(rebuilding, { message: 'nobody waits' })
    assert.equal(readerSignal?.aborted, true)
  })

  test('a writer that fails ends the readers', async () => {
    const signals: AbortSignal[] = []
    const rebuilding = rebuildPiece({
      placement: part.placement,
      index: 1,
      readStrip: async (piece, stripe, signal) => {
        signals.push(signal)
        return part.stripes[stripe]!.strips[piece]
      },
      write: async () => {
        throw new NotFoundError('disk gone')
      },
    })
    await assert.rejects(rebuilding, { message: 'disk gone' })
    assert.ok(signals.every((signal) => signal.aborted))
  })
})
