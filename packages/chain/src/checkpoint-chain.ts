import { checkpointsAbi } from '@memo/contracts'
import { type Address, findBytesFromHex, hexFromBytes } from '@memo/core'
import { idFromDid } from './did-id.ts'
import type { MemoChain } from './memo-chain.ts'
import { callView } from './read/call.ts'
import { listCheckpoints } from './read/list-checkpoints.ts'
import { callForReceipt } from './write/call.ts'

/** What one log was like when its writer last left its state on the chain. */
export type CheckpointState = { readonly seq: number; readonly hash: Uint8Array }

/** What a client reads and writes of checkpoints (`spec/checkpoint.md` 1 to 4), bound to one network. */
export type CheckpointChain = {
  /** What stands in the slot of one writer's log of a DID, and since which block. */
  find(did: string, writer: Address): Promise<(CheckpointState & { readonly blockNumber: number }) | undefined>
  /** The newest checkpoint of every writer's log of a DID, with the placement that its writer named. */
  list(did: string): Promise<
    readonly (CheckpointState & {
      readonly writer: Address
      readonly placement: Uint8Array
      readonly blockNumber: number
    })[]
  >
  /** Writes the slot of the account's own log, which must be an active User; says what that cost. */
  write(
    checkpoint: CheckpointState & {
      readonly did: string
      readonly placement: Uint8Array
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<{ readonly blockNumber: number; readonly gasUsed: bigint; readonly costWei: bigint }>
}

/** Binds checkpoints to a network; writing needs the network's account. */
export function createCheckpointChain({ client, addresses }: Pick<MemoChain, 'client' | 'addresses'>): CheckpointChain {
  const contract = { address: addresses.checkpoints, abi: checkpointsAbi }
  return {
    async find(did, writer) {
      const slot = await callView(client, {
        ...contract,
        functionName: 'getCheckpoint',
        args: [idFromDid(did), writer],
      })
      const hash = findBytesFromHex(slot.hash, 32)
      return hash && slot.seq > 0n ? { seq: Number(slot.seq), hash, blockNumber: Number(slot.block_) } : undefined
    },
    async list(did) {
      const found = await listCheckpoints(client, { addresses, did })
      return found.map((checkpoint) => ({ ...checkpoint, seq: Number(checkpoint.seq) }))
    },
    async write({ did, seq, hash, placement, signal }) {
      const { blockNumber, gasUsed, effectiveGasPrice } = await callForReceipt(client, {
        ...contract,
        functionName: 'write',
        args: [idFromDid(did), BigInt(seq), hexFromBytes(hash), hexFromBytes(placement)],
        signal,
      })
      return { blockNumber: Number(blockNumber), gasUsed, costWei: gasUsed * effectiveGasPrice }
    },
  }
}
