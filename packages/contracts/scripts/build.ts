/**
 * Writes src/generated, storage layouts included, from the Solidity sources. With `--check` it writes nothing and fails where the
 * committed files are not what the sources give.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CompiledContract, CompileFailed, compileContracts, packageRoot } from './compile.ts'

const STORAGE_LAYOUT = 'storage-layout.json'
const generatedDir = join(packageRoot, 'src', 'generated')

function main(): void {
  const check = process.argv.includes('--check')
  const contracts = compileContracts()
  const stale: string[] = []
  for (const [file, text] of renderAll(contracts)) {
    const path = join(generatedDir, file)
    const committed = existsSync(path) ? readFileSync(path, 'utf8') : undefined
    if (committed === text) continue
    if (check) stale.push(file)
    else {
      mkdirSync(generatedDir, { recursive: true })
      writeFileSync(path, text)
      process.stdout.write(`wrote src/generated/${file}\n`)
    }
  }
  if (stale.length > 0) {
    process.stderr.write(
      `src/generated is not what the Solidity sources give: ${stale.join(', ')}\nRun: npm run contracts:build\n`,
    )
    process.exitCode = 1
  } else if (check) {
    process.stdout.write(`${contracts.length} contracts reproduce from source\n`)
  }
}

function renderAll(contracts: readonly CompiledContract[]): Map<string, string> {
  const files = new Map(contracts.map((contract) => [`${kebab(contract.name)}.ts`, render(contract)]))
  return files.set(STORAGE_LAYOUT, renderStorage(contracts))
}

/** What each contract keeps where. Nothing here is upgraded; a change that nobody meant shows all the same. */
function renderStorage(contracts: readonly CompiledContract[]): string {
  const layouts = Object.fromEntries(contracts.map(({ name, storage }) => [name, storage]))
  return `${JSON.stringify(layouts, undefined, 2)}\n`
}

function render({ name, abi, bytecode, deployedBytecode, immutables }: CompiledContract): string {
  const prefix = name.charAt(0).toLowerCase() + name.slice(1)
  return [
    `// Made by scripts/build.ts from src/${name}.sol; change the source and build again.`,
    `export const ${prefix}Abi = [`,
    ...abi.map((entry) => `  ${JSON.stringify(entry)},`),
    '] as const',
    '',
    '/** Creation code; constructor arguments follow it. */',
    `export const ${prefix}Bytecode = '${bytecode}' as const`,
    '',
    '/** Runtime code, with zeros where immutables stand. */',
    `export const ${prefix}DeployedBytecode = '${deployedBytecode}' as const`,
    '',
    '/** Where immutables stand in the runtime code, in bytes. */',
    `export const ${prefix}Immutables: readonly { readonly start: number; readonly length: number }[] = ${JSON.stringify(immutables)}`,
    '',
  ].join('\n')
}

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
}

try {
  main()
} catch (error) {
  if (!(error instanceof CompileFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
