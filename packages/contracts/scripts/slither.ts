/**
 * What slither, a static analyser of Solidity, finds in the contracts beyond what is answered below. It is written in Python and
 * not on npm: `pip install slither-analyzer`. An answer counts for one detector in one file; what is new there must be looked at
 * when the file changes (spec/decisions/review-of-contracts.md).
 */
import { spawnSync } from 'node:child_process'
import { forgeEnv, withCopy } from './self-contained.ts'

const CLOCK = 'whoever makes blocks shifts their time by seconds; windows are minutes to days, and need blocks as well'
const PERMIT = 'what may fail is a permit at the token, which is ours and calls nobody back'
const NOBODY = 'the zero address means nobody; all others are computed by the deploy plan and tested'

/** Why each finding is none, by detector and file. */
const answers: Readonly<Record<string, string>> = {
  'arbitrary-send-erc20 src/QuotaPay.sol': 'the payer has called the market, or signed the purchase',
  'uninitialized-state src/FileDid.sol': 'written through a reference',
  'divide-before-multiply src/Orders.sol': 'what the division leaves stays in the pool',
  'incorrect-equality src/Orders.sol': 'a share of nothing is refused; no balance of tokens is compared',
  'incorrect-equality src/Reads.sol': 'block 0 means that nothing is announced',
  'unused-return src/AccountDid.sol': 'the first method has index 0',
  'unused-return src/FileProxy.sol': 'whether a file is deactivated is checked where the right is given',
  'unused-return src/Orders.sol': 'before an order is opened it costs nothing',
  'missing-zero-check src/AccountDid.sol': NOBODY,
  'missing-zero-check src/DidProxy.sol': NOBODY,
  'missing-zero-check src/Escrow.sol': NOBODY,
  'missing-zero-check src/FileDid.sol': NOBODY,
  'missing-zero-check src/FileProxy.sol': NOBODY,
  'missing-zero-check src/Orders.sol': NOBODY,
  'missing-zero-check src/Pledges.sol': NOBODY,
  'calls-loop src/Orders.sol': 'the escrow, at most 64 times; it calls nobody',
  'reentrancy-benign src/Escrow.sol': PERMIT,
  'reentrancy-events src/Escrow.sol': PERMIT,
  'reentrancy-events src/FileProxy.sol': PERMIT,
  'reentrancy-events src/Pledges.sol': PERMIT,
  'timestamp src/EpochClock.sol': CLOCK,
  'timestamp src/Orders.sol': CLOCK,
  'timestamp src/QuotaPay.sol': CLOCK,
  'timestamp src/Reads.sol': CLOCK,
  'timestamp src/SpaceMarket.sol': CLOCK,
}

type Finding = {
  readonly check: string
  readonly description: string
  readonly elements: readonly { readonly source_mapping: { readonly filename_relative: string } }[]
}

/** Whether slither can be run here. */
export function isSlitherInstalled(): boolean {
  return spawnSync('slither', ['--version']).status === 0
}

/** Findings without an answer, and answers without a finding. */
export function runSlither(): { readonly open: readonly string[]; readonly stale: readonly string[] } {
  const findings = withCopy(['src'], analyse)
  const keyOf = ({ check, elements }: Finding): string =>
    `${check} ${elements[0]?.source_mapping.filename_relative ?? 'nowhere'}`
  const found = new Set(findings.map(keyOf))
  return {
    open: findings.filter((finding) => !(keyOf(finding) in answers)).map((f) => `${keyOf(f)}\n${f.description}`),
    stale: Object.keys(answers).filter((key) => !found.has(key)),
  }
}

function analyse(copy: string): readonly Finding[] {
  const args = ['.', '--json', '-', '--filter-paths', 'lib/', '--exclude-informational', '--exclude-optimization']
  const { stdout, stderr } = spawnSync('slither', args, {
    cwd: copy,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...forgeEnv, FOUNDRY_PROFILE: 'fast' },
  })
  const report = stdout.slice(stdout.indexOf('{"success"'))
  if (report === '' || !report.startsWith('{"success"')) throw new TypeError(`slither reported nothing:\n${stderr}`)
  const { success, results } = JSON.parse(report) as { success: boolean; results: { detectors?: readonly Finding[] } }
  if (!success) throw new TypeError(`slither failed:\n${stderr}`)
  return results.detectors ?? []
}
