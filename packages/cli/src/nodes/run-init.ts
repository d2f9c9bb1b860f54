import { lockDataDirectory } from '@memo/platform'
import type { NodeOptions } from '../commands/node-verbs.ts'
import type { Context } from '../program.ts'
import { networkOf } from '../settings.ts'
import { type InitResult, initNode } from './init-node.ts'
import { findNodeConfig, type NodeKind } from './node-config.ts'

/** `memo provider init` and its like. */
export async function runInit(
  { runtime, output }: Context,
  kind: NodeKind,
  options: NodeOptions,
  dataDir: string,
): Promise<void> {
  const directory = await lockDataDirectory(dataDir, kind)
  try {
    const { config, account } = await initFrom({ runtime, output }, kind, options, dataDir)
    const { address, endpoint } = config
    output.data(`${kind} ${address} is ${account.state}\nnext: memo ${kind} run --data ${dataDir}`, {
      event: 'initialized',
      role: kind,
      address,
      state: account.state,
      ...(kind === 'gateway' ? {} : { endpoint }),
      dataDir,
    })
  } finally {
    directory.release()
  }
}

/** Sets up what the options and an earlier set-up say. */
export async function initFrom(
  { runtime, output }: Context,
  kind: NodeKind,
  options: NodeOptions,
  dataDir: string,
): Promise<InitResult> {
  const { capacity, rpc: _rpc, registry: _registry, data: _data, ...rest } = options
  return await initNode({
    ...rest,
    ...networkOf(options, findNodeConfig(dataDir)),
    ...(capacity === undefined ? {} : { capacityBytes: capacity }),
    kind,
    dataDir,
    supervisor: runtime.supervisor,
    signal: runtime.signal,
    onStep: (step) => output.progress(`  ${step} is done`, { event: 'step', step }),
  })
}
