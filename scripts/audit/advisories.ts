import { spawnSync } from 'node:child_process'

const TIMEOUT_MS = 60_000

export type Advisories =
  | { readonly kind: 'asked'; readonly severe: readonly string[] }
  | { readonly kind: 'unasked'; readonly reason: string }

type Report = {
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>
  readonly message?: string
  readonly error?: { readonly summary?: string }
}

/** Known holes in what is locked, as `npm audit` tells; high and critical ones count. */
export function askForAdvisories(root: string): Advisories {
  const { stdout, error } = spawnSync('npm', ['audit', '--json'], { cwd: root, encoding: 'utf8', timeout: TIMEOUT_MS })
  if (error) return { kind: 'unasked', reason: error.message }
  const report = findReport(stdout)
  if (!report?.vulnerabilities) {
    const said = report?.error?.summary || report?.message || 'npm gave no report'
    return { kind: 'unasked', reason: said.replaceAll(/https?:\/\/\S+/g, 'the registry') }
  }
  const severe = Object.entries(report.vulnerabilities)
    .filter(([, { severity }]) => severity === 'high' || severity === 'critical')
    .map(([name, { severity, range }]) => `${name} ${range}: ${severity}`)
  return { kind: 'asked', severe }
}

function findReport(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report
  } catch {
    return undefined // the caller says that there is none
  }
}
