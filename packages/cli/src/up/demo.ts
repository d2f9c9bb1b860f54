import type { Output } from '../output.ts'
import type { Runtime } from '../runtime.ts'
import type { RunningNetwork } from './run-up.ts'

/** Placeholder signature until the gateway client is there. */
export async function runDemo(_runtime: Runtime, output: Output, network: RunningNetwork): Promise<void> {
  output.progress(network.gateway)
}
