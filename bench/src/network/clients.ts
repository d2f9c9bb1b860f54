import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accountFromSecretKey, connectNetwork } from '@memo/chain'
import { createKeySigner, type Transport } from '@memo/core'
import { createMemoDid } from '@memo/did'
import { createSystemClock, createSystemRandomness, LIGHT_SCRYPT_N, openKeyStore } from '@memo/platform'
import { createGatewayClient, type GatewayClient } from '@memo/sdk'
import type { LocalNetwork } from './local-network.ts'

const POLLING_INTERVAL_MS = 50

/** When the last request of a client began and was answered. */
export type Timing = { startMs: number; headMs: number; firstByteMs: number }

/** A client with a DID of its own: calls of one DID take turns, calls of many do not. */
export type TimedClient = {
  readonly client: GatewayClient
  /** Of the last request; the hashing that a client does before it asks is not in it. */
  readonly timing: Timing
}

/** Makes `count` DIDs on the network's chain, paid by its user, and a client for each. */
export async function createClients(
  network: LocalNetwork,
  transport: Transport,
  count: number,
): Promise<TimedClient[]> {
  const { rpcUrl, registry } = network
  const keysDir = join(network.dataDir, 'keys')
  const password = (await readFile(join(keysDir, 'password'), 'utf8')).trimEnd()
  const keys = await openKeyStore(keysDir, password, { scryptN: LIGHT_SCRYPT_N })
  const account = accountFromSecretKey(await keys.load('user'))
  const chain = await connectNetwork({ rpcUrl, registry, account, pollingIntervalMs: POLLING_INTERVAL_MS })
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const signer = createKeySigner(testKey(`bench client ${index}`))
      const did = await createMemoDid(chain, signer)
      const timing: Timing = { startMs: 0, headMs: 0, firstByteMs: 0 }
      const client = createGatewayClient({
        endpoint: network.gateway,
        transport: timed(transport, timing),
        did,
        signer,
        clock: createSystemClock(),
        random: createSystemRandomness(),
      })
      await client.login()
      return { client, timing }
    }),
  )
}

/** The transport with an eye on the clock. */
export function timed(transport: Transport, timing: Timing): Transport {
  return async (request) => {
    timing.startMs = performance.now()
    timing.firstByteMs = 0
    const response = await transport(request)
    timing.headMs = performance.now()
    return {
      ...response,
      body: (async function* () {
        for await (const bytes of response.body) {
          timing.firstByteMs ||= performance.now()
          yield bytes
        }
      })(),
    }
  }
}

/** A test key: the hash of a name. */
function testKey(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`test key ${name}`).digest())
}
