import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** How a process ended and what it said on its way. */
export type Ended = { readonly code: number | null; readonly signal: string | null; readonly stderr: string }

/** The chain as a process of its own. */
export type ChildChain = {
  readonly url: string
  readonly chainId: number
  readonly process: ChildProcess
  /** Sends a signal and waits for the end. */
  end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<Ended>
}

function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ['--conditions=source', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }))
  return { child, ended }
}

/** Starts the chain and waits for its ready line. */
export async function startChild(args: readonly string[]): Promise<ChildChain> {
  const { child, ended } = start([...args, '--json'])
  const lines = createInterface({ input: child.stdout! })
  const line = await Promise.race([once(lines, 'line').then(([text]) => text as string), ended])
  if (typeof line !== 'string') throw new RangeError(`the chain ended before it was ready: ${line.stderr}`)
  const { url, chainId } = JSON.parse(line) as { url: string; chainId: number }
  return {
    url,
    chainId,
    process: child,
    end: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}

/** Runs the chain until it ends by itself. */
export function runChild(args: readonly string[]): Promise<Ended> {
  return start(args).ended
}
