import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { parseSignature } from 'viem'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { callView } from '../read/call.ts'
import { getBlock } from '../read/get-block.ts'

/** How long a permit is good: long enough for a slow chain. */
const PERMIT_SECONDS = 3_600

/** An approval by signature, as the token takes it. */
export type Permit = {
  /** Seconds since 1970. */
  readonly deadline: bigint
  readonly v: number
  readonly r: `0x${string}`
  readonly s: `0x${string}`
}

/** Lets `spender` take `amountAtto` of the client's account once, by a signature (EIP-2612). */
export async function signPermit(
  client: ChainClient,
  {
    addresses,
    spender,
    amountAtto,
  }: { readonly addresses: Addresses; readonly spender: Address; readonly amountAtto: bigint },
): Promise<Permit> {
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
    message: { owner: from, spender, value: amountAtto, nonce, deadline },
  })
  const { r, s, yParity } = parseSignature(signature)
  return { deadline, v: yParity + 27, r, s }
}
