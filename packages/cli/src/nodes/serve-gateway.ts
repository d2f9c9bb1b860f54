import { runGatewayDaemon } from '@memo/gateway'
import { createByteBudget, createStripePool } from '@memo/platform'
import { isLocalNetwork } from '../local-chain.ts'
import type { Serve, ServeNodeOptions } from './run-node.ts'

/** The seeds' clients know two ports; the second is served where the first one is the usual one. */
const USUAL_PORT = 8_080
const SECOND_PORT = 8_081
const DEFAULT_POLICY = 'rs:4+2'
const DRAIN_MS = 5_000
/** How long it waits at its end for providers to sign what they hold. */
const CLOSE_MS = 2_000
/** A chain of this machine answers at once: uploads that wait for an order shall not wait longer than it takes. */
const LOCAL_POLLING_MS = 50
/** What all uploads hold together: three stripes of 4+2, plaintext and strips. A fourth costs 50 MiB (`spec/performance.md` 6). */
const PUT_MEMORY_BYTES = 32 * 1_048_576
/** What all downloads hold together: three stripes of 4+2, as read and as opened. */
const READ_MEMORY_BYTES = 24 * 1_048_576

export const serve: Serve = async (options) => {
  const { dataDir, config, secretKey, policy, signal, onEvent, onReady } = options
  // Coding a stripe takes as long as sending it: in threads, both go on at once.
  const pool = createStripePool()
  const isLocal = await isLocalNetwork(config.rpc)
  // On a chain of this machine gas costs nothing.
  const attoPerGasWei = options.gasWorthAtto ?? (isLocal ? 0n : undefined)
  try {
    let listening: { readonly url: string; readonly details: unknown } | undefined
    // Before that it would refuse uploads; when the keepers cannot be reached, it serves and waits for them.
    let hasRead = false
    await runGatewayDaemon({
      dataDir,
      rpcUrl: config.rpc,
      registry: config.registry,
      chainId: config.chainId,
      secretKey,
      gas: options.gas,
      registerAgain: options.registerAgain,
      host: config.host,
      port: config.port,
      extraPort: config.port === USUAL_PORT ? SECOND_PORT : undefined,
      policy: policy ?? DEFAULT_POLICY,
      encode: (stripe) => pool.encode(stripe),
      hashUnits: (data) => pool.hashUnits(data),
      openChunks: (chunks) => pool.openChunks(chunks),
      memory: { put: createByteBudget(PUT_MEMORY_BYTES), read: createByteBudget(READ_MEMORY_BYTES) },
      drainMs: DRAIN_MS,
      orders: { closeMs: CLOSE_MS },
      quota: { ...options.quota, ...(attoPerGasWei === undefined ? {} : { attoPerGasWei }) },
      apply: options.apply,
      takeOver: options.takeOver,
      checkpoints: checkpointsOf(options, isLocal),
      pollingIntervalMs: isLocal ? LOCAL_POLLING_MS : undefined,
      signal,
      onEvent(event) {
        onEvent(event)
        if (event.type === 'ready') listening = { url: `${event.url}`, details: { urls: event.urls } }
        hasRead ||= event.type === 'table-restored' || event.type === 'restore-waits'
        if (!listening || !hasRead) return
        onReady(listening.url, listening.details)
        listening = undefined
      },
    })
  } finally {
    await pool.close()
  }
}

/** When the chain is told what the logs hold. On a chain of this machine gas costs nothing. */
function checkpointsOf({ checkpointSeconds, checkpointGas }: ServeNodeOptions, isLocal: boolean) {
  return {
    checkpointMs: checkpointSeconds === undefined ? undefined : checkpointSeconds * 1_000,
    checkpointGasPerHour: checkpointGas ?? (isLocal ? Number.MAX_SAFE_INTEGER : undefined),
  }
}
