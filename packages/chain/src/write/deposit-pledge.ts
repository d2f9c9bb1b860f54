import { memoTokenAbi, pledgesAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { parseSignature } from 'viem'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { callView } from '../read/call.ts'
import { getBlock } from '../read/get-block.ts'
import { getPledge } from '../read/get-pledge.ts'
import { callWrite, type WriteResult } from './call.ts'

/** How long a permit is good: long enough for a slow chain. */
const PERMIT_SECONDS = 3_600

export type DepositPledgeOptions = {
  readonly addresses: Addresses
  readonly amountAtto: bigint
  /** Whose pledge it becomes. Default: the client's account. */
  readonly beneficiary?: Address | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Pledges MEMO of the client's account in one transaction, with a permit. `spec/roles.md` 6
 * Errors: `ContractRefused` with reason `ERC20InsufficientBalance`, `GroupFull`.
 */
export async function depositPledge(client: ChainClient, options: DepositPledgeOptions): Promise<WriteResult> {
  const { addresses, amountAtto, signal } = options
  const { from } = requireSender(client)
  const { deadline, v, r, s } = await signPermit(client, { addresses, amountAtto })
  return callWrite(client, {
    address: addresses.pledges,
    abi: pledgesAbi,
    functionName: 'depositWithPermit',
    args: [options.beneficiary ?? from, amountAtto, deadline, v, r, s],
    signal,
  })
}

/**
 * Raises the pledge of the client's account to what is required, and does nothing where that is met. The same call
 * again after a crash never pledges twice.
 */
export async function ensurePledge(
  client: ChainClient,
  { addresses, signal }: { readonly addresses: Addresses; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly pledgedAtto: bigint; readonly requiredAtto: bigint }> {
  const { from } = requireSender(client)
  const { pledgedAtto, requiredAtto } = await getPledge(client, { addresses, address: from })
  if (pledgedAtto >= requiredAtto) return { pledgedAtto, requiredAtto }
  await depositPledge(client, { addresses, amountAtto: requiredAtto - pledgedAtto, signal })
  return getPledge(client, { addresses, address: from })
}

async function signPermit(
  client: ChainClient,
  { addresses, amountAtto }: { addresses: Addresses; amountAtto: bigint },
): Promise<{ deadline: bigint; v: number; r: `0x${string}`; s: `0x${string}` }> {
  const { account, from } = requireSender(client)
  const token = { address: addresses.memoToken, abi: memoTokenAbi } as const
  const [nonce, block, chainId] = await Promise.all([
    callView(client, { ...token, functionName: 'nonces', args: [from] }),
    getBlock(client),
    client.rpc.getChainId().catch((error: unknown) => {
      throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'name its chain' })
    }),
  ])
  const deadline = BigInt(block.timestamp + PERMIT_SECONDS)
  const signature = await account.signTypedData({
    domain: { name: 'MEMO', version: '1', chainId, verifyingContract: addresses.memoToken },
    types: {
      Permit: [
        { name: 'owner', type: 'address' },
        { name: 'spender', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'nonce', type: 'uint256' },
        { name: 'deadline', type: 'uint256' },
      ],
    },
    primaryType: 'Permit',
    message: { owner: from, spender: addresses.pledges, value: amountAtto, nonce, deadline },
  })
  const { r, s, yParity } = parseSignature(signature)
  return { deadline, v: yParity + 27, r, s }
}
