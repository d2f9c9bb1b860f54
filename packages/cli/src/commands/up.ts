import { parseErasurePolicy } from '@memo/core'
import type { Command } from 'commander'
import { UsageError } from '../errors.ts'
import type { AddVerb, Verb } from '../program.ts'
import { type CommonOptions, dataDirOf, sizeInBytes, wholeNumber } from '../settings.ts'

type Options = CommonOptions & {
  readonly rpc?: string
  readonly port?: number
  readonly providers: number
  readonly keepers: number
  readonly policy: string
  readonly checkpointEvery: number
  readonly unpaidBytes: number
  readonly demo?: boolean
  readonly restart: boolean
}

const MAX_NODES = 64
const DAY_SECONDS = 86_400

const up: Verb<Options> = async ({ runtime, output }, options) => {
  assertEnoughProviders(options)
  const { runUp } = await import('../up/run-up.ts')
  await runUp(runtime, output, {
    dataDir: dataDirOf(options),
    rpc: options.rpc,
    port: options.port,
    providers: options.providers,
    keepers: options.keepers,
    policy: options.policy,
    checkpointSeconds: options.checkpointEvery,
    unpaidBytes: options.unpaidBytes,
    demo: options.demo === true,
    restart: options.restart,
  })
  return undefined
}

/** Every piece of a part goes to another provider. */
function assertEnoughProviders({ policy, providers }: Options): void {
  const { dataShards, parityShards } = parseErasurePolicy(policy)
  const needed = dataShards + parityShards
  if (providers >= needed) return
  throw new UsageError(
    `${policy} needs ${needed} providers, and there are to be ${providers}`,
    `Give --providers ${needed} or more, or a smaller --policy such as rs:2+1.`,
  )
}

export function addCommands(program: Command, addVerb: AddVerb): void {
  const checkpointSeconds = wholeNumber('--checkpoint-every', 1, DAY_SECONDS)
  const command = program
    .command('up')
    .description('run a whole network on this machine')
    .option('--rpc <url>', 'a test chain of this machine to use instead of the embedded one')
    .option('--port <n>', 'where the gateway listens (default 8080)', wholeNumber('--port', 1, 65_535))
    .option('--providers <n>', 'how many', wholeNumber('--providers', 1, MAX_NODES), 7)
    .option('--keepers <n>', 'how many', wholeNumber('--keepers', 1, MAX_NODES), 3)
    .option('--policy <policy>', 'how the gateway spreads files, as rs:4+2', 'rs:4+2')
    .option('--checkpoint-every <seconds>', 'how soon the chain is told what has changed', checkpointSeconds, 15)
    .option('--unpaid-bytes <size>', 'what each provider stores without an order', sizeInBytes('--unpaid-bytes'), 0)
    .option('--demo', 'store a file, kill a provider, fetch the file')
    .option('--no-restart', 'leave down what ends')
  addVerb<Options>(command, async () => up)
}
