import { connectNetwork, type GasOptions } from '@memo/chain'
import type { NodeOptions } from '../commands/node-verbs.ts'
import { gasOf } from '../gas-price.ts'
import { openKeys } from '../password.ts'
import type { Context } from '../program.ts'
import { getNodeConfig, NODE_KEY, type NodeConfig, type NodeKind, saveNodeConfig } from './node-config.ts'
import { initFrom } from './run-init.ts'

const LOADERS: Readonly<Record<NodeKind, () => Promise<Serve>>> = {
  provider: async () => (await import('./serve-provider.ts')).serve,
  keeper: async () => (await import('./serve-keeper.ts')).serve,
  gateway: async () => (await import('./serve-gateway.ts')).serve,
}

/** `memo provider run` and its like: serves until the process shall stop. */
export async function runNode(context: Context, kind: NodeKind, options: NodeOptions, dataDir: string): Promise<void> {
  const { runtime, output } = context
  const serve = await LOADERS[kind]()
  const { config, secretKey } = await settle(context, kind, options, dataDir)
  await runtime.supervisor?.waitForGo(runtime.signal)
  // Its terms are in this very command; where they were given to another one, that has to be run again.
  const registerAgain = async (signal: AbortSignal) => {
    await initFrom({ ...context, runtime: { ...runtime, signal } }, kind, options, dataDir)
  }
  await serve({
    dataDir,
    config,
    secretKey,
    policy: options.policy,
    checkpointSeconds: options.checkpointEvery,
    checkpointGas: options.checkpointGas,
    quota: quotaOf(options),
    apply: applyOf(options),
    takeOver: options.takeOver === true,
    unpaidBytes: options.unpaidBytes,
    gas: gasOf(options.maxGasPrice, config.maxGasPrice),
    gasWorthAtto: options.gasWorth === undefined ? undefined : BigInt(options.gasWorth),
    registerAgain: options.init ? registerAgain : undefined,
    signal: runtime.signal,
    onEvent: (event) => process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`),
    onReady(url, details) {
      const { address } = config
      output.data(`${kind} ${address} serves at ${url}`, { event: 'ready', role: kind, address, url, dataDir })
      runtime.supervisor?.send({ type: 'ready', url, address, details })
    },
  })
}

/** Serves until `signal` is aborted; resolves when all is closed. */
export type Serve = (options: ServeNodeOptions) => Promise<void>

export type ServeNodeOptions = {
  readonly dataDir: string
  readonly config: NodeConfig
  readonly secretKey: Uint8Array
  readonly policy: string | undefined
  /** How soon a gateway tells the chain what has changed, and what that may cost in an hour. */
  readonly checkpointSeconds: number | undefined
  readonly checkpointGas: number | undefined
  /** What a gateway gives for nothing, and who decides about applications beside those whom governance names. */
  readonly quota: GatewayQuota
  /** What strangers may ask of a gateway, and what it costs them. */
  readonly apply: GatewayApply
  /** Whatever else wrote with a gateway’s key does so no more (`spec/gateway.md` 19). */
  readonly takeOver: boolean
  /** What a provider stores for an account without an order. */
  readonly unpaidBytes: number | undefined
  /** What a wei of gas is worth in attomemo, to weigh vouchers; on a chain of this machine nothing. */
  readonly gasWorthAtto: bigint | undefined
  /** What transactions may pay for gas. */
  readonly gas: GasOptions
  /** Does again what registered the account, where the chain has forgotten it. */
  readonly registerAgain: ((signal: AbortSignal) => Promise<void>) | undefined
  readonly signal: AbortSignal
  readonly onEvent: (event: { readonly type: string; readonly message: string }) => void
  readonly onReady: (url: string, details?: unknown) => void
}

const DAY_SECONDS = 86_400

export type GatewayQuota = {
  readonly trialSpaceBytes?: number
  readonly trialTrafficBytes?: number
  readonly chargePublicReads?: boolean
  readonly publicReadBytesPerHour?: number
  readonly graceSeconds?: number
  readonly keepEnded?: boolean
  readonly adminDids?: readonly string[]
}

export type GatewayApply = Pick<NodeOptions, 'hashcashBits' | 'didsPerHour' | 'applicationsPerHour'>

function applyOf({ hashcashBits, didsPerHour, applicationsPerHour }: NodeOptions): GatewayApply {
  return {
    ...(hashcashBits === undefined ? {} : { hashcashBits }),
    ...(didsPerHour === undefined ? {} : { didsPerHour }),
    ...(applicationsPerHour === undefined ? {} : { applicationsPerHour }),
  }
}

function quotaOf(options: NodeOptions): GatewayQuota {
  const { trialSpace, trialTraffic, chargePublicReads, publicReadsPerHour, adminDid } = options
  const { quotaGrace, keepEnded } = options
  return {
    ...(quotaGrace === undefined ? {} : { graceSeconds: quotaGrace * DAY_SECONDS }),
    ...(keepEnded === undefined ? {} : { keepEnded }),
    ...(publicReadsPerHour === undefined ? {} : { publicReadBytesPerHour: publicReadsPerHour }),
    ...(trialSpace === undefined ? {} : { trialSpaceBytes: trialSpace }),
    ...(trialTraffic === undefined ? {} : { trialTrafficBytes: trialTraffic }),
    ...(chargePublicReads === undefined ? {} : { chargePublicReads }),
    ...(adminDid === undefined ? {} : { adminDids: adminDid }),
  }
}

/** Of a directory that does not know its chain yet: from now on it takes no other. Errors: those of `connectNetwork`. */
async function keepChainId(dataDir: string, config: NodeConfig, rpcUrl: string): Promise<number> {
  const { network } = await connectNetwork({ rpcUrl, registry: config.registry })
  await saveNodeConfig(dataDir, { ...config, chainId: network.chainId })
  return network.chainId
}

async function settle(context: Context, kind: NodeKind, options: NodeOptions, dataDir: string) {
  if (options.init) return await initFrom(context, kind, options, dataDir)
  const kept = getNodeConfig(dataDir, kind)
  const keys = await openKeys(dataDir, { ...options, isLocal: false })
  const rpc = options.rpc ?? kept.rpc
  const config: NodeConfig = {
    ...kept,
    rpc,
    chainId: kept.chainId ?? (await keepChainId(dataDir, kept, rpc)),
    host: options.host ?? kept.host,
    port: options.port ?? kept.port,
  }
  return { config, secretKey: await keys.load(NODE_KEY) }
}
