import { quotaPayAbi } from '@memo/contracts'
import { type Address, assert } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { RpcRefused } from '../client/errors.ts'
import { readEvents } from '../events/read-events.ts'
import { payContractOf, type QuotaKind } from './get-quota.ts'

/**
 * How a nonce of a buyer ended: each is either cashed or ended unused, and both say so on the chain, one after the other, so that
 * the n-th of these events is the end of nonce n. `spec/space-market.md` 7 and 8
 * Errors: RpcRefused where the endpoint shows fewer events than nonces, for it is behind what it said before.
 */
export async function getVoucherEnd(
  client: ChainClient,
  {
    addresses,
    kind,
    buyer,
    nonce,
  }: { readonly addresses: Addresses; readonly kind: QuotaKind; readonly buyer: Address; readonly nonce: bigint },
): Promise<'cashed' | 'ended'> {
  const contract = { address: payContractOf(addresses, kind), abi: quotaPayAbi, names: ['Cashed', 'Ended'] } as const
  let place = 0n
  for await (const event of readEvents(client, { ...contract, args: { buyer } })) {
    if (place++ !== nonce) continue
    if (event.eventName === 'Ended') return 'ended'
    assert(event.args.nonce === nonce, 'events of a buyer come in the order of his nonces')
    return 'cashed'
  }
  throw new RpcRefused(
    'list vouchers',
    new RangeError(`nonce ${nonce} of ${buyer} is over, and its end is not shown yet`),
  )
}
