import { styleText } from 'node:util'
import { type ErrorEnvelope, envelopeFromError, MemoError, RemoteError } from '@memo/core'
import { printable, printableLines } from './printable.ts'

/** Back to the first column, then erase what stands there. */
const CLEAR_LINE = '\r\x1b[K'

type Style = Parameters<typeof styleText>[0]

/**
 * Where a verb speaks: data on stdout, progress on stderr; with `--json` both as lines of JSON on stdout. Names and messages come
 * from whoever wrote them: what a terminal would obey in them does not reach it.
 */
export type Output = {
  readonly isJson: boolean
  /** What the verb was asked for. */
  data(text: string, json: Readonly<Record<string, unknown>>): void
  /** What happens meanwhile; `json` carries `event`. Without `json` it is for people only. */
  progress(text: string, json?: Readonly<Record<string, unknown>>): void
  /** How far something is: on a terminal one line that is written over again and again, elsewhere nothing. */
  live(text: string): void
  /** A line of JSON that people need not see. */
  event(json: Readonly<Record<string, unknown>>): void
  /** What went wrong, why, and what to do: on stderr, with `--json` as an error envelope. */
  error(error: unknown): void
  /** Styles text for stderr, where colour is wanted. */
  style(style: Style, text: string): string
}

/** Colour is used on terminals only, and neither with NO_COLOR nor with `--no-color`. */
export function createOutput(options: { readonly json?: boolean; readonly color?: boolean }): Output {
  const isJson = options.json === true
  const hasColor = options.color !== false && process.stderr.isTTY === true && !process.env.NO_COLOR
  const style = (format: Style, text: string) => (hasColor ? styleText(format, text, { validateStream: false }) : text)
  let isLive = false
  const line = (json: Readonly<Record<string, unknown>>) => process.stdout.write(`${toJson(json)}\n`)
  return {
    isJson,
    style,
    data(text, json) {
      if (isJson) line(json)
      else process.stdout.write(`${printableLines(text)}\n`)
    },
    live(text) {
      if (isJson || process.stderr.isTTY !== true) return
      process.stderr.write(`${CLEAR_LINE}${printableLines(text)}`)
      isLive = text !== ''
    },
    progress(text, json) {
      if (isLive) process.stderr.write(CLEAR_LINE)
      isLive = false
      if (!isJson) process.stderr.write(`${printableLines(text)}\n`)
      else if (json) line(json)
    },
    event(json) {
      if (isJson) line(json)
    },
    error(error) {
      if (isLive) process.stderr.write(CLEAR_LINE)
      if (isJson) process.stderr.write(`${toJson(shortEnvelope(error))}\n`)
      else process.stderr.write(`${printableLines(explain(error, style))}\n`)
    },
  }
}

/** The envelope; of each cause its first line, for some libraries quote whole requests. */
function shortEnvelope(thrown: unknown): ErrorEnvelope {
  const { error } = envelopeFromError(thrown)
  if (!error.causes) return { error }
  return { error: { ...error, causes: error.causes.map((cause) => cause.split('\n')[0] ?? '') } }
}

/** What, why and fix, one line each. */
function explain(error: unknown, style: (format: Style, text: string) => string): string {
  const { message, causes = [] } = envelopeFromError(error).error
  const lines = [`${style('red', 'error')}  ${oneLine(message)}`]
  // Causes tell an operator why; what only repeats the message does not, nor do the words of libraries.
  const why = causes
    .map((cause) => cause.split('\n')[0] ?? '')
    .find(
      (cause) => !message.includes(cause.replace(/^\w+: /, '')) && !(error instanceof MemoError && isOfLibrary(cause)),
    )
  if (why) lines.push(`${style('dim', 'why')}    ${oneLine(why)}`)
  // More than one way on stand on lines of their own, where we wrote them; a server’s words stay on one.
  const ways =
    error instanceof RemoteError ? [error.fix ?? ''] : (error instanceof MemoError && error.fix?.split('\n')) || []
  for (const [i, way] of ways.entries()) {
    if (way !== '') lines.push(`${i === 0 ? style('dim', 'fix') : '   '}    ${oneLine(way)}`)
  }
  if (!(error instanceof MemoError) && error instanceof Error && error.stack) {
    lines.push(`${style('dim', 'where')}  ${error.stack.split('\n').slice(1, 4).join('\n').trim()}`)
  }
  return lines.join('\n')
}

/** What Node, viem or multiformats call what has happened: with `--json` it is all there. */
function isOfLibrary(cause: string): boolean {
  return /^(Error|TypeError|SyntaxError|DOMException|\w*Rpc\w*(Error|Fault)|(Abi|Contract|Call|Transaction|Http)\w*Error): /.test(
    cause,
  )
}

/** A server whose message goes on with a line of its own could tell people what to type. */
function oneLine(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, ' '))
}

/** JSON in which amounts, which are bigints, are decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner))
}

/** A size for people: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 2 ** (10 * power)
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** A duration for people: `350 ms`, `7.2 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** Minutes are as exact as people need it: `2026-11-20 19:36`, in UTC. */
export function formatMinute(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ')
}

/** The address of an account that is alone in its cell: its ends tell it from others. */
const LONE_ADDRESS = /^(\s*0x[0-9a-f]{8})[0-9a-f]{24}([0-9a-f]{8})$/i

/**
 * Rows as aligned columns; a cell stays on its line. On a terminal of `columns` columns, which they would not fit, addresses are
 * shortened to their ends: with `--json`, and where a program reads, they are whole.
 */
export function formatTable(
  cells: readonly (readonly string[])[],
  columns: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  const whole = alignedRows(cells)
  if (columns === undefined || whole.split('\n').every((line) => widthOf(line) <= columns)) return whole
  return alignedRows(cells.map((row) => row.map((cell) => cell.replace(LONE_ADDRESS, '$1…$2'))))
}

function alignedRows(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable))
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? '')))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Columns that a terminal needs: Chinese, Japanese and Korean characters take two. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u.test(
        character,
      )
        ? 2
        : 1
  return width
}
