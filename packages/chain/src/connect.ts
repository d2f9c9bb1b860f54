import { CONTRACTS_VERSION, registryAbi } from '@memo/contracts'
import { MemoError } from '@memo/core'
import { type Address, keccak256, stringToHex } from 'viem'
import { type Addresses, canonicalAddress, registryEntries, registryName } from './addresses.ts'
import { type ChainClient, type ChainClientOptions, createChainClient } from './client/chain-client.ts'
import { RpcUnreachable } from './client/errors.ts'
import { asMemoError } from './client/revert.ts'
import { createMemoChain, type MemoChain } from './memo-chain.ts'

/** What `Registry.KIND` answers. */
const REGISTRY_KIND = keccak256(stringToHex('memo.Registry'))

export type ConnectOptions = ChainClientOptions & {
  /** Address of the network's registry: the only address that is configured. */
  readonly registry: Address
  /** Refuses any other chain. */
  readonly chainId?: number | undefined
}

/** The address holds no registry of MEMO. */
export class NotAMemoRegistry extends MemoError {
  override readonly name = 'NotAMemoRegistry'
  constructor(registry: string, chainId: number, cause?: unknown) {
    super(`${registry} is not a registry of MEMO on chain ${chainId}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Check the registry address, and that the URL belongs to the chain on which it stands.',
      details: { registry, chainId },
      cause,
    })
  }
}

/** The endpoint serves another chain than asked for. */
export class WrongChainId extends MemoError {
  override readonly name = 'WrongChainId'
  constructor(expected: number, actual: number) {
    super(`the endpoint serves chain ${actual}, not ${expected}`, {
      blame: 'user',
      retry: 'never',
      fix: `Give the URL of chain ${expected}.`,
      details: { expected, actual },
    })
  }
}

/** The contracts on the chain are of another version than this software knows. */
export class ContractsVersionMismatch extends MemoError {
  override readonly name = 'ContractsVersionMismatch'
  constructor(expected: number, actual: number) {
    super(`the contracts have version ${actual}, this software knows ${expected}`, {
      blame: 'user',
      retry: 'never',
      fix:
        actual > expected ? 'Update this software.' : 'Use the release of this software that fits, or another network.',
      details: { expected, actual },
    })
  }
}

/**
 * Finds everything from the registry alone and checks that it is what this software knows.
 * Errors: {@link RpcUnreachable}, {@link WrongChainId}, {@link NotAMemoRegistry}, {@link ContractsVersionMismatch}.
 */
export async function connectNetwork(options: ConnectOptions): Promise<MemoChain> {
  const client = createChainClient(options)
  const chainId = await getChainId(client)
  if (options.chainId !== undefined && options.chainId !== chainId) throw new WrongChainId(options.chainId, chainId)
  const addresses = await readAddresses(client, { registry: options.registry, chainId })
  return createMemoChain({ client, addresses, chainId })
}

async function getChainId(client: ChainClient): Promise<number> {
  try {
    return await client.rpc.getChainId()
  } catch (cause) {
    throw new RpcUnreachable(client.rpcUrl, cause)
  }
}

/** All addresses, from the registry. Errors: {@link NotAMemoRegistry}, {@link ContractsVersionMismatch}. */
export async function readAddresses(
  client: ChainClient,
  { registry, chainId }: { registry: Address; chainId: number },
): Promise<Addresses> {
  const contract = { address: registry, abi: registryAbi } as const
  try {
    const kind = await client.rpc.readContract({ ...contract, functionName: 'KIND' })
    if (kind !== REGISTRY_KIND) throw new NotAMemoRegistry(registry, chainId)
    const version = await client.rpc.readContract({ ...contract, functionName: 'version' })
    if (version !== CONTRACTS_VERSION) throw new ContractsVersionMismatch(CONTRACTS_VERSION, version)
    const [names, targets] = await client.rpc.readContract({ ...contract, functionName: 'entries' })
    const found = new Map(names.map((name, position) => [name, targets[position]]))
    const pairs = registryEntries.map(({ key, name }) => {
      const target = found.get(registryName(name))
      if (target === undefined || BigInt(target) === 0n) throw new NotAMemoRegistry(registry, chainId)
      return [key, canonicalAddress(target)] as const
    })
    return {
      ...(Object.fromEntries(pairs) as Omit<Addresses, 'registry'>),
      registry: canonicalAddress(registry),
    }
  } catch (error) {
    const known = asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'read the registry' })
    // A call to an address without code, or to another contract, fails in many ways; they all mean the same.
    if (known instanceof MemoError && known.name !== 'RpcRefused' && known.name !== 'ContractRefused') throw known
    throw new NotAMemoRegistry(registry, chainId, error)
  }
}
