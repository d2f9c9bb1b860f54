import {
  type CidBuilder,
  combineUnits,
  createCidBuilder,
  createCoder,
  type EncodedStripe,
  encodeStripe,
  hashUnits,
  STRIP_BYTES,
  sealChunks,
  stripeBufferBytesOf,
  stripePlainBytesOf,
} from '@memo/core'
import { createStripePool, type StripePool } from '@memo/platform'
import type { Bench, BenchRow } from '../row.ts'
import { type Candidate, median, medianRatio, megabytesPerSecond, timeInTurns } from '../turns.ts'
import { testBytes } from './bytes.ts'

const POLICY = { dataShards: 4, parityShards: 2 }
const STRIPS = 6
const STRIPE_BYTES: number = stripePlainBytesOf(POLICY.dataShards, true)
const STRIPES = 8
/** Stripes that the pool has at once: one for each thread and one to follow. */
const IN_POOL = 3
const POOL_THREADS = 2

/**
 * The whole way of an upload in memory, in megabytes of user data per second: CID, seal, 4+2 and the trees of six
 * pieces. In one thread its time is held against the sum of the times of its stages, each run alone over the same
 * bytes: what is above the sum is waste between the stages. With a pool it is held against one thread.
 */
export const benchPipeline: Bench = async ({ isQuick, signal }) => {
  const turns = isQuick ? 5 : 15
  const pool = createStripePool({ threads: POOL_THREADS })
  try {
    const way = createWay()
    const pooled = { name: `pool of ${POOL_THREADS} threads`, run: async () => await way.inPool(pool) }
    const candidates = [...way.stages, way.inline, pooled]
    const times = await timeInTurns(candidates, { turns, warmUpTurns: 2, signal })
    const [inlineTimes = [], poolTimes = []] = times.slice(way.stages.length)
    const sums = inlineTimes.map((_, turn) => way.stages.reduce((sum, _stage, index) => sum + times[index]![turn]!, 0))
    const rowOf = (name: string, ms: number): BenchRow => ({
      name,
      value: megabytesPerSecond(STRIPES * STRIPE_BYTES, ms),
      unit: 'MB/s',
      runs: turns,
    })
    return [
      ...way.stages.map(({ name }, index) => rowOf(name, median(times[index]!))),
      rowOf('sum of the stages', median(sums)),
      {
        ...rowOf('one thread', median(inlineTimes)),
        ratio: medianRatio(sums, inlineTimes),
        baseline: 'sum of the stages',
      },
      { ...rowOf(pooled.name, median(poolTimes)), ratio: medianRatio(inlineTimes, poolTimes), baseline: 'one thread' },
    ]
  } finally {
    await pool.close()
  }
}

type Way = {
  readonly stages: readonly Candidate[]
  readonly inline: Candidate
  inPool(pool: StripePool): Promise<void>
}

function createWay(): Way {
  const contentKey = testBytes(32, 1)
  const plaintexts = Array.from({ length: STRIPES }, (_, index) => testBytes(STRIPE_BYTES, index))
  const memory = Array.from({ length: IN_POOL }, () => new Uint8Array(stripeBufferBytesOf(POLICY)))
  const buffer = new Uint8Array(stripeBufferBytesOf(POLICY))
  const strips = Array.from({ length: STRIPS }, (_, i) => buffer.subarray(i * STRIP_BYTES, (i + 1) * STRIP_BYTES))
  const coder = createCoder(POLICY)
  const forEach = (work: (plaintext: Uint8Array, index: number) => void) => () => plaintexts.forEach(work)
  const inputOf = (index: number, own: Uint8Array) => {
    const firstChunk = index * 64
    return { ...POLICY, plaintext: plaintexts[index]!, contentKey, firstChunk, endsObject: false, buffer: own }
  }
  const stages: Candidate[] = [
    {
      name: 'stage: cid',
      run: () => {
        const cid = createCidBuilder()
        for (const plaintext of plaintexts) cid.update(plaintext)
        cid.finish()
      },
    },
    { name: 'stage: seal', run: forEach((plain, i) => sealChunks(contentKey, i * 64, plain, false, buffer)) },
    { name: 'stage: encode 4+2', run: forEach(() => coder.encode(strips.slice(0, 4), strips.slice(4))) },
    { name: 'stage: trees of six pieces', run: forEach(() => strips.forEach(hashUnits)) },
  ]
  const finish = (cid: CidBuilder, encoded: readonly EncodedStripe[]) => {
    combineUnits(encoded)
    cid.finish()
  }
  return {
    stages,
    inline: {
      name: 'one thread',
      run: () => {
        const cid = createCidBuilder()
        const encoded = plaintexts.map((plaintext, index) => {
          cid.update(plaintext)
          return encodeStripe(inputOf(index, buffer))
        })
        finish(cid, encoded)
      },
    },
    async inPool(pool) {
      const cid = createCidBuilder()
      const encoded: EncodedStripe[] = []
      const encodeNext = async (index: number) => {
        const stripe = await pool.encode(inputOf(index, memory.pop()!))
        plaintexts[index] = stripe.plaintext
        memory.push(new Uint8Array(stripe.strips[0]!.buffer as ArrayBuffer))
        encoded[index] = stripe
      }
      const queue: Promise<void>[] = []
      for (const [index, plaintext] of [...plaintexts.entries()]) {
        cid.update(plaintext)
        queue.push(encodeNext(index))
        if (queue.length === IN_POOL) await queue.shift()
      }
      await Promise.all(queue)
      finish(cid, encoded)
    },
  }
}
