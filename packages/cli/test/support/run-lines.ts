import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** How one of several command lines ended. */
export type LineEnded = { readonly code: number; readonly stdout: string; readonly stderr: string }

const PROGRAM = new URL('../../src/program.ts', import.meta.url).href
const FLAGS = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval']
/** Stands between what two lines said. */
const SEPARATOR = '\u0000\n'

/** Runs command lines one after the other in one process, which starts once for all of them. */
export async function runLines(
  lines: readonly (readonly string[])[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<LineEnded[]> {
  const script = `
    const { runProgram } = await import(${JSON.stringify(PROGRAM)})
    for (const line of ${JSON.stringify(lines)}) {
      const runtime = { signal: new AbortController().signal, supervisor: undefined, onForce() {}, wasInterrupted: () => false }
      const code = await runProgram(line, runtime)
      process.stdout.write(${JSON.stringify(SEPARATOR)} + code + ${JSON.stringify(SEPARATOR)})
      process.stderr.write(${JSON.stringify(SEPARATOR)})
    }`
  const child = spawn(process.execPath, [...FLAGS, script], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  await once(child, 'close')
  const out = said.stdout.split(SEPARATOR)
  const err = said.stderr.split(SEPARATOR)
  return lines.map((_, i) => ({ stdout: out[2 * i] ?? '', code: Number(out[2 * i + 1]), stderr: err[i] ?? '' }))
}
