import type { RpcProvider } from './chain-client.ts'
import { delay } from './delay.ts'
import { LIMIT_EXCEEDED_CODE } from './http-rpc.ts'

/** Waits before what failed is asked again: once at once, since idle connections are closed under us, then with patience. */
const TRANSPORT_PAUSES_MS: readonly number[] = [0, 50, 200]
const LIMIT_PAUSES_MS: readonly number[] = [100, 300, 900]

/**
 * The same chain, asked again where nobody answered or too much was asked. What a chain refused is never asked again, and
 * what hands in a transaction neither: who sends it must know that it may have arrived.
 */
export function createPatientRpc(provider: RpcProvider): RpcProvider {
  return {
    async request(call) {
      for (let [dropped, limited] = [0, 0]; ; ) {
        try {
          return await provider.request(call)
        } catch (error) {
          if (call.method === 'eth_sendRawTransaction') throw error
          const isLimited = codeOf(error) === LIMIT_EXCEEDED_CODE
          const isDropped = codeOf(error) === undefined
          const pauseMs = isLimited
            ? LIMIT_PAUSES_MS[limited++]
            : isDropped
              ? TRANSPORT_PAUSES_MS[dropped++]
              : undefined
          if (pauseMs === undefined) throw error
          const { retryAfterMs = 0 } = error as { readonly retryAfterMs?: number }
          await delay(Math.max(pauseMs, retryAfterMs))
        }
      }
    },
  }
}

/** The code of a chain's own refusal; undefined where no chain spoke. */
function codeOf(error: unknown): number | undefined {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'number' ? code : undefined
}
