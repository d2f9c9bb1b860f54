import {
  BadInputError,
  type ByteStream,
  blocksFromStream,
  CID_PROFILES,
  type CidBuilder,
  type CidProfileName,
  canonicalCid,
  createCidBuilder,
  DEFAULT_CID_PROFILE,
  geometryOf,
  type Manifest,
  SEALED_CHUNK_BYTES,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { CidMismatchError } from '../errors.ts'
import { memoryShare } from '../flow/memory.ts'
import type { ReadAccount } from '../orders/reads.ts'
import { CID_PROFILE_KEY } from '../put/put.ts'
import type { PartLocator } from './locate.ts'
import { accountFor } from './paid-read.ts'
import { createPieceReaders } from './pieces.ts'
import { type ObjectPlan, planObject, planParts, planStripes } from './plan.ts'
import { readStripe } from './stripe-reader.ts'

/** Sealed chunks that are opened at once. */
const CHUNKS_AT_ONCE = 16
/** A byte that is read lies in memory as it came and as it was opened. */
const MEMORY_PER_BYTE = 2
/** Stretches of chunks that are being opened at once; more than one only helps with other threads. */
const BLOCKS_OPENED_AHEAD = 2

export type ReadOptions = {
  /** The DID whose object it is: where several have placed the same bytes in clear, its own placement is read. */
  readonly owner?: string | undefined
  /** Where to begin; 0 where nothing is said. */
  readonly offset?: number | undefined
  /** Plaintext bytes at the most; to the end where nothing is said. */
  readonly length?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The plaintext of an object, or a stretch of it (`spec/sdk.md` 9 to 11). Every strip is checked against its piece's
 * root before it is used, every chunk is authenticated, and a read of the whole object ends with a check of its CID.
 *
 * @throws NotEnoughPiecesError, SealBrokenError, CidMismatchError, KeepersUnreachableError, NotFoundError,
 * BadInputError for a range or manifest that cannot be; the signal's reason
 */
export async function* readObject(
  context: StorageContext,
  locator: PartLocator,
  manifest: Manifest,
  options: ReadOptions = {},
): AsyncGenerator<Uint8Array> {
  const { offset = 0, length = Number.MAX_SAFE_INTEGER } = options
  const plan = planObject(manifest, { offset, length })
  const scope = new AbortController()
  const signal = AbortSignal.any([scope.signal, context.closed, ...(options.signal ? [options.signal] : [])])
  signal.throwIfAborted()
  const cid = plan.length === manifest.sizeBytes ? findBuilder(manifest) : undefined
  try {
    const stored = storedBytes({ context, locator, manifest, plan, owner: options.owner, signal })
    for await (const plaintext of manifest.contentKey ? opened(context, stored, plan, manifest.contentKey) : stored) {
      if (plaintext.length === 0) continue
      cid?.update(plaintext)
      yield plaintext
    }
    if (cid) assertCid(context, manifest, cid)
  } finally {
    scope.abort()
  }
}

type Reading = {
  readonly context: StorageContext
  readonly locator: PartLocator
  readonly manifest: Manifest
  readonly plan: ObjectPlan
  readonly owner: string | undefined
  readonly signal: AbortSignal
}

/** A stripe that can be read. */
type StripeRead = {
  /** Of the strips that are read. */
  readonly bytes: number
  run(): Promise<Uint8Array[]>
}

/** A stripe on its way, with the memory that it takes. */
type StripeAhead = { readonly strips: Promise<Uint8Array[]>; readonly lease: { release(): void } | undefined }

/** The stored bytes of a plan in order, a few stripes ahead of whoever reads them as far as there is memory. */
async function* storedBytes(reading: Reading): AsyncGenerator<Uint8Array> {
  const { context, signal } = reading
  const ahead: StripeAhead[] = []
  const handOut = async function* () {
    const { strips, lease } = ahead[0]!
    yield* await strips
    ahead.shift()
    lease?.release()
  }
  try {
    for await (const stripe of stripeReads(reading)) {
      const share = context.memory && memoryShare(context.memory.read, MEMORY_PER_BYTE * stripe.bytes)
      while (ahead.length > 0 && share && !share.isFree()) yield* handOut()
      const lease = await share?.take(signal)
      const strips = stripe.run()
      strips.catch(() => undefined) // awaited in its turn, unless an earlier one fails
      ahead.push({ strips, lease })
      if (ahead.length >= context.limits.stripesReadAhead) yield* handOut()
    }
    while (ahead.length > 0) yield* handOut()
  } finally {
    await Promise.allSettled(ahead.map(({ strips }) => strips))
    for (const { lease } of ahead) lease?.release()
  }
}

async function* stripeReads(reading: Reading): AsyncGenerator<StripeRead> {
  const { context, locator, manifest, plan, owner, signal } = reading
  let account: ReadAccount | undefined
  for (const slice of planParts(manifest, plan.stored)) {
    const part = await locator.locate(slice.partId, owner, signal)
    const geometry = geometryOf(part.placement)
    account ??= accountFor(context, plan.stored.length, part.placement)
    const pieces = createPieceReaders(context, locator, part, account)
    for (const stripe of planStripes(geometry, slice)) {
      yield {
        bytes: stripe.slices.reduce((sum, { from, to }) => sum + to - from, 0),
        run: async () => await readStripe(context, pieces, geometry, stripe, signal),
      }
    }
  }
}

/** The plaintext of the planned chunks, less what stands before and after the wanted bytes. */
async function* opened(
  { openChunks }: StorageContext,
  stored: ByteStream,
  plan: ObjectPlan,
  contentKey: Uint8Array,
): AsyncGenerator<Uint8Array> {
  let { firstChunk, skip, length } = plan
  const ahead: Promise<Uint8Array>[] = []
  const next = async () => {
    const plaintext = await ahead.shift()!
    const wanted = plaintext.subarray(skip, skip + length)
    skip = 0
    length -= wanted.length
    return wanted
  }
  for await (const { block, last } of blocksFromStream(stored, SEALED_CHUNK_BYTES * CHUNKS_AT_ONCE)) {
    const plaintext = openChunks({ contentKey, firstChunk, sealed: block, endsObject: last && plan.endsObject })
    plaintext.catch(() => undefined) // awaited in its turn, unless an earlier one fails
    ahead.push(plaintext)
    firstChunk += CHUNKS_AT_ONCE
    if (ahead.length >= BLOCKS_OPENED_AHEAD) yield await next()
  }
  while (ahead.length > 0) yield await next()
}

/**
 * Undefined when the CID was built in a way that is not known here: what is sealed is authenticated all the same, what is in
 * clear would be whatever somebody says it is. Errors: BadInputError.
 */
function findBuilder({ metadata, contentKey, cid }: Manifest): CidBuilder | undefined {
  const profile = metadata[CID_PROFILE_KEY] ?? DEFAULT_CID_PROFILE
  if (Object.hasOwn(CID_PROFILES, profile)) return createCidBuilder(profile as CidProfileName)
  if (contentKey) return undefined
  const message = `the bytes of ${cid} cannot be checked: its manifest names an unknown way of building CIDs`
  throw new BadInputError(message, { details: { cid, profile }, fix: 'Read it with a newer version.' })
}

function assertCid({ lures }: StorageContext, manifest: Manifest, cid: CidBuilder): void {
  const actual = cid.finish()
  if (actual === canonicalCid(manifest.cid)) return
  if (!manifest.contentKey) lures.add(manifest)
  throw new CidMismatchError(manifest.cid, actual)
}
