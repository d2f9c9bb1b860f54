import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Address } from '@memo/core'

const MEMO = join(import.meta.dirname, '../../../packages/cli/bin/memo.js')
const STOP_GRACE_MS = 20_000

/** A network as `memo up` starts it: a process for each node. */
export type LocalNetwork = {
  readonly gateway: string
  readonly rpcUrl: string
  readonly registry: Address
  readonly dataDir: string
  readonly gatewayPid: number
  readonly providerPids: readonly number[]
  /** All of its processes but the one that started them. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

type Ready = {
  readonly gateway: string
  readonly rpc: string
  readonly registry: Address
  readonly nodes: readonly { readonly role: string; readonly pid: number }[]
}

/** Starts seven providers, three keepers, a chain and a gateway over `dataDir`. Rejects with what `memo up` said last. */
export async function startLocalNetwork(dataDir: string, signal: AbortSignal): Promise<LocalNetwork> {
  const args = [MEMO, 'up', '--json', '--data', dataDir, '--port', `${await findFreePort()}`]
  // The channel lets the network notice that this process is gone.
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, MEMO_LAUNCHED: '1' },
  })
  const stop = async () => await end(child)
  try {
    const { gateway, rpc, registry, nodes } = await untilReady(child, signal)
    const pidsOf = (wanted: string) => nodes.filter(({ role }) => role === wanted).map(({ pid }) => pid)
    const [gatewayPid = 0] = pidsOf('gateway')
    const pids = nodes.map(({ pid }) => pid)
    const providerPids = pidsOf('provider')
    return { gateway, rpcUrl: rpc, registry, dataDir, gatewayPid, providerPids, pids, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function untilReady(child: ChildProcess, signal: AbortSignal): Promise<Ready> {
  return await new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.on('data', (text) => {
      said = `${said}${text}`.slice(-2_000)
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
      said = `${said}${line}\n`.slice(-2_000)
      const event = JSON.parse(line) as { readonly event?: string }
      if (event.event === 'ready') resolve(event as unknown as Ready)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`memo up ended with code ${code}:\n${said}`)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await ended
  clearTimeout(force)
}

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
