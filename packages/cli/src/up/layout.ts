import { join } from 'node:path'
import type { Address } from '@memo/core'
import { writeFileDurably } from '@memo/platform'
import { findFreePorts, isPortFree } from '../ports.ts'
import { readJson } from '../settings.ts'

/**
 * What a local network consists of and where it listens, the same over restarts, so that endpoints which stand on
 * chain stay true (`spec/data-directory.md` 5).
 */
export type Layout = {
  readonly rpcPort: number
  readonly gatewayPort: number
  /** The registry's address depends on it, so it never changes. */
  readonly level: number
  readonly policy: string
  /** By name: `keeper-1`, `provider-1` … */
  readonly ports: Readonly<Record<string, number>>
  /** Fingerprint of the contracts that were deployed on the network's own chain. */
  readonly contracts?: string
}

export type LayoutOptions = {
  readonly providers: number
  readonly keepers: number
  readonly policy: string
  /** The gateway's port, where the user said it. */
  readonly port: number | undefined
}

const LAYOUT_FILE = 'network.json'
const DEFAULT_GATEWAY_PORT = 8_080
/** Keepers that a group needs to serve, where there are so many. */
const FULL_LEVEL = 3

/** Reads the layout of `dataDir`, or makes one; more nodes than before get ports of their own. */
export async function openLayout(dataDir: string, options: LayoutOptions): Promise<Layout> {
  const before = findLayout(dataDir)
  const names = [...namesOf('keeper', options.keepers), ...namesOf('provider', options.providers)]
  const missing = names.filter((name) => before?.ports[name] === undefined)
  const [rpcPort, ...free] = await findFreePorts(missing.length + 1)
  const ports = Object.fromEntries(missing.map((name, i) => [name, free[i] as number]))
  const layout: Layout = {
    rpcPort: before?.rpcPort ?? (rpcPort as number),
    gatewayPort: options.port ?? before?.gatewayPort ?? DEFAULT_GATEWAY_PORT,
    level: levelOf(dataDir, options),
    policy: options.policy,
    ports: { ...before?.ports, ...ports },
    ...(before?.contracts === undefined ? {} : { contracts: before.contracts }),
  }
  await saveLayout(dataDir, layout)
  return layout
}

export async function saveLayout(dataDir: string, layout: Layout): Promise<void> {
  await writeFileDurably(join(dataDir, LAYOUT_FILE), `${JSON.stringify(layout, null, 2)}\n`)
}

/** The layout of a network that was made before. */
export function findLayout(dataDir: string): Layout | undefined {
  return readJson(join(dataDir, LAYOUT_FILE)) as Layout | undefined
}

/** Keepers that a group of this network needs: as it was made, else as it is to be. */
export function levelOf(dataDir: string, { keepers }: Pick<LayoutOptions, 'keepers'>): number {
  return findLayout(dataDir)?.level ?? Math.min(FULL_LEVEL, keepers)
}

/** Where the chain of the local network in `dataDir` listens; undefined when there is no such network. */
export function findLocalRpcUrl(dataDir: string): string | undefined {
  const layout: Partial<Layout> | undefined = findLayout(dataDir)
  return layout?.rpcPort === undefined ? undefined : `http://127.0.0.1:${layout.rpcPort}`
}

/** `keeper-1`, `keeper-2` … */
export function namesOf(role: 'keeper' | 'provider', count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${role}-${i + 1}`)
}

/** What stands ready, as `ready` reports it. */
export type RunningNode = {
  readonly name: string
  readonly role: 'chain' | 'keeper' | 'provider' | 'gateway'
  readonly pid: number
  readonly url: string
  readonly address?: Address
}

/** Ports of the layout that something else uses. */
export async function listTakenPorts(ports: readonly number[]): Promise<number[]> {
  const free = await Promise.all(ports.map((port) => isPortFree(port)))
  return ports.filter((_, i) => !free[i])
}
