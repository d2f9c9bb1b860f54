import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'

/** The command as a shell finds it. */
const MEMO = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'memo.js')
/** These guard against what hangs; a machine that others keep busy needs a good part of them. */
const RUN_TIMEOUT_MS = 180_000
/** More than `memo up` gives its processes in all. */
const STOP_TIMEOUT_MS = 60_000

export type Json = Readonly<Record<string, unknown>>

export type Outcome = {
  readonly code: number | null
  readonly stdout: string
  readonly bytes: Uint8Array
  readonly stderr: string
  /** stdout as lines of JSON, for verbs with `--json`. */
  readonly lines: readonly Json[]
  /** The last of them. */
  readonly last: Json
}

const dirs: string[] = []
const running = new Set<ChildProcess>()

after(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 5 })))
})

/** A directory that is removed when the test file ends. */
export async function freshDir(name = 'memo-e2e-'): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), name))
  dirs.push(dir)
  return dir
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

export type RunOptions = {
  readonly input?: Uint8Array
  readonly env?: NodeJS.ProcessEnv
  readonly node?: string
  /** The command of another installation. */
  readonly memo?: string
}

/** Runs a verb to its end. */
export async function memo(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = launch(args, options)
  child.stdin?.end(options.input)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout?.on('data', (data: Buffer) => stdout.push(data))
  child.stderr?.on('data', (data) => {
    stderr += data
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  const bytes = Buffer.concat(stdout)
  const text = bytes.toString('utf8')
  const lines = args.includes('--json') ? jsonLines(text) : []
  return { code, stdout: text, bytes, stderr, lines, last: lines.at(-1) ?? {} }
}

function launch(args: readonly string[], { env, node = process.execPath, memo = MEMO }: RunOptions): ChildProcess {
  const child = spawn(node, [memo, ...args], { stdio: 'pipe', env: { ...process.env, ...env } })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

function jsonLines(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json)
}

/** A verb that goes on until it is stopped. */
export type Server = {
  readonly pid: number
  /** The first event of this name that satisfies `matches`, past ones included. Rejects when the process ends. */
  event(name: string, matches?: (event: Json) => boolean): Promise<Json>
  /** Events of this name so far. */
  seen(name: string): readonly Json[]
  signal(signal: NodeJS.Signals): void
  /** Resolves with the exit code, or the signal that ended it. */
  ended(): Promise<number | string | null>
  /** As Ctrl-C does; gives the exit code. */
  stop(): Promise<number | string | null>
  stderr(): string
}

export function start(args: readonly string[], options: RunOptions = {}): Server {
  const child = launch([...args, '--json'], options)
  if (options.input) child.stdin?.write(options.input) // and no end: more may come
  const events: Json[] = []
  const waiting = new Set<() => void>()
  let rest = ''
  let stderr = ''
  let exit: { readonly how: number | string | null } | undefined
  const wake = () => {
    for (const look of waiting) look()
  }
  child.stdout?.on('data', (data) => {
    rest += data
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    events.push(...jsonLines(lines.join('\n')))
    wake()
  })
  child.stderr?.on('data', (data) => {
    stderr += data
  })
  child.once('close', (code, signal) => {
    exit = { how: signal ?? code }
    wake()
  })
  const ended = async () => {
    if (!exit) await once(child, 'close')
    return exit?.how ?? null
  }
  return {
    pid: child.pid as number,
    event: (name, matches = () => true) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = events.find((event) => event.event === name && matches(event))
          if (!found && !exit) return
          waiting.delete(look)
          if (found) resolve(found)
          else reject(new TypeError(`memo ${args[0]} ended (${exit?.how}) without ${name}: ${stderr}`))
        }
        waiting.add(look)
        look()
      }),
    seen: (name) => events.filter((event) => event.event === name),
    signal: (signal) => child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGINT')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      const how = await ended()
      clearTimeout(timer)
      return how
    },
    stderr: () => stderr,
  }
}

/** What `ready` says of a network. */
export type Ready = {
  readonly gateway: string
  readonly rpc: string
  readonly registry: string
  readonly did: string
  readonly keyFile: string
  readonly dataDir: string
  readonly ms: number
  readonly nodes: readonly {
    readonly name: string
    readonly role: string
    readonly pid: number
    readonly url: string
    readonly address?: string
  }[]
}

/** `memo up` on a free port, ready. */
export async function startNetwork(
  dataDir: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly server: Server; readonly ready: Ready }> {
  const server = start(['up', '--data', dataDir, '--port', `${await freePort()}`, ...args], options)
  return { server, ready: (await server.event('ready')) as unknown as Ready }
}

/** A Node on the path that is too old to run the command by itself. */
export function findOldNode(): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, 'node'))
  return candidates.find((node) => {
    const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
    const [major = 0, minor = 0] =
      /^v(\d+)\.(\d+)/
        .exec(stdout ?? '')
        ?.slice(1)
        .map(Number) ?? []
    return status === 0 && (major < 22 || (major === 22 && minor < 18))
  })
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false // there is no such process
  }
}

/** Ends a process that the test knows to be its own, in the hardest way. */
export function killHard(pid: number): void {
  process.kill(pid, 'SIGKILL')
}

/** Waits until `holds`, and fails with `what` when that takes too long. */
export async function eventually(
  what: string,
  timeoutMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new TypeError(`after ${timeoutMs} ms still not so: ${what}`)
    await wait(100)
  }
}
