import { createDevnet } from '@memo/devnet'
import { LOCAL_BANK_WEI, LOCAL_CHAIN_ID, localBankAddress } from '../local-chain.ts'
import type { Runtime } from '../runtime.ts'
import { untilStopped } from '../runtime.ts'

export type RunChainOptions = {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly onReady: (url: string) => void
}

/** An empty block when nothing happened for so long, so that time passes on chain too. */
const HEARTBEAT_MS = 5_000

/** Serves the embedded chain until the process shall stop. Rejects when a block could not be stored. */
export async function runChain(runtime: Runtime, options: RunChainOptions): Promise<void> {
  const stopped = Promise.withResolvers<never>()
  const devnet = await createDevnet({
    dataDir: options.dataDir,
    chainId: LOCAL_CHAIN_ID,
    genesisAlloc: { [localBankAddress()]: LOCAL_BANK_WEI },
    heartbeatMs: HEARTBEAT_MS,
    onStopped: stopped.reject,
  })
  try {
    const { url } = await devnet.listen({ host: options.host, port: options.port })
    options.onReady(url)
    await Promise.race([untilStopped(runtime.signal), stopped.promise])
  } finally {
    await devnet.close()
  }
}
