import { type Address, BadInputError } from '@memo/core'
import type { CheckpointChain, CheckpointSlot } from '../checkpoint/chain.ts'

/** The contract of checkpoints in memory, as `spec/checkpoint.md` 1 to 4 has it, for any number of writers. */
export type MemoryCheckpoints = {
  /** As one account sees and writes it. */
  as(writer: Address): CheckpointChain
  /** Slots by DID and writer; tests may change what stands there. */
  readonly slots: Map<string, CheckpointSlot>
  /** How often slots were written. */
  writes(): number
}

const MAX_PLACEMENT_BYTES = 20_480
const GAS = 80_000n

export function createMemoryCheckpoints(): MemoryCheckpoints {
  const slots = new Map<string, CheckpointSlot>()
  const keyOf = (did: string, writer: Address) => `${did}/${writer}`
  let writes = 0
  return {
    slots,
    writes: () => writes,
    as: (writer) => ({
      find: async (did, of) => slots.get(keyOf(did, of)),
      list: async (did) => [...slots].flatMap(([key, slot]) => (key.startsWith(`${did}/`) ? [slot] : [])),
      async write({ did, seq, hash, placement }) {
        const key = keyOf(did, writer)
        if (seq <= (slots.get(key)?.seq ?? 0)) throw new BadInputError('NotNewer')
        if (placement.length > MAX_PLACEMENT_BYTES) throw new BadInputError('PlacementTooLong')
        const blockNumber = ++writes
        slots.set(key, { writer, seq, hash, placement, blockNumber })
        return { blockNumber, gasUsed: GAS, costWei: GAS }
      },
    }),
  }
}
