import type { ErasurePolicy } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { OwnLogs } from '../index/own-log.ts'
import type { StoredPart } from './complete-part.ts'
import { discardPieces } from './discard.ts'
import type { StageEvent } from './options.ts'
import type { BegunPart } from './upload-parts.ts'

/** A stretch of a part: bytes of one object. */
export type StoredStretch = { readonly part: StoredPart; readonly offset: number; readonly length: number }

/** The bytes of one object on their way to providers, in parts of their own or in one that objects share. */
export type Sending = {
  /** Resolves with what the object lies in, in order. */
  run(): Promise<readonly StoredStretch[]>
  /** Stops what is under way, after a failure of whatever kind, and waits until it has stopped. */
  stop(reason: unknown): Promise<void>
  /** To be called once at the end: the pieces stand in an entry, or are given up. */
  settle(isGivenUp: boolean): Promise<void>
}

/** What all ways of sending need to know of an object. */
export type SendOptions = {
  readonly did: string
  readonly policy: ErasurePolicy
  /** Key of a sealed object. */
  readonly contentKey: Uint8Array | undefined
  readonly report: (event: StageEvent) => void
  /** Ends the put. */
  readonly scope: AbortController
}

/** Counts on these pieces no more: keepers know of them now, or they are given up. */
export async function settlePieces(
  context: StorageContext,
  logs: Pick<OwnLogs, 'isPending'>,
  begun: readonly Pick<BegunPart, 'stored'>[],
  { isGivenUp, mayBeShared }: { readonly isGivenUp: boolean; readonly mayBeShared: boolean },
): Promise<void> {
  for (const { stored } of begun) {
    const pieces = [...stored.values()].map(({ provider, receipt }) => ({ provider, root: receipt.root }))
    for (const { provider, root } of pieces) context.pieceUse.release(provider.address, root)
    if (isGivenUp) await discardPieces(context, logs, pieces, mayBeShared)
  }
}
