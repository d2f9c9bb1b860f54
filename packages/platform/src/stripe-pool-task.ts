import { type EncodedStripe, type ErrorEnvelope, encodeStripe, envelopeFromError, type StripeInput } from '@memo/core'

/** What the pool sends to a thread: a stripe whose memory goes with it. */
export type StripeTask = StripeInput

/** What a thread answers, with all memory of the task: strips in a row in `buffer`, their unit nodes in `units`. */
export type StripeAnswer =
  | {
      readonly buffer: Uint8Array
      readonly units: Uint8Array
      readonly plaintext: Uint8Array
      readonly totalShards: number
      readonly stripBytes: number
      readonly storedBytes: number
    }
  | { readonly failure: ErrorEnvelope }

/** Does a task, in whatever thread it is called. Never throws: what is thrown is the answer. */
export function answerOf(task: StripeTask): StripeAnswer {
  try {
    const { strips, units, stripBytes, storedBytes } = encodeStripe(task)
    const first = strips[0]!
    const buffer = new Uint8Array(first.buffer, first.byteOffset)
    const packed = new Uint8Array(units.length * units[0]!.length)
    for (const [index, nodes] of units.entries()) packed.set(nodes, index * nodes.length)
    const { plaintext } = task
    return { buffer, units: packed, plaintext, totalShards: strips.length, stripBytes, storedBytes }
  } catch (thrown) {
    return { failure: envelopeFromError(thrown) }
  }
}

/** The stripe in an answer, as views of its memory. */
export function stripeFromAnswer(answer: Exclude<StripeAnswer, { failure: unknown }>): EncodedStripe {
  const { buffer, units, totalShards, stripBytes, storedBytes } = answer
  const rowsOf = (bytes: Uint8Array, length: number) =>
    Array.from({ length: totalShards }, (_, index) => bytes.subarray(index * length, (index + 1) * length))
  return {
    strips: rowsOf(buffer, stripBytes),
    units: rowsOf(units, units.length / totalShards),
    stripBytes,
    storedBytes,
  }
}

/** Buffers to be moved with a message; each must be its holder's alone. */
export function transferOf(...arrays: readonly (Uint8Array | undefined)[]): ArrayBuffer[] {
  return arrays.flatMap((array) => (array && array.buffer.byteLength > 0 ? [array.buffer as ArrayBuffer] : []))
}
