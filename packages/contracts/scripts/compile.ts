/**
 * Compiles the contracts with the solc that npm installs, always with the same settings, so that the bytes
 * committed under src/generated can be made again from the sources by anyone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageRoot: string = fileURLToPath(new URL('..', import.meta.url))

/** The contracts that are deployed, in the order of deployment; QuotaPay twice. */
export const deployedContracts: readonly string[] = [
  'Governance',
  'Timelock',
  'MemoToken',
  'Roles',
  'Pledges',
  'Escrow',
  'Orders',
  'Reads',
  'AccountDid',
  'DidProxy',
  'QuotaPay',
  'SpaceMarket',
  'FileDid',
  'FileProxy',
  'Checkpoints',
  'Registry',
]

export interface ImmutableRange {
  readonly start: number
  readonly length: number
}

export interface CompiledContract {
  readonly name: string
  readonly abi: readonly AbiEntry[]
  readonly bytecode: string
  readonly deployedBytecode: string
  /** Byte ranges of the deployed code that the constructor fills in. */
  readonly immutables: readonly ImmutableRange[]
  /** One line per variable: slot, offset, name, type. */
  readonly storage: readonly string[]
}

export interface AbiEntry {
  readonly type: string
  readonly name?: string
}

interface SolcOutput {
  readonly errors?: readonly { severity: string; formattedMessage: string }[]
  readonly contracts?: Record<string, Record<string, SolcContract>>
}

interface SolcContract {
  readonly abi: readonly AbiEntry[]
  readonly storageLayout: {
    readonly storage: readonly { slot: string; offset: number; label: string; type: string }[]
    readonly types: Readonly<
      Record<string, { label: string; members?: SolcContract['storageLayout']['storage'] }>
    > | null
  }
  readonly evm: {
    readonly bytecode: { readonly object: string }
    readonly deployedBytecode: {
      readonly object: string
      readonly immutableReferences: Record<string, readonly ImmutableRange[]>
    }
  }
}

/** What forge must use as well, so that it tests what is deployed. */
export const settings = {
  evmVersion: 'prague',
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  // Without the metadata hash the bytes depend on the code alone, not on comments or paths.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
} as const

const outputSelection = {
  '*': {
    '*': [
      'abi',
      'evm.bytecode.object',
      'evm.deployedBytecode.object',
      'evm.deployedBytecode.immutableReferences',
      'storageLayout',
    ],
  },
}

/** The build could not be made: solc said why. */
export class CompileFailed extends Error {
  override readonly name = 'CompileFailed'
}

/** Compiles everything under src and returns the deployed contracts. Throws {@link CompileFailed}. */
export function compileContracts(): CompiledContract[] {
  const require = createRequire(import.meta.url)
  const solc = require('solc') as {
    compile(input: string, callbacks: { import(path: string): { contents?: string; error?: string } }): string
  }
  const input = JSON.stringify({
    language: 'Solidity',
    sources: readSources(),
    settings: { ...settings, outputSelection },
  })
  const output = JSON.parse(solc.compile(input, { import: findImport(require) })) as SolcOutput
  const messages = output.errors ?? []
  if (messages.length > 0) throw new CompileFailed(messages.map((m) => m.formattedMessage).join('\n'))
  return deployedContracts.map((name) => pick(output, name))
}

function readSources(): Record<string, { content: string }> {
  const sourceRoot = join(packageRoot, 'src')
  const files = readdirSync(sourceRoot, { recursive: true, encoding: 'utf8' })
  const sources: Record<string, { content: string }> = {}
  for (const file of files.filter((name) => name.endsWith('.sol')).sort()) {
    const path = join(sourceRoot, file)
    const unit = relative(packageRoot, path).replaceAll('\\', '/')
    sources[unit] = { content: readFileSync(path, 'utf8') }
  }
  return sources
}

function findImport(require: NodeJS.Require): (path: string) => { contents?: string; error?: string } {
  return (path) => {
    try {
      return { contents: readFileSync(require.resolve(path), 'utf8') }
    } catch (cause) {
      return { error: `cannot read ${path}: ${String(cause)}` }
    }
  }
}

function pick(output: SolcOutput, name: string): CompiledContract {
  const contract = output.contracts?.[`src/${name}.sol`]?.[name]
  if (contract === undefined) throw new CompileFailed(`src/${name}.sol declares no contract ${name}`)
  const { bytecode, deployedBytecode } = contract.evm
  const immutables = Object.values(deployedBytecode.immutableReferences).flat()
  return {
    name,
    abi: contract.abi,
    bytecode: `0x${bytecode.object}`,
    deployedBytecode: `0x${deployedBytecode.object}`,
    immutables: immutables.map(({ start, length }) => ({ start, length })).sort((a, b) => a.start - b.start),
    storage: describeStorage(contract.storageLayout),
  }
}

/** The variables of a contract, and under each struct that it uses the struct's members. */
function describeStorage({ storage, types }: SolcContract['storageLayout']): string[] {
  const lineOf = (entry: (typeof storage)[number]): string =>
    `${entry.slot}+${entry.offset} ${entry.label}: ${types?.[entry.type]?.label ?? entry.type}`
  const structs = Object.values(types ?? {})
    .flatMap(({ label, members }) => (members === undefined ? [] : [`${label} { ${members.map(lineOf).join('; ')} }`]))
    .sort()
  return [...storage.map(lineOf), ...structs]
}
