import { checkpointsAbi } from '@memo/contracts'
import { type Address, findBytesFromHex } from '@memo/core'
import { keccak256, parseEventLogs, stringToHex } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { idFromDid } from '../did-id.ts'
import { readLogs } from '../events/read-logs.ts'

/** The last checkpoint of one writer's log of a DID. */
export type CheckpointInfo = {
  readonly writer: Address
  readonly seq: bigint
  readonly hash: Uint8Array
  /** Where the index is stored, as its writer says; its hash proves nothing about its truth. */
  readonly placement: Uint8Array
  readonly blockNumber: number
}

const checkpointEvents = checkpointsAbi.filter(
  (item): item is Extract<(typeof checkpointsAbi)[number], { type: 'event'; name: 'Checkpointed' }> =>
    item.type === 'event' && item.name === 'Checkpointed',
)

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
  try {
    const toBlock = await client.rpc.getBlockNumber({ cacheTime: 0 })
    const pages = readLogs(client, {
      address: addresses.checkpoints,
      events: checkpointEvents,
      firstTopic: keccak256(stringToHex(idFromDid(did))),
      fromBlock,
      toBlock,
    })
    for await (const logs of pages) {
      for (const { args, blockNumber } of parseEventLogs({ abi: checkpointEvents, logs })) {
        const writer = args.writer.toLowerCase() as Address
        const [hash, placement] = [findBytesFromHex(args.hash), findBytesFromHex(args.placement)]
        const known = newest.get(writer)
        if (hash === undefined || placement === undefined || (known && known.seq >= args.seq)) continue
        newest.set(writer, { writer, seq: args.seq, hash, placement, blockNumber: Number(blockNumber) })
      }
    }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'list checkpoints' })
  }
  return [...newest.values()]
}
