import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Transport } from '@memo/core'
import { createHttpTransport } from '@memo/platform'
import { createClients, type TimedClient } from './clients.ts'
import { type LocalNetwork, startLocalNetwork } from './local-network.ts'

/** More than any bench has streams. */
const CONNECTIONS = 256
/** DIDs, and with them calls at the same time. */
export const CLIENTS = 64

/** A network and a plain server over the same disk, with clients for both. */
export type Place = {
  readonly network: LocalNetwork
  readonly clients: readonly TimedClient[]
  readonly transport: Transport
  readonly plainUrl: string
  readonly plainPid: number
  close(): Promise<void>
}

export async function openPlace(signal: AbortSignal): Promise<Place> {
  const undo: (() => Promise<void>)[] = []
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const dir = await mkdtemp(join(process.env.MEMO_BENCH_DIR ?? tmpdir(), 'memo-bench-'))
    undo.push(async () => await rm(dir, { recursive: true, force: true }))
    const plain = await startPlainServer(join(dir, 'plain'))
    undo.push(async () => await endPlainServer(plain.child))
    const network = await startLocalNetwork(join(dir, 'network'), signal)
    undo.push(async () => await network.stop())
    const http = createHttpTransport({ maxConnectionsPerHost: CONNECTIONS })
    undo.push(async () => await http.close())
    const clients = await createClients(network, http.transport, CLIENTS)
    const plainUrl = `http://127.0.0.1:${plain.port}`
    return { network, clients, transport: http.transport, plainUrl, plainPid: plain.child.pid ?? 0, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startPlainServer(dir: string): Promise<{ child: ChildProcess; port: number }> {
  await mkdir(dir, { recursive: true })
  const child = fork(join(import.meta.dirname, 'plain-server.ts'), [dir])
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}

async function endPlainServer(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
}
