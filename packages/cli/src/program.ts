import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { UsageError } from './errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { createOutput, type Output } from './output.ts'
import { failureOf, InterruptedError, type Runtime } from './runtime.ts'
import type { CommonOptions } from './settings.ts'

/** What a verb gets besides its own arguments. */
export type Context = { readonly runtime: Runtime; readonly output: Output }

/** Runs a verb with parsed options; gives the exit code where it is not 0. */
export type Verb<O> = (context: Context, options: O, args: readonly string[]) => Promise<number | undefined>

/** Adds the options that every verb has, and the verb itself, whose code is loaded when it is called. */
export type AddVerb = <O extends CommonOptions>(command: Command, load: () => Promise<Verb<O>>) => Command

/** Runs the command line; resolves with the exit code. Nothing is thrown: what went wrong is on stderr. */
export async function runProgram(argv: readonly string[], runtime: Runtime): Promise<number> {
  let code: number = EXIT.ok
  let help = ''
  let common: CommonOptions = {}
  let output = createOutput({ json: argv.includes('--json'), color: !argv.includes('--no-color') })
  const addVerb: AddVerb = (command, load) =>
    command
      .option('--data <dir>', 'where keys and data are kept (or MEMO_DATA)')
      .option('--json', 'lines of JSON on stdout')
      .option('--no-color', 'no colour (or NO_COLOR)')
      .option('-y, --yes', 'ask nothing')
      .action(async (...passed: unknown[]) => {
        const [options, ...args] = passed.slice(0, -1).reverse()
        common = options as CommonOptions
        output = createOutput(common)
        const verb = await load()
        code = (await verb({ runtime, output }, options as never, args.reverse().flat() as string[])) ?? EXIT.ok
      })
  let program: Command | undefined
  try {
    program = await buildProgram(addVerb, (text) => {
      help += text
    })
    assertHelpIsThere(program, argv)
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    if (error instanceof CommanderError && error.code === 'commander.help') {
      process.stderr.write(help)
      return EXIT.usage
    }
    if (runtime.wasInterrupted() || error instanceof InterruptedError) {
      output.progress('interrupted')
      return EXIT.interrupted
    }
    runtime.supervisor?.send(failureOf(error))
    const { explained } = await import('./explained.ts')
    const shown = error instanceof CommanderError ? usageFrom(error, helpFor(program, argv)) : explained(error, common)
    output.error(shown)
    return exitCodeOf(shown)
  }
  return code
}

async function buildProgram(addVerb: AddVerb, writeHelp: (text: string) => void): Promise<Command> {
  const program = new Command('memo')
    .description('Store files on machines that nobody has to trust.')
    .version(versionOf(), '-V, --version')
    .configureOutput({ writeErr: writeHelp, outputError: () => undefined })
    .showSuggestionAfterError(true)
    .exitOverride()
  const modules = await Promise.all([
    import('./commands/up.ts'),
    import('./commands/user-verbs.ts'),
    import('./commands/money-verbs.ts'),
    import('./commands/node-verbs.ts'),
  ])
  for (const { addCommands } of modules) addCommands(program, addVerb)
  for (const [heading, names] of Object.entries(GROUPS)) {
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading)
  }
  program.addHelpText('after', HELP)
  inherit(program)
  return program
}

/** In which part of the help a verb stands. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Files:': ['put', 'get', 'ls', 'rm', 'status', 'restore', 'checkpoint'],
  'Money:': ['wallet', 'quote', 'buy', 'balance', 'escrow', 'apply', 'admin'],
  'You and the network:': ['up', 'did', 'info', 'doctor'],
  'Serving:': ['provider', 'keeper', 'gateway', 'chain'],
}

const HELP = `
A network on this machine, then a file in it and out again:
  memo up
  memo put photo.jpg
  memo get CID -o copy.jpg
`

/** Sub-commands take the settings of their parent, however deep. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    inherit(child)
  }
}

/** `memo help pot` is answered with the help of everything, which does not say that there is no `pot`. */
function assertHelpIsThere(program: Command, argv: readonly string[]): void {
  const [verb, name] = argv
  if (verb !== 'help' || name === undefined || name.startsWith('-')) return
  if (program.commands.some((command) => command.name() === name) || name === 'help') return
  throw new UsageError(`unknown command '${name}'`, 'See: memo --help')
}

/** The command whose help says how what was typed is meant: the innermost verb that it names. */
function helpFor(program: Command | undefined, argv: readonly string[]): string {
  const names = ['memo']
  let command = program
  for (const word of argv) {
    command = command?.commands.find((child) => child.name() === word)
    if (!command) break
    names.push(word)
  }
  return `${names.join(' ')} --help`
}

function usageFrom(error: CommanderError, help: string): UsageError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = more.map((line) => line.trim()).find((line) => line.startsWith('(Did you mean'))
  const fix = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'Did you mean: $1') ?? `See: ${help}`
  return new UsageError(first, fix)
}

function versionOf(): string {
  const manifest = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
