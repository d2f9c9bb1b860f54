import { checkpointsAbi } from '@memo/contracts'
import { type Address, findBytesFromHex } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import { readEvents } from '../events/read-events.ts'

/** The last checkpoint of one writer's log of a DID. */
export type CheckpointInfo = {
  readonly writer: Address
  readonly seq: bigint
  readonly hash: Uint8Array
  /** Where the index is stored, as its writer says; its hash proves nothing about its truth. */
  readonly placement: Uint8Array
  readonly blockNumber: number
}

/**
 * The newest checkpoint of every writer's log of a DID, from the events alone: one endpoint and the id are enough. The
 * owner decides which writers to believe. `spec/checkpoint.md` 4 and 5
 */
export async function listCheckpoints(
  client: ChainClient,
  {
    addresses,
    did,
    fromBlock = 0n,
  }: { readonly addresses: Addresses; readonly did: string; readonly fromBlock?: bigint },
): Promise<CheckpointInfo[]> {
  const newest = new Map<Address, CheckpointInfo>()
  const contract = { address: addresses.checkpoints, abi: checkpointsAbi, names: ['Checkpointed'] } as const
  for await (const { args, blockNumber } of readEvents(client, {
    ...contract,
    args: { did: idFromDid(did) },
    fromBlock,
  })) {
    const writer = canonicalAddress(args.writer)
    const [hash, placement] = [findBytesFromHex(args.hash), findBytesFromHex(args.placement)]
    const known = newest.get(writer)
    if (hash === undefined || placement === undefined || (known && known.seq >= args.seq)) continue
    newest.set(writer, { writer, seq: args.seq, hash, placement, blockNumber: Number(blockNumber) })
  }
  return [...newest.values()]
}
