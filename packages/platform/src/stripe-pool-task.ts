import {
  type EncodedStripe,
  type ErrorEnvelope,
  encodeStripe,
  envelopeFromError,
  hashUnits,
  openChunks,
  type StripeInput,
} from '@memo/core'

/** Sealed chunks to be opened, as `openChunks` takes them. */
export type SealedChunks = {
  readonly contentKey: Uint8Array
  readonly firstChunk: number
  readonly sealed: Uint8Array
  readonly endsObject: boolean
}

/** What the pool sends to a thread; its memory goes with it. */
export type StripeTask =
  | { readonly kind: 'encode'; readonly stripe: StripeInput }
  | { readonly kind: 'hash'; readonly data: Uint8Array }
  | { readonly kind: 'open'; readonly chunks: SealedChunks }

/** A task of one kind. */
export type StripeTaskOf<Kind extends StripeTask['kind']> = Extract<StripeTask, { readonly kind: Kind }>

/** A stripe with all memory of its task: strips in a row in `buffer`, their unit nodes in a row in `units`. */
type PackedStripe = {
  readonly buffer: Uint8Array
  readonly units: Uint8Array
  readonly plaintext: Uint8Array
  readonly totalShards: number
  readonly stripBytes: number
  readonly storedBytes: number
}

/** What a thread answers, by kind of task. */
export type StripeAnswer = {
  readonly encode: PackedStripe
  readonly hash: { readonly units: Uint8Array; readonly data: Uint8Array }
  readonly open: { readonly plaintext: Uint8Array }
}

/** What a thread answers in place of what was thrown. */
export type StripeFailure = { readonly failure: ErrorEnvelope }

/** Does a task, in whatever thread it is called, and says which memory goes with its answer. Never throws. */
export function answerOf(task: StripeTask): {
  readonly answer: StripeAnswer[keyof StripeAnswer] | StripeFailure
  readonly moved: ArrayBuffer[]
} {
  try {
    const answer = doTask(task)
    return { answer, moved: memoryOf(...Object.values(answer)) }
  } catch (thrown) {
    return { answer: { failure: envelopeFromError(thrown) }, moved: [] }
  }
}

function doTask(task: StripeTask): StripeAnswer[keyof StripeAnswer] {
  if (task.kind === 'encode') return packedStripe(task.stripe)
  if (task.kind === 'hash') return { units: hashUnits(task.data), data: task.data }
  const { contentKey, firstChunk, sealed, endsObject } = task.chunks
  return { plaintext: openChunks(contentKey, firstChunk, sealed, endsObject, sealed) }
}

function packedStripe(stripe: StripeInput): PackedStripe {
  const { strips, units, stripBytes, storedBytes } = encodeStripe(stripe)
  const first = strips[0]!
  const buffer = new Uint8Array(first.buffer, first.byteOffset)
  const packed = new Uint8Array(units.length * units[0]!.length)
  for (const [index, nodes] of units.entries()) packed.set(nodes, index * nodes.length)
  return { buffer, units: packed, plaintext: stripe.plaintext, totalShards: strips.length, stripBytes, storedBytes }
}

/** The stripe in an answer, as views of its memory. */
export function stripeFromPacked(packed: PackedStripe): EncodedStripe {
  const { buffer, units, totalShards, stripBytes, storedBytes } = packed
  const rowsOf = (bytes: Uint8Array, length: number) =>
    Array.from({ length: totalShards }, (_, index) => bytes.subarray(index * length, (index + 1) * length))
  return {
    strips: rowsOf(buffer, stripBytes),
    units: rowsOf(units, units.length / totalShards),
    stripBytes,
    storedBytes,
  }
}

/** The memory of all byte arrays among `values`, to be moved with a message: each must be its holder's alone. */
export function memoryOf(...values: readonly unknown[]): ArrayBuffer[] {
  return values.flatMap((value) =>
    value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.buffer.byteLength > 0
      ? [value.buffer]
      : [],
  )
}
