import { memoTokenAbi, spaceMarketAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { encodeFunctionData, type Hex, serializeTransaction } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { payContractOf, type QuotaKind } from '../read/get-quota.ts'

/** What the original's servers write into a purchase; an approval takes a sixth of it. */
const GAS_LIMIT = 300_000n
/** What the original's servers ask for; the validity does not depend on it (`spec/space-market.md` 3). */
const DURATION_DAYS = 1n
/** The price of gas may rise between the moment of asking and that of signing. */
const GAS_PRICE_MARGIN_PERCENT = 125n

type Unsigned = {
  readonly addresses: Addresses
  readonly kind: QuotaKind
  /** Who is going to sign; the transaction has the number that is next for this account. */
  readonly from: Address
}

/**
 * A purchase of space or traffic for `from`, to be signed by `from` and broadcast: RLP of an unsigned legacy transaction
 * (EIP-155). Its money must be approved to the pay contract. `spec/space-market.md` 3
 */
export async function prepareQuotaPurchase(
  client: ChainClient,
  { addresses, kind, from, sizeByte }: Unsigned & { readonly sizeByte: bigint },
): Promise<Hex> {
  const abi = spaceMarketAbi
  const data =
    kind === 'space'
      ? encodeFunctionData({ abi, functionName: 'buySpace', args: [sizeByte, DURATION_DAYS, from] })
      : encodeFunctionData({ abi, functionName: 'buyTraffic', args: [sizeByte, from] })
  return serialize(client, from, addresses.spaceMarket, data)
}

/** An approval of `amountAtto` of `from` to the pay contract of a kind, in the form of {@link prepareQuotaPurchase}. */
export async function prepareQuotaApproval(
  client: ChainClient,
  { addresses, kind, from, amountAtto }: Unsigned & { readonly amountAtto: bigint },
): Promise<Hex> {
  const args = [payContractOf(addresses, kind), amountAtto] as const
  const data = encodeFunctionData({ abi: memoTokenAbi, functionName: 'approve', args })
  return serialize(client, from, addresses.memoToken, data)
}

async function serialize(client: ChainClient, from: Address, to: Address, data: Hex): Promise<Hex> {
  const { rpc, rpcUrl } = client
  try {
    const [chainId, nonce, gasPrice] = await Promise.all([
      rpc.getChainId(),
      rpc.getTransactionCount({ address: from, blockTag: 'pending' }),
      rpc.getGasPrice(),
    ])
    return serializeTransaction({
      type: 'legacy',
      chainId,
      nonce,
      gas: GAS_LIMIT,
      gasPrice: (gasPrice * GAS_PRICE_MARGIN_PERCENT) / 100n,
      to,
      value: 0n,
      data,
    })
  } catch (error) {
    throw asMemoError(error, { rpcUrl, doing: 'tell what a transaction needs' })
  }
}
