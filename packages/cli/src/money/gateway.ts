import type { Signer } from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient, type GatewayClient } from '@memo/sdk'

/** A client of the gateway at `endpoint` for a DID, closed after `use`. */
export async function withGateway<T>(
  endpoint: string,
  { did, signer }: { readonly did: string; readonly signer: Signer },
  use: (client: GatewayClient) => Promise<T>,
): Promise<T> {
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    const clock = createSystemClock()
    const random = createSystemRandomness()
    return await use(createGatewayClient({ endpoint, transport, did, signer, clock, random }))
  } finally {
    await close()
  }
}
