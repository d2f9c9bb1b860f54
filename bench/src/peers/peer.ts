import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { ByteStream } from '@memo/core'

/** Another store on this machine, in its simplest form: one process, one disk. */
export type Peer = {
  readonly name: string
  /** The program, as it is looked for on the PATH. */
  readonly program: string
  /** Starts it over an empty directory. Rejects when it does not come up. */
  start(program: string, dir: string, signal: AbortSignal): Promise<RunningPeer>
}

export type RunningPeer = {
  /** Stores a body under a name; resolves when the peer says that it has it. */
  put(name: string, body: ByteStream, sizeBytes: number): Promise<void>
  get(name: string): Promise<ByteStream>
  stop(): Promise<void>
}

const START_MS = 30_000
const LOOK_AGAIN_MS = 200
const STOP_GRACE_MS = 5_000

/** Where a program is; undefined when it is not on the PATH. */
export function findProgram(name: string): string | undefined {
  const places = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '')
  return places.map((dir) => join(dir, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // not there, or not to be run
  }
}

/** Runs a program until it is stopped, and waits until `url` answers with anything at all. */
export async function startDaemon(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  url: string,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...env } })
  const failure = new Promise<never>((_, reject) => child.once('error', reject))
  failure.catch(() => undefined) // told below, while it is waited for
  const stop = async () => await end(child)
  try {
    await Promise.race([failure, untilAnswers(url, child, signal)])
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}

async function untilAnswers(url: string, child: ChildProcess, signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(START_MS)])
  for (;;) {
    patience.throwIfAborted()
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`)
    try {
      const answer = await fetch(url, { signal: patience })
      await answer.body?.cancel()
      return
    } catch {
      patience.throwIfAborted() // else nothing listens yet
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await ended
  clearTimeout(force)
}

/** Sends a request with a body that streams, and gives the answer's. Rejects when it is none of success. */
export async function send(
  method: string,
  url: string,
  options: { readonly headers?: Record<string, string>; readonly body?: ByteStream } = {},
): Promise<ByteStream> {
  const init = {
    method,
    headers: options.headers ?? {},
    ...(options.body ? { body: options.body, duplex: 'half' } : {}),
  }
  const answer = await fetch(url, init as RequestInit)
  if (!answer.ok || !answer.body) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`)
  return answer.body
}

/** Reads a body to its end; its length. */
export async function drain(body: ByteStream): Promise<number> {
  let length = 0
  for await (const bytes of body) length += bytes.length
  return length
}
