import type { ByteStream, CidBuilder } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { createSlots } from '../flow/slots.ts'
import type { OwnLogs } from '../index/own-log.ts'
import { type Sending, type SendOptions, settlePieces } from './sending.ts'
import { stripeMemoryBytesOf, stripesFromStream } from './stripes.ts'
import { createPartsUpload } from './upload-parts.ts'

/** Sends a stream in parts of its own: stripe by stripe, in bounded memory. */
export function sendWhole(
  context: StorageContext,
  logs: OwnLogs,
  source: ByteStream,
  options: SendOptions & { readonly cid: CidBuilder },
): Sending {
  const { did, policy, contentKey, report, scope, cid } = options
  const { encode, limits, memory, recycler } = context
  let encodedBytes = 0
  const upload = createPartsUpload(context, {
    ...policy,
    owner: did,
    // What is sealed is nobody else's; pieces of the same bytes in clear are the same.
    mayBeShared: contentKey === undefined,
    isMemoryWanted: () => slots.isWanted(),
    onEncoded: (bytes) => {
      encodedBytes += bytes
      report({ stage: 'encoded', sizeBytes: encodedBytes })
    },
    onStored: (pieces, wanted) => report({ stage: 'stored', pieces, wanted, readableFrom: policy.dataShards }),
    scope,
  })
  const slots = createSlots({
    size: limits.stripesInMemory,
    onWanted: upload.reclaim,
    memory: memory && { budget: memory.put, bytes: stripeMemoryBytesOf(policy) },
    ended: scope.signal,
  })
  const stripes = stripesFromStream(source, {
    ...policy,
    contentKey,
    cid,
    encode,
    encoding: Math.max(1, Math.min(limits.stripesEncoding, limits.stripesInMemory - 1)),
    slots,
    recycler,
    signal: scope.signal,
  })
  return {
    async run() {
      const parts = await upload.run(stripes)
      return parts.map((part) => ({ part, offset: 0, length: part.placement.sizeBytes }))
    },
    async stop(reason) {
      await upload.stop(reason)
      await stripes.return(undefined).catch(() => undefined) // it was aborted; the first error is the one to tell
    },
    async settle(isGivenUp) {
      await settlePieces(context, logs, upload.begun, { isGivenUp, mayBeShared: contentKey === undefined })
    },
  }
}
