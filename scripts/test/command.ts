import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { addCounts, type Counts, oneFailed, onePassed } from './counts.ts'
import { endGroup, root, startGroup } from './processes.ts'

const COMMAND_TIMEOUT_MS = 10 * 60_000
const FORGE_SUMMARY = /(\d+) tests? passed, (\d+) failed, (\d+) skipped/g
/** Forge colours its summary even into a pipe when told to by the environment. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')

/** One check made by a command: it passes if the command ends with 0. */
export type Command = {
  /** The program, found in node_modules/.bin first. */
  program: string
  args: readonly string[]
  /** A script of ours that must exist; its absence is a failure and is said. */
  script?: string
}

/** A script of this repository, run by the pinned Node. */
export function ownScript(script: string, ...args: string[]): Command {
  return { program: 'node', args: ['--conditions=source', script, ...args], script }
}

/** Runs a command with live output and counts it, or the tests that it reports as forge does. */
export async function runCommand(command: Command): Promise<Counts> {
  if (command.script !== undefined && !existsSync(join(root, command.script))) {
    console.log(`${command.script} does not exist`)
    return oneFailed
  }
  const { code, output } = await runLive(command)
  const counted = countForge(output)
  if (code === 0) return counted ?? onePassed
  if (counted !== undefined && counted.failed > 0) return counted
  console.log(`${command.program} ended with ${code}`)
  return { ...(counted ?? oneFailed), failed: 1 }
}

function runLive(command: Command): Promise<{ code: number | string; output: string }> {
  const child = startGroup(command.program, command.args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk)
    chunks.push(chunk)
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      console.log(`stopped after ${COMMAND_TIMEOUT_MS / 1000} s`)
      endGroup(child)
    }, COMMAND_TIMEOUT_MS)
    const finish = (code: number | string): void => {
      clearTimeout(timer)
      endGroup(child)
      resolve({ code, output: Buffer.concat(chunks).toString('utf8') })
    }
    child.on('error', (error) => finish(error.message))
    child.on('close', (code, signal) => finish(code ?? signal ?? 'no exit code'))
  })
}

/** Forge runs more than once in one step, each time with a summary of its own. */
function countForge(output: string): Counts | undefined {
  const runs = [...output.replaceAll(COLOUR, '').matchAll(FORGE_SUMMARY)]
  if (runs.length === 0) return undefined
  const counts = runs.map(([, passed, failed, skipped]) => ({
    passed: Number(passed),
    failed: Number(failed),
    skipped: Number(skipped),
  }))
  return counts.reduce(addCounts)
}
