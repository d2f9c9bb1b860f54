import type { Address } from '@memo/core'

/** What the chain remembers of one log, with where its writer says that the checkpoint is stored. */
export type CheckpointSlot = {
  readonly writer: Address
  readonly seq: number
  /** Of entry `seq`. */
  readonly hash: Uint8Array
  /** dag-cbor of a placement, or whatever its writer wrote there. */
  readonly placement: Uint8Array
  readonly blockNumber: number
}

/** What a checkpoint has cost. */
export type CheckpointCost = {
  readonly blockNumber: number
  readonly gasUsed: bigint
  readonly costWei: bigint
}

/** What checkpoints need of the chain (`spec/checkpoint.md` 1 to 4); `createCheckpointChain` of `@memo/chain` is one. */
export type CheckpointChain = {
  /** What stands in the slot of one writer's log. */
  find(did: string, writer: Address): Promise<Pick<CheckpointSlot, 'seq' | 'hash'> | undefined>
  /** The newest checkpoint of every writer's log of a DID. */
  list(did: string): Promise<readonly CheckpointSlot[]>
  /** Writes the slot of this account's own log. */
  write(checkpoint: {
    readonly did: string
    readonly seq: number
    readonly hash: Uint8Array
    readonly placement: Uint8Array
    readonly signal?: AbortSignal | undefined
  }): Promise<CheckpointCost>
}
