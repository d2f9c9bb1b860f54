import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const SURVIVOR_GRACE_MS = 1_000
const SURVIVOR_POLL_MS = 50
/** /proc/N/stat: number (name) state parent group. */
const PROC_STAT = /^\d+ \((.*)\) (\S) \d+ (\d+)/s

/** The root of the repository; everything runs from here. */
export const root: string = join(import.meta.dirname, '..', '..')

const groups = new Set<number>()

/** The environment of every child: the pinned Node and the tools of the lock file come first. */
function childEnvironment(): NodeJS.ProcessEnv {
  const bin = join(root, 'node_modules', '.bin')
  return { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
}

/**
 * Starts a command as the leader of its own process group, so that whatever it starts in turn can be
 * ended with it: nothing that a test forgot may outlive the run.
 */
export function startGroup(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { cwd: root, env: childEnvironment(), ...options, detached: true })
  const { pid } = child
  if (pid !== undefined) groups.add(pid)
  return child
}

/** Ends what is left of a group. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  groups.delete(child.pid)
  killGroup(child.pid)
}

/**
 * What a group still runs after its leader has ended, by name; waits a moment for what is just ending.
 * Reads /proc, so that other systems than Linux find nothing.
 */
export async function survivorsOf(child: ChildProcess): Promise<string[]> {
  const deadlineMs = performance.now() + SURVIVOR_GRACE_MS
  for (;;) {
    const names = child.pid === undefined ? [] : membersOf(child.pid)
    if (names.length === 0 || performance.now() > deadlineMs) return names
    await setTimeout(SURVIVOR_POLL_MS)
  }
}

/** Ends every group when the run itself is interrupted. */
export function endGroupsOnExit(): void {
  process.on('exit', () => {
    for (const pid of groups) killGroup(pid)
  })
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // ESRCH is the good case: the group has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function membersOf(group: number): string[] {
  const names: string[] = []
  for (const file of globSync('/proc/[0-9]*/stat')) {
    const [, name = '', state = '', groupOf = ''] = PROC_STAT.exec(readIfThere(file)) ?? []
    if (Number(groupOf) === group && state !== 'Z') names.push(name)
  }
  return names
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // A process that ended since the listing has no file any more.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}
