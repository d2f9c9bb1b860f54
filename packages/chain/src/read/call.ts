import type {
  Abi,
  ContractFunctionArgs,
  ContractFunctionName,
  ReadContractParameters,
  ReadContractReturnType,
} from 'viem'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** Reads one view, from a block not older than this client's last write; faults come out as errors that say whose they are. */
export async function callView<
  const abi extends Abi,
  name extends ContractFunctionName<abi, 'pure' | 'view'>,
  const args extends ContractFunctionArgs<abi, 'pure' | 'view', name>,
>(
  client: ChainClient,
  call: ReadContractParameters<abi, name, args>,
): Promise<ReadContractReturnType<abi, name, args>> {
  try {
    return await client.horizon.read((blockNumber) =>
      client.rpc.readContract(blockNumber === undefined ? call : ({ blockNumber, ...call } as typeof call)),
    )
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: `answer ${String(call.functionName)}` })
  }
}
