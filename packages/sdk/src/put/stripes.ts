import {
  type ByteStream,
  blocksFromStream,
  CHUNK_BYTES,
  type CidBuilder,
  type EncodedStripe,
  type ErasurePolicy,
  STRIP_BYTES,
  stripeBufferBytesOf,
  stripePlainBytesOf,
} from '@memo/core'
import type { StripeEncoder } from '../context.ts'
import type { Recycler } from '../flow/recycler.ts'
import type { Slots } from '../flow/slots.ts'

/** A stripe on its way out. */
export type OutStripe = EncodedStripe & {
  readonly plainBytes: number
  /** Nothing comes after it. */
  readonly endsObject: boolean
  /** Gives its memory back, once. */
  readonly recycle: () => void
}

export type StripesOptions = ErasurePolicy & {
  readonly contentKey: Uint8Array | undefined
  readonly encode: StripeEncoder
  /** Stripes that are encoded at once. */
  readonly encoding: number
  /** One place for each stripe in memory. */
  readonly slots: Slots
  readonly recycler: Recycler
  readonly cid: CidBuilder
  readonly signal: AbortSignal
}

/**
 * Cuts a stream into stripes and has them encoded, a few at once, in order. Reads no further while there is no place
 * for another stripe, and hands out all it has before it waits for one: memory that is waited for is not held back by
 * those who wait. A sealed empty object has one stripe, an empty one in clear none (`spec/sdk.md` 2).
 */
export async function* stripesFromStream(source: ByteStream, options: StripesOptions): AsyncGenerator<OutStripe> {
  const { contentKey, slots, cid, signal, encoding } = options
  const encodeNext = createEncoding(options)
  const queue: Promise<OutStripe>[] = []
  const begin = (plaintext: Uint8Array, endsObject: boolean) => {
    const stripe = encodeNext.begin(plaintext, endsObject)
    stripe.catch(() => undefined) // awaited in its turn, unless an earlier one fails
    queue.push(stripe)
  }
  const plainBytes = stripePlainBytesOf(options.dataShards, contentKey !== undefined)
  const blocks = blocksFromStream(source, plainBytes, encodeNext.allocate)
  /** The next block, for which there is a place already; gives the place back where there is no block. */
  const read = async () => {
    try {
      const step = await blocks.next()
      if (!step.done) return step.value
    } catch (thrown) {
      slots.give()
      throw thrown
    }
    slots.give()
    return undefined
  }
  try {
    let isEmpty = true
    for (;;) {
      while (queue.length > 0 && !slots.isFree()) yield await queue.shift()!
      await slots.take(signal)
      const next = await read()
      if (!next) break
      isEmpty = false
      cid.update(next.block)
      begin(next.block, next.last)
      if (queue.length >= encoding) yield await queue.shift()!
    }
    if (isEmpty && contentKey) {
      await slots.take(signal)
      begin(new Uint8Array(0), true)
    }
    while (queue.length > 0) yield await queue.shift()!
  } finally {
    await blocks.return(undefined)
    for (const stripe of await Promise.allSettled(queue)) if (stripe.status === 'fulfilled') stripe.value.recycle()
  }
}

/** What a stripe holds of memory: its plaintext and its strips. */
export function stripeMemoryBytesOf(policy: ErasurePolicy): number {
  return policy.dataShards * STRIP_BYTES + stripeBufferBytesOf(policy)
}

/** The encoder with its memory, which is used again and again. */
function createEncoding(options: StripesOptions): {
  begin(plaintext: Uint8Array, endsObject: boolean): Promise<OutStripe>
  allocate(bytes: number): Uint8Array
} {
  const { contentKey, encode, slots, recycler, dataShards, parityShards } = options
  const bufferBytes = stripeBufferBytesOf(options)
  const blockBytes = stripePlainBytesOf(dataShards, contentKey !== undefined)
  let firstChunk = 0

  const keepWhole = (memory: ArrayBufferLike, bytes: number) => {
    if (memory instanceof ArrayBuffer && memory.byteLength === bytes) recycler.give(new Uint8Array(memory))
  }
  /** A short strip may still lie in a socket's own queue when it counts as sent, so its memory is not used again. */
  const keep = (stripe: EncodedStripe) => {
    if (stripe.stripBytes === STRIP_BYTES) keepWhole(stripe.strips[0]!.buffer, bufferBytes)
  }
  return {
    allocate: (bytes) => recycler.take(bytes),
    async begin(plaintext, endsObject) {
      const plainBytes = plaintext.length
      const buffer = plainBytes === blockBytes ? recycler.take(bufferBytes) : undefined
      const input = { dataShards, parityShards, plaintext, contentKey, firstChunk, endsObject, buffer }
      firstChunk += Math.ceil(plainBytes / CHUNK_BYTES)
      try {
        const stripe = await encode(input)
        keepWhole((stripe.plaintext ?? plaintext).buffer, blockBytes)
        let isOut = true
        const recycle = () => {
          if (!isOut) return
          isOut = false
          keep(stripe)
          slots.give()
        }
        return { ...stripe, plainBytes, endsObject, recycle }
      } catch (thrown) {
        slots.give()
        throw thrown
      }
    },
  }
}
