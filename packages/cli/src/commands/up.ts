import type { Command } from 'commander'
import type { AddVerb, Verb } from '../program.ts'
import { type CommonOptions, dataDirOf, wholeNumber } from '../settings.ts'

type Options = CommonOptions & {
  readonly port?: number
  readonly providers: number
  readonly keepers: number
  readonly policy: string
  readonly demo?: boolean
  readonly restart: boolean
}

const MAX_NODES = 64

const up: Verb<Options> = async ({ runtime, output }, options) => {
  const { runUp } = await import('../up/run-up.ts')
  await runUp(runtime, output, {
    dataDir: dataDirOf(options),
    port: options.port,
    providers: options.providers,
    keepers: options.keepers,
    policy: options.policy,
    demo: options.demo === true,
    restart: options.restart,
  })
  return undefined
}

export function addCommands(program: Command, addVerb: AddVerb): void {
  const command = program
    .command('up')
    .description('run a whole network on this machine')
    .option('--port <n>', 'where the gateway listens (default 8080)', wholeNumber('--port', 1, 65_535))
    .option('--providers <n>', 'how many', wholeNumber('--providers', 1, MAX_NODES), 7)
    .option('--keepers <n>', 'how many', wholeNumber('--keepers', 1, MAX_NODES), 3)
    .option('--policy <policy>', 'how the gateway spreads files, as rs:4+2 or replica:3', 'rs:4+2')
    .option('--demo', 'store a file, kill a provider, fetch the file')
    .option('--no-restart', 'leave down what ends')
  addVerb<Options>(command, async () => up)
}
