import {
  type ErasurePolicy,
  type ProviderClient,
  partGeometry,
  partStoredBytesOf,
  type Receipt,
  stripeStoredBytesOf,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { NotEnoughProvidersError } from '../errors.ts'
import { createNotifier } from '../flow/notifier.ts'
import { type Chooser, createChooser } from './chooser.ts'
import { completePart, type StoredPart } from './complete-part.ts'
import { leastPiecesOf } from './lag.ts'
import { openPart, type PartUpload } from './part-upload.ts'
import { proposePayable } from './payable.ts'
import type { OutStripe } from './stripes.ts'

export type UploadOptions = ErasurePolicy & {
  readonly owner: string
  /** Bytes in clear have the same pieces wherever they occur. */
  readonly mayBeShared: boolean
  readonly isMemoryWanted: () => boolean
  readonly onEncoded: (plainBytes: number) => void
  /** One more piece has a receipt, of `wanted` begun so far. */
  readonly onStored: (pieces: number, wanted: number) => void
  /** Ends everything; the parts that were stored are then in {@link PartsUpload.stored}. */
  readonly scope: AbortController
}

/** The parts of one object on their way to providers. */
export type PartsUpload = {
  /** Parts with what is stored of them, complete or not, in order. */
  readonly begun: readonly BegunPart[]
  /** Sends all stripes; resolves with the placed parts. */
  run(stripes: AsyncGenerator<OutStripe>): Promise<StoredPart[]>
  /** To be called when somebody waits for a stripe's memory. */
  reclaim(): void
  /** Stops what is under way and waits until it has stopped. */
  stop(reason: unknown): Promise<void>
}

/** What providers hold of a part. */
export type BegunPart = {
  /** While it runs. */
  upload: PartUpload | undefined
  readonly chooser: Chooser
  readonly stored: Map<number, { readonly provider: ProviderClient; readonly receipt: Receipt }>
}

export function createPartsUpload(context: StorageContext, options: UploadOptions): PartsUpload {
  const { dataShards, parityShards, scope } = options
  const { limits, ports } = context
  const { signal } = scope
  const begun: BegunPart[] = []
  const placed: StoredPart[] = []
  const running = new Set<BegunPart>()
  const fullBytes = fullBytesOf(dataShards, limits.partBytes)
  const fullPieceBytes = partGeometry(fullBytes, dataShards, parityShards).pieceBytes
  let open: BegunPart | undefined
  let closing: Promise<void> = Promise.resolve()
  let pieces = 0
  let wanted = 0

  const report = (stored: number) => {
    pieces += stored
    options.onStored(pieces, wanted)
  }
  const openNext = async (first: OutStripe) => {
    const maxPieceBytes = first.endsObject ? first.stripBytes : fullPieceBytes
    const chooser = createChooser(context, maxPieceBytes)
    const least = leastPiecesOf(options)
    const wantedPieces = { count: dataShards + parityShards, least, pieceBytes: maxPieceBytes }
    const providers = await proposePayable(context, chooser, wantedPieces, signal)
    if (providers.length < least) {
      throw new NotEnoughProvidersError(least, providers.length, [])
    }
    wanted += dataShards + parityShards
    const onStored = () => report(1)
    const upload = openPart(context, { ...options, chooser, providers, maxPieceBytes, onStored, signal })
    const part: BegunPart = { upload, chooser, stored: new Map() }
    begun.push(part)
    running.add(part)
    return part
  }
  /** Ends the open part in the background; one part at a time may be ending while the next is open. */
  const close = async () => {
    if (!open?.upload) return
    const part = open
    const { upload } = open
    open = undefined
    await closing
    closing = (async () => {
      const sent = await upload.finish()
      for (const [index, holding] of sent.stored) part.stored.set(index, holding)
      const before = part.stored.size
      placed.push(await completePart(context, { ...options, chooser: part.chooser, signal }, sent, part.stored))
      report(part.stored.size - before)
      running.delete(part)
      part.upload = undefined // with the unit nodes of all its pieces
    })()
    closing.catch((thrown) => scope.abort(thrown)) // the next step of the loop, or its end, sees it
  }
  const hasRoom = (upload: PartUpload, stripe: OutStripe) =>
    upload.sizeBytes + stripe.storedBytes <= fullBytes && ports.clock.nowMs() - upload.openedMs < limits.partOpenMs

  return {
    begun,
    async run(stripes) {
      for (;;) {
        const next = stripes.next()
        next.catch(() => undefined) // awaited below, unless a part fails first
        if (open && (await isLate(next))) await close()
        const step = await next
        if (step.done) break
        options.onEncoded(step.value.plainBytes)
        if (open?.upload && !hasRoom(open.upload, step.value)) await close()
        open ??= await openNext(step.value)
        await open.upload?.push(step.value)
      }
      await close()
      await closing
      return placed
    },
    reclaim() {
      for (const part of running) part.upload?.reclaim()
    },
    async stop(reason) {
      scope.abort(reason)
      await Promise.allSettled([closing])
      for (const part of running) {
        const stored = await part.upload?.abort(reason)
        for (const [index, holding] of stored ?? []) part.stored.set(index, holding)
      }
    },
  }

  /** Whether the source keeps us waiting for so long that providers should not wait with us. */
  async function isLate(next: Promise<unknown>): Promise<boolean> {
    const arrived = createNotifier()
    let isHere = false
    const wake = () => {
      isHere = true
      arrived.notify()
    }
    next.then(wake, wake)
    await arrived.waitAtMost(ports.timers, limits.partIdleMs, signal)
    return !isHere
  }
}

/** Stored bytes of a full part: as many whole stripes as fit, and one at the least. */
function fullBytesOf(dataShards: number, partBytes: number): number {
  const stripeBytes = stripeStoredBytesOf(dataShards)
  const wanted = Math.max(stripeBytes, Math.floor(partBytes / stripeBytes) * stripeBytes)
  return Math.min(wanted, partStoredBytesOf(dataShards))
}
