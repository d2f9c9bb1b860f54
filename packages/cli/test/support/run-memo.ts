import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '..', '..', 'bin')

/** How a command ended. */
export type Ended = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The last line of stdout as JSON. */
  last(): Record<string, unknown>
}

/** A command that runs; on a terminal both streams are `stdout`. */
export type Running = {
  readonly child: ChildProcess
  /** Resolves once it has said this. */
  saw(what: RegExp): Promise<void>
  type(keys: string): void
  readonly ended: Promise<Ended>
}

export type RunOptions = {
  readonly bin?: 'memo' | 'middleware-contracts'
  readonly env?: Readonly<Record<string, string>>
  /** On a terminal of its own. */
  readonly terminal?: boolean
}

/** Runs a command on a terminal of its own. */
const TERMINAL_MAKER = 'script'

/** Why nothing can be run on a terminal here; undefined where it can. */
export const NO_TERMINAL: string | undefined =
  spawnSync(TERMINAL_MAKER, ['-qefc', 'true', '/dev/null']).status === 0
    ? undefined
    : `this machine has no ${TERMINAL_MAKER}(1)`

/** Starts a command as a process of its own. */
export function startMemo(args: readonly string[], options: RunOptions = {}): Running {
  const { bin = 'memo', env = {}, terminal = false } = options
  const command = [process.execPath, join(BIN, `${bin}.js`), ...args]
  const [file = '', ...rest] = terminal
    ? [TERMINAL_MAKER, '-qefc', command.map(quoted).join(' '), '/dev/null']
    : command
  const child = spawn(file, rest, { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
  const said = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
      for (const look of waiting) look()
    })
  }
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    ...said,
    last: () => JSON.parse(said.stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>,
  }))
  if (!terminal) child.stdin.end()
  return {
    child,
    ended,
    type: (keys) => child.stdin.write(keys),
    async saw(what) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = () => what.test(said.stdout + said.stderr) && resolve()
      waiting.add(look)
      look()
      await Promise.race([promise, ended])
      waiting.delete(look)
      if (!what.test(said.stdout + said.stderr)) throw new TypeError(`it ended with ${said.stdout}${said.stderr}`)
    },
  }
}

/** Runs a command to its end. */
export async function runMemo(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return await startMemo(args, options).ended
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
