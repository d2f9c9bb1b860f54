import { geometryOf } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { PartLocator } from '../read/locate.ts'
import { createPieceReaders } from '../read/pieces.ts'
import { planStripes } from '../read/plan.ts'
import { readStripe } from '../read/stripe-reader.ts'

/** The stored bytes of a part, each strip checked against its piece's root. Errors: as for reading an object. */
export async function readPart(
  context: StorageContext,
  locator: PartLocator,
  partId: Uint8Array,
  owner: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const part = await locator.locate(partId, owner, signal)
  const geometry = geometryOf(part.placement)
  const pieces = createPieceReaders(context, locator, part)
  const bytes = new Uint8Array(geometry.sizeBytes)
  let at = 0
  for (const stripe of planStripes(geometry, { offset: 0, length: geometry.sizeBytes })) {
    for (const strip of await readStripe(context, pieces, geometry, stripe, signal)) {
      bytes.set(strip, at)
      at += strip.length
    }
  }
  return bytes
}
