import { checkpointsAbi } from '@memo/contracts'
import { hexFromBytes } from '@memo/core'
import type { ChainClient } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import type { CheckpointMessage } from '../messages/checkpoint.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'

type State = Omit<CheckpointMessage, 'writer'>

/** Writes the checkpoint of the client's own log for a DID; the client is an active User. `spec/checkpoint.md` 3 */
export async function writeCheckpoint(
  client: ChainClient,
  { did, seq, hash, placement, addresses, signal }: WriteOptions & State,
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.checkpoints,
    abi: checkpointsAbi,
    functionName: 'write',
    args: [idFromDid(did), seq, hexFromBytes(hash) as `0x${string}`, hexFromBytes(placement)],
    signal,
  })
}

/** Relays a checkpoint that a key of the DID has signed; key 0 is the master key. `spec/checkpoint.md` 3 */
export async function relayCheckpoint(
  client: ChainClient,
  options: WriteOptions & State & { readonly keyIndex?: number; readonly signature: Uint8Array },
): Promise<WriteResult> {
  const { did, seq, hash, placement, addresses, signal, keyIndex = 0, signature } = options
  return callWrite(client, {
    address: addresses.checkpoints,
    abi: checkpointsAbi,
    functionName: 'writeSigned',
    args: [
      idFromDid(did),
      BigInt(keyIndex),
      seq,
      hexFromBytes(hash) as `0x${string}`,
      hexFromBytes(placement),
      hexFromBytes(signature),
    ],
    signal,
  })
}
