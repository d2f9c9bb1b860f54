import { join } from 'node:path'
import { type Address, findAddress } from '@memo/core'
import { writeFileDurably } from '@memo/platform'
import { NotSetUpError } from '../errors.ts'
import { readJson } from '../settings.ts'

/** The three kinds of process that serve. A gateway is a user on chain. */
export type NodeKind = 'provider' | 'keeper' | 'gateway'

/** What `init` leaves for `run` (`spec/data-directory.md` 2). */
export type NodeConfig = {
  readonly kind: NodeKind
  readonly rpc: string
  readonly registry: Address
  /** Absent in directories of before, until the next start. */
  readonly chainId?: number
  readonly address: Address
  readonly host: string
  readonly port: number
  /** What is registered on chain: how others reach this node. */
  readonly endpoint: string
  /** What a unit of gas may cost at the most, in gwei. */
  readonly maxGasPrice?: string
}

const CONFIG_FILE = 'node.json'
/** Name of a node's key in `keys/`. */
export const NODE_KEY = 'node'

export function findNodeConfig(dataDir: string): NodeConfig | undefined {
  const config = readJson(join(dataDir, CONFIG_FILE)) as NodeConfig | undefined
  return config && findAddress(config.registry) ? config : undefined
}

/** Errors: {@link NotSetUpError}. */
export function getNodeConfig(dataDir: string, kind: NodeKind): NodeConfig {
  const config = findNodeConfig(dataDir)
  if (config?.kind === kind) return config
  if (config) {
    throw new NotSetUpError(
      `${dataDir} belongs to a ${config.kind}, not to a ${kind}`,
      `Run it as what it is: memo ${config.kind} run --data ${dataDir}`,
    )
  }
  throw new NotSetUpError(
    `there is no ${kind} in ${dataDir} yet`,
    `Set one up: memo ${kind} init --rpc URL --registry ADDRESS --data ${dataDir}`,
  )
}

export async function saveNodeConfig(dataDir: string, config: NodeConfig): Promise<void> {
  await writeFileDurably(join(dataDir, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`)
}
