import { concatBytes, type ErasurePolicy, stripeStoredBytesOf } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { memoryShare } from '../flow/memory.ts'
import type { OwnLogs } from '../index/own-log.ts'
import type { StoredPart } from './complete-part.ts'
import { type StoredStretch, settlePieces } from './sending.ts'
import type { OutStripe } from './stripes.ts'
import { createPartsUpload } from './upload-parts.ts'

/** Parts that are sent at one time under one policy. */
const PACKS_AT_ONCE = 2
/** Another part is begun beside the one that is being sent when so many objects wait: few in each would cost the most. */
const COMPANY = 8
/** Objects in one part. */
const MAX_MEMBERS = 128

/** The stored bytes of a small object, and whose it is. */
export type PackItem = {
  readonly did: string
  readonly policy: ErasurePolicy
  /** At least one, and a stripe's at the most. */
  readonly bytes: Uint8Array
  readonly isClear: boolean
  /** As for the upload of parts. */
  readonly onStored: (pieces: number, wanted: number) => void
}

/** Where a small object lies. */
export type PackedStretch = StoredStretch & {
  /** As for a sending: pieces go only when every object of the part was given up. */
  settle(isGivenUp: boolean): Promise<void>
}

/**
 * Puts small objects that wait at the same time into one part (`spec/sdk.md` 14): receipts, requests and writes to disks
 * are then those of one object. What comes while one is being sent goes with the next.
 */
export type Packer = {
  /** Errors: those of the upload; the signal's reason, once nothing is left behind that is this object's alone. */
  add(
    context: StorageContext,
    logs: Pick<OwnLogs, 'isPending'>,
    item: PackItem,
    signal: AbortSignal,
  ): Promise<PackedStretch>
}

type Member = {
  readonly item: PackItem
  readonly signal: AbortSignal
  readonly resolve: (stretch: PackedStretch) => void
  readonly reject: (reason: unknown) => void
  /** What to do when its put is aborted, by how far it is. */
  onAbort: () => void
}

export function createPacker(): Packer {
  const lines = new Map<string, { readonly waiting: Member[]; running: number }>()
  const lineOf = ({ dataShards, parityShards }: ErasurePolicy) => {
    const key = `${dataShards}+${parityShards}`
    const line = lines.get(key) ?? { waiting: [], running: 0 }
    lines.set(key, line)
    return line
  }
  const serve = (context: StorageContext, logs: Pick<OwnLogs, 'isPending'>, policy: ErasurePolicy) => {
    const line = lineOf(policy)
    while (line.running < (line.waiting.length < COMPANY ? 1 : PACKS_AT_ONCE) && line.waiting.length > 0) {
      line.running++
      const sent = sendPack(context, logs, policy, takePack(line.waiting, stripeStoredBytesOf(policy.dataShards)))
      const next = () => {
        line.running--
        serve(context, logs, policy)
      }
      context.follow(sent.then(next, next))
    }
  }
  return {
    async add(context, logs, item, signal) {
      signal.throwIfAborted()
      return await new Promise<PackedStretch>((resolve, reject) => {
        const { waiting } = lineOf(item.policy)
        const settled = (act: () => void) => {
          signal.removeEventListener('abort', abort)
          act()
        }
        const member: Member = {
          item,
          signal,
          resolve: (stretch) => settled(() => resolve(stretch)),
          reject: (reason) => settled(() => reject(reason)),
          onAbort() {
            waiting.splice(waiting.indexOf(member), 1)
            member.reject(signal.reason)
          },
        }
        const abort = () => member.onAbort()
        signal.addEventListener('abort', abort, { once: true })
        waiting.push(member)
        serve(context, logs, item.policy)
      })
    },
  }
}

/** Those who have waited for longest, as far as they fit into one stripe. */
function takePack(waiting: Member[], maxBytes: number): Member[] {
  let bytes = 0
  const tooMuch = waiting.findIndex(({ item }, i) => {
    bytes += item.bytes.length
    return i >= MAX_MEMBERS || bytes > maxBytes
  })
  return waiting.splice(0, tooMuch < 0 ? waiting.length : Math.max(1, tooMuch))
}

/** Sends one part and tells each member its stretch, or why there is none. */
async function sendPack(
  context: StorageContext,
  logs: Pick<OwnLogs, 'isPending'>,
  policy: ErasurePolicy,
  members: readonly Member[],
): Promise<void> {
  const scope = new AbortController()
  const close = () => scope.abort(context.closed.reason)
  context.closed.addEventListener('abort', close, { once: true })
  const mayBeShared = members.some(({ item }) => item.isClear)
  const upload = createPartsUpload(context, {
    ...policy,
    owner: members[0]!.item.did,
    mayBeShared,
    isMemoryWanted: () => false,
    onEncoded: () => undefined,
    onStored: (pieces, wanted) => {
      for (const { item } of unsettled) item.onStored(pieces, wanted)
    },
    scope,
  })
  /** Members that have not come to their end, and whether an entry names the part. */
  const unsettled = new Set(members)
  let isNamed = false
  const settle = async (member: Member, isGivenUp: boolean) => {
    isNamed ||= !isGivenUp
    if (!unsettled.delete(member) || unsettled.size > 0) return
    await settlePieces(context, logs, upload.begun, { isGivenUp: !isNamed, mayBeShared })
  }
  /** Who leaves while others go on leaves bytes behind that nobody reads; the last one ends it all. */
  const leave = (member: Member) => {
    if (unsettled.size === 1) {
      scope.abort(member.signal.reason)
      return
    }
    unsettled.delete(member)
    member.reject(member.signal.reason)
  }
  for (const member of members) member.onAbort = () => leave(member)
  try {
    const [part] = await withMemory(context, policy, members, scope.signal, async () => {
      return await upload.run(oneStripe(context, policy, members))
    })
    let offset = 0
    for (const member of members) {
      const { did, bytes } = member.item
      const stretch = { part: ownedBy(part!, did), offset, length: bytes.length }
      offset += bytes.length
      if (unsettled.has(member)) {
        member.resolve({ ...stretch, settle: async (isGivenUp) => await settle(member, isGivenUp) })
      }
    }
  } catch (thrown) {
    const failed = [...unsettled]
    try {
      await upload.stop(thrown)
      for (const member of failed) await settle(member, true)
    } finally {
      for (const member of failed) member.reject(member.signal.aborted ? member.signal.reason : thrown)
    }
  } finally {
    context.closed.removeEventListener('abort', close)
  }
}

/** The part as one of several DIDs places it. */
function ownedBy(part: StoredPart, owner: string): StoredPart {
  return { ...part, placement: { ...part.placement, owner } }
}

async function* oneStripe(
  { encode }: StorageContext,
  policy: ErasurePolicy,
  members: readonly Member[],
): AsyncGenerator<OutStripe> {
  const plaintext = concatBytes(...members.map(({ item }) => item.bytes))
  const plainBytes = plaintext.length
  // Its objects are sealed already, each under its own key.
  const stripe = await encode({ ...policy, plaintext, contentKey: undefined, firstChunk: 0, endsObject: true })
  yield { ...stripe, plainBytes, endsObject: true, recycle: () => undefined }
}

/** Does `work` once the budget of this process, if there is one, has room for the stripe. */
async function withMemory<T>(
  { memory }: StorageContext,
  { dataShards, parityShards }: ErasurePolicy,
  members: readonly Member[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const bytes = members.reduce((sum, { item }) => sum + item.bytes.length, 0)
  const strips = Math.ceil((bytes * (dataShards + parityShards)) / dataShards)
  const lease = memory && (await memoryShare(memory.put, bytes + strips).take(signal))
  try {
    return await work()
  } finally {
    lease?.release()
  }
}
