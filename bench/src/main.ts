/**
 * Measures how fast bytes move and what that costs (`spec/performance.md`). Exits with 1 when a gate is missed.
 *
 *     npm run bench -- [--only stages,pipeline] [--quick] [--json] [--out FILE]
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { judge } from './gates.ts'
import { describeMachine } from './machine.ts'
import { benchHttp } from './network/http.ts'
import { benchMemory } from './network/memory.ts'
import { openPlace, type Place } from './network/place.ts'
import { benchSmall } from './network/small.ts'
import { benchPeers } from './peers/peers.ts'
import { type Report, tableFromReport } from './report.ts'
import type { Bench, BenchOptions, BenchRow, NetworkBench } from './row.ts'
import { benchErasure } from './stages/erasure.ts'
import { benchPipeline } from './stages/pipeline.ts'
import { benchStages } from './stages/stages.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  stages: benchStages,
  erasure: benchErasure,
  pipeline: benchPipeline,
}
const NETWORK_BENCHES: Readonly<Record<string, NetworkBench>> = {
  http: benchHttp,
  memory: benchMemory,
  small: benchSmall,
  peers: benchPeers,
}
const ALL: readonly string[] = [...Object.keys(BENCHES), ...Object.keys(NETWORK_BENCHES)]

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
  const names = values.only?.split(',') ?? ALL
  const unknown = names.filter((name) => !ALL.includes(name))
  if (unknown.length > 0) {
    process.stderr.write(`no bench is named ${unknown.join(', ')}; there are: ${ALL.join(', ')}\n`)
    return 2
  }
  const control = new AbortController()
  const stop = () => control.abort(new DOMException('interrupted', 'AbortError'))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
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
  let place: Place | undefined
  try {
    for (const name of names) {
      options.progress(`${name} …`)
      const inNetwork = NETWORK_BENCHES[name]
      if (inNetwork) place ??= await openPlace(options.signal)
      rowsOf.set(name, inNetwork && place ? await inNetwork(place, options) : await BENCHES[name]!(options))
    }
  } finally {
    await place?.close()
  }
  return {
    machine,
    isQuick: options.isQuick,
    tookSeconds: (performance.now() - begun) / 1e3,
    benches: Object.fromEntries(rowsOf),
    gates: judge(rowsOf, machine.cores),
  }
}
