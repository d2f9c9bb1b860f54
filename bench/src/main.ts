/**
 * Measures how fast bytes move and what that costs (`spec/performance.md`). Exits with 1 when a gate is missed.
 *
 *     npm run bench -- [--only stages,pipeline] [--quick] [--json] [--out FILE]
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { judge } from './gates.ts'
import { describeMachine } from './machine.ts'
import { type Report, tableFromReport } from './report.ts'
import type { Bench, BenchOptions, BenchRow } from './row.ts'
import { benchErasure } from './stages/erasure.ts'
import { benchPipeline } from './stages/pipeline.ts'
import { benchStages } from './stages/stages.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  stages: benchStages,
  erasure: benchErasure,
  pipeline: benchPipeline,
}

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  })
  const names = values.only?.split(',') ?? Object.keys(BENCHES)
  const unknown = names.filter((name) => !BENCHES[name])
  if (unknown.length > 0) {
    process.stderr.write(`no bench is named ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}\n`)
    return 2
  }
  const control = new AbortController()
  process.once('SIGINT', () => control.abort(new DOMException('interrupted', 'AbortError')))
  const report = await runBenches(names, {
    isQuick: values.quick,
    signal: control.signal,
    progress: (text) => process.stderr.write(`${text}\n`),
  })
  const json = `${JSON.stringify(report, null, 2)}\n`
  process.stdout.write(values.json ? json : tableFromReport(report))
  if (values.out) await writeFile(values.out, json)
  return report.gates.some(({ outcome }) => outcome === 'missed') ? 1 : 0
}

async function runBenches(names: readonly string[], options: BenchOptions): Promise<Report> {
  const machine = describeMachine()
  const begun = performance.now()
  const rowsOf = new Map<string, readonly BenchRow[]>()
  for (const name of names) {
    options.progress(`${name} …`)
    rowsOf.set(name, await BENCHES[name]!(options))
  }
  return {
    machine,
    isQuick: options.isQuick,
    tookSeconds: (performance.now() - begun) / 1e3,
    benches: Object.fromEntries(rowsOf),
    gates: judge(rowsOf, machine.cores),
  }
}
