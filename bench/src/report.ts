import type { GateResult } from './gates.ts'
import type { Machine } from './machine.ts'
import type { BenchRow } from './row.ts'

/** All that one run of the benches found. */
export type Report = {
  readonly machine: Machine
  readonly isQuick: boolean
  readonly tookSeconds: number
  readonly benches: Readonly<Record<string, readonly BenchRow[]>>
  readonly gates: readonly GateResult[]
}

/** The report as a table for people. */
export function tableFromReport({ machine, isQuick, tookSeconds, benches, gates }: Report): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}`,
    `${machine.date}, commit ${machine.commit}, load before ${machine.loadBefore}${isQuick ? ', quick run' : ''}`,
  ]
  for (const [bench, rows] of Object.entries(benches)) {
    const cells = [[bench, '', '', 'ratio', 'to', 'runs'], ...rows.map(cellsOf)]
    lines.push('', ...alignColumns(cells))
  }
  lines.push('', ...alignColumns([['gate', 'wanted', 'measured', ''], ...gates.map(gateCellsOf)]))
  lines.push('', `${Math.round(tookSeconds)} s`)
  return `${lines.join('\n')}\n`
}

function cellsOf(row: BenchRow): string[] {
  const ratio = row.ratio === undefined ? '' : formatNumber(row.ratio)
  return [`  ${row.name}`, formatNumber(row.value), row.unit, ratio, row.baseline ?? '', String(row.runs ?? '')]
}

function gateCellsOf({ gate, outcome, measured }: GateResult): string[] {
  const wanted = gate.leastRatio === undefined ? `≤ ${gate.most}` : `ratio ≥ ${gate.leastRatio}`
  return [`  ${gate.row}`, wanted, measured === undefined ? '' : formatNumber(measured), outcome]
}

/** Numbers stand to the right, words to the left. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const isNumber = (cell: string) => /^[\d.]/.test(cell)
  return rows.map((row) =>
    row
      .map((cell, column) => (isNumber(cell) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'none'
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
