import { sealChunks, sealedBytesOf } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { OwnLogs } from '../index/own-log.ts'
import type { PackedStretch } from './packer.ts'
import type { Sending, SendOptions } from './sending.ts'

/**
 * Sends a small object in a part that it shares with others which wait at the same time (`spec/sdk.md` 14). An empty one in
 * clear has no part.
 */
export function sendPacked(
  context: StorageContext,
  logs: OwnLogs,
  plaintext: Uint8Array,
  options: SendOptions,
): Sending {
  const { did, policy, contentKey, report, scope } = options
  let stretch: PackedStretch | undefined
  return {
    async run() {
      const bytes = contentKey ? sealed(contentKey, plaintext) : plaintext
      if (bytes.length === 0) return []
      report({ stage: 'encoded', sizeBytes: plaintext.length })
      const onStored = (pieces: number, wanted: number) =>
        report({ stage: 'stored', pieces, wanted, readableFrom: policy.dataShards })
      const item = { did, policy, bytes, isClear: contentKey === undefined, onStored }
      stretch = await context.packer.add(context, logs, item, scope.signal)
      return [stretch]
    },
    async stop(reason) {
      scope.abort(reason) // the packer then waits for whatever it has to
    },
    async settle(isGivenUp) {
      await stretch?.settle(isGivenUp)
    },
  }
}

function sealed(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const out = new Uint8Array(sealedBytesOf(plaintext.length))
  sealChunks(key, 0, plaintext, true, out)
  return out
}
