/**
 * `npm test`: every check of the project, in order, with one closing line of counts.
 * `npm test -- --only lint,types,contracts,unit,e2e` runs a part.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { addCounts, type Counts, formatCounts, noCounts } from './test/counts.ts'
import { endGroupsOnExit, root } from './test/processes.ts'
import { type Step, steps, type Topic, topics } from './test/steps.ts'

/** The line of Node that the lock file pins. */
const PINNED_MAJOR = 24
const EXIT_USAGE = 2

async function main(): Promise<number> {
  const status = rerunOnPinnedNode()
  if (status !== undefined) return status
  const selected = selectSteps(process.argv.slice(2))
  if (typeof selected === 'string') {
    console.error(selected)
    return EXIT_USAGE
  }
  endGroupsOnExit()
  let total: Counts = noCounts
  for (const step of selected) total = addCounts(total, await runStep(step))
  console.log(`\n${formatCounts(total)}`)
  return total.failed === 0 ? 0 : 1
}

/** npm puts the pinned Node first on the path; whoever starts this with another one gets it as well. */
function rerunOnPinnedNode(): number | undefined {
  if (Number.parseInt(process.versions.node, 10) >= PINNED_MAJOR) return undefined
  const pinned = join(root, 'node_modules', '.bin', 'node')
  if (!existsSync(pinned)) {
    console.error(`Node ${process.versions.node} is too old. Run npm ci, which installs Node ${PINNED_MAJOR}.`)
    return EXIT_USAGE
  }
  console.error(`Node ${process.versions.node} is too old; going on with the pinned ${pinned}`)
  const { status } = spawnSync(pinned, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  return status ?? 1
}

/** The steps that the arguments ask for, or what is wrong with the arguments. */
function selectSteps(args: string[]): readonly Step[] | string {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } })
  if (values.only === undefined) return steps
  const wanted = values.only.split(',')
  const unknown = wanted.filter((topic) => !topics.includes(topic as Topic))
  if (unknown.length > 0) return `--only knows ${topics.join(', ')}; not ${unknown.join(', ')}`
  return steps.filter((step) => wanted.includes(step.topic))
}

async function runStep(step: Step): Promise<Counts> {
  const startedMs = performance.now()
  console.log(`\n== ${step.title}`)
  const counts = await step.run()
  console.log(`-- ${formatCounts(counts)} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  return counts
}

process.exitCode = await main()
