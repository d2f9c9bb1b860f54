import { MAX_HASHCASH_BITS } from '@memo/core'
import type { Command } from 'commander'
import type { EarningsOptions } from '../money/earnings.ts'
import type { NodeKind } from '../nodes/node-config.ts'
import type { AddVerb, Verb } from '../program.ts'
import { type CommonOptions, dataDirOf, type NetworkOptions, sizeInBytes, wholeNumber } from '../settings.ts'
import { gasPriceText, MAX_GAS_PRICE, userOptions, withExample } from './options.ts'

export type NodeOptions = CommonOptions &
  NetworkOptions & {
    readonly host?: string
    readonly port?: number
    readonly endpoint?: string
    readonly operator?: string
    readonly region?: string
    readonly capacity?: number
    readonly unpaidBytes?: number
    readonly gasWorth?: number
    readonly passwordFile?: string
    readonly init?: boolean
    readonly takeOver?: boolean
    readonly policy?: string
    readonly checkpointEvery?: number
    readonly checkpointGas?: number
    readonly trialSpace?: number
    readonly trialTraffic?: number
    readonly chargePublicReads?: boolean
    readonly publicReadsPerHour?: number
    readonly quotaGrace?: number
    readonly keepEnded?: boolean
    readonly adminDid?: readonly string[]
    readonly hashcashBits?: number
    readonly didsPerHour?: number
    readonly applicationsPerHour?: number
  }

const MAX_CHECKPOINT_SECONDS = 31_536_000
const MAX_PER_HOUR = 1_000_000
const MAX_GRACE_DAYS = 36_500

const KINDS: readonly { readonly kind: NodeKind; readonly what: string }[] = [
  { kind: 'provider', what: 'keep pieces of files and be paid for it' },
  { kind: 'keeper', what: 'match, witness and remember' },
  { kind: 'gateway', what: 'serve files over HTTP for those who run nothing' },
]

export function addCommands(program: Command, addVerb: AddVerb): void {
  for (const { kind, what } of KINDS) {
    const parent = program.command(kind).description(what)
    const init = parent.command('init').description(`make a key, fund it, pledge and register a ${kind}; again goes on`)
    addVerb<NodeOptions>(nodeOptions(init, kind), async () => initVerb(kind))
    const run = parent
      .command('run')
      .description(`serve as a ${kind} until stopped`)
      .option('--init', 'set it up first where that is not done')
    if (kind === 'gateway') run.option('--take-over', 'once: what else wrote with its key does so no more')
    addVerb<NodeOptions>(nodeOptions(run, kind), async () => runVerb(kind))
    if (kind === 'provider') addEarnings(parent, addVerb)
  }
  const chain = program.command('chain').description('the embedded chain of local networks')
  const run = chain
    .command('run')
    .description('serve it as JSON-RPC until stopped')
    .option('--host <host>', 'where it listens', '127.0.0.1')
    .option('--port <n>', 'where it listens; 0 takes a free port', wholeNumber('--port', 0, 65_535), 8_545)
  addVerb<CommonOptions & { host: string; port: number }>(run, async () => chainVerb)
}

function addEarnings(provider: Command, addVerb: AddVerb): void {
  const command = provider
    .command('earnings')
    .description('show what storing and reading have brought, each apart')
    .option('--settle', 'collect first what is due')
  addVerb<EarningsOptions>(userOptions(withExample(command, 'memo provider earnings --settle')), async () => {
    return (await import('../money/earnings.ts')).earnings
  })
}

function nodeOptions(command: Command, kind: NodeKind): Command {
  command
    .option('--rpc <url>', 'JSON-RPC of the chain (or MEMO_RPC)')
    .option('--registry <address>', 'registry of the network (or MEMO_REGISTRY)')
    .option('--host <host>', 'where it listens (default 127.0.0.1)')
    .option('--port <n>', 'where it listens (default: a free port, kept)', wholeNumber('--port', 1, 65_535))
    .option('--password-file <file>', 'password of its key (or MEMO_PASSWORD)')
    .option('--max-gas-price <gwei>', MAX_GAS_PRICE, gasPriceText)
  if (kind === 'gateway') return gatewayOptions(command)
  command
    .option('--endpoint <url>', 'how others reach it (default http://host:port)')
    .option('--operator <label>', 'who runs it')
    .option('--region <label>', 'where it stands')
  return kind === 'provider'
    ? providerOptions(command)
    : command.option('--gas-worth <attomemo>', GAS_WORTH, gasWorth())
}

function providerOptions(command: Command): Command {
  const unpaid = sizeInBytes('--unpaid-bytes')
  return command
    .option('--capacity <size>', 'what it offers, as 500GiB', sizeInBytes('--capacity'))
    .option('--unpaid-bytes <size>', 'what it stores for an account without an order (default 0)', unpaid)
    .option('--gas-worth <attomemo>', GAS_WORTH, gasWorth())
}

const GAS_WORTH = 'of a wei of gas: what is collected waits until it is four times its gas (default 1)'

function gasWorth(): (text: string) => number {
  return wholeNumber('--gas-worth', 0, Number.MAX_SAFE_INTEGER)
}

function gatewayOptions(command: Command): Command {
  const seconds = wholeNumber('--checkpoint-every', 1, MAX_CHECKPOINT_SECONDS)
  const gas = wholeNumber('--checkpoint-gas', 0, Number.MAX_SAFE_INTEGER)
  const bits = wholeNumber('--hashcash-bits', 0, MAX_HASHCASH_BITS)
  const days = wholeNumber('--quota-grace', 0, MAX_GRACE_DAYS)
  const perHour = (flag: string) => wholeNumber(flag, 0, MAX_PER_HOUR)
  return command
    .option('--policy <policy>', 'how files are spread, as rs:4+2')
    .option('--checkpoint-every <seconds>', 'how soon the chain is told what has changed (default 3600)', seconds)
    .option('--checkpoint-gas <gas>', 'what that may cost in an hour (default 30000000)', gas)
    .option('--trial-space <size>', 'space of everybody for nothing (default 100MiB)', sizeInBytes('--trial-space'))
    .option('--trial-traffic <size>', 'traffic for nothing (default 1GiB)', sizeInBytes('--trial-traffic'))
    .option('--charge-public-reads', 'reads of public files cost their owner traffic (default: the gateway pays)')
    .option('--public-reads-per-hour <size>', 'of them, unpaid (default 64GiB)', sizeInBytes('--public-reads-per-hour'))
    .option('--gas-worth <attomemo>', GAS_WORTH, gasWorth())
    .option('--quota-grace <days>', 'what is stored outlives the space that paid for it by so much (default 30)', days)
    .option('--keep-ended', 'delete nothing though its space and the grace are over')
    .option('--admin-did <did...>', 'who else decides about applications')
    .option('--hashcash-bits <n>', 'work for a stamp; each bit doubles it (default 20)', bits)
    .option('--dids-per-hour <n>', 'DIDs of others that it pays for (default 60)', perHour('--dids-per-hour'))
    .option('--applications-per-hour <n>', 'applications (default 120)', perHour('--applications-per-hour'))
}

function initVerb(kind: NodeKind): Verb<NodeOptions> {
  return async (context, options) => {
    const { runInit } = await import('../nodes/run-init.ts')
    await runInit(context, kind, options, dataDirOf(options, kind))
    return undefined
  }
}

function runVerb(kind: NodeKind): Verb<NodeOptions> {
  return async (context, options) => {
    const { runNode } = await import('../nodes/run-node.ts')
    await runNode(context, kind, options, dataDirOf(options, kind))
    return undefined
  }
}

const chainVerb: Verb<CommonOptions & { host: string; port: number }> = async ({ runtime, output }, options) => {
  const { runChain } = await import('../nodes/run-chain.ts')
  const dataDir = dataDirOf(options, 'chain')
  await runChain(runtime, {
    dataDir,
    host: options.host,
    port: options.port,
    onReady(url) {
      output.data(`chain 985 at ${url}`, { event: 'ready', role: 'chain', url, chainId: 985, dataDir })
      runtime.supervisor?.send({ type: 'ready', url })
    },
  })
  return undefined
}
