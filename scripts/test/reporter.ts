import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

/** One line of the report of a test file. */
export type ReportLine = {
  result: 'passed' | 'failed' | 'skipped'
  /** The names from the outermost suite inwards. */
  name: string
  /** Whether this is a suite, which does not count as a test. */
  suite: boolean
  /** What went wrong; absent when only something inside failed, which has its own line. */
  failure?: string
  /** Why it was skipped. */
  reason?: string
}

/** Written last: what comes without it was cut short. */
export const END_OF_REPORT = 'end of report'

/** How node:test announces what a test did after it had ended. */
const STRAY = /^(Error|Warning):/

/** A reporter for node:test that writes one JSON object per result, for the process that runs the files. */
// biome-ignore lint/style/noDefaultExport: node:test takes a reporter by its default export.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = []
  for await (const event of source) {
    if (event.type === 'test:start') path.splice(event.data.nesting, Number.POSITIVE_INFINITY, event.data.name)
    if (event.type === 'test:diagnostic' && STRAY.test(event.data.message))
      process.stderr.write(`${event.data.message}\n`)
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { data } = event
    path.splice(data.nesting, Number.POSITIVE_INFINITY, data.name)
    const suite = data.details.type === 'suite'
    const mark = data.skip ?? data.todo
    const line: ReportLine = {
      result: mark !== undefined ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed',
      name: path.join(' › '),
      suite,
      ...(typeof mark === 'string' ? { reason: mark } : {}),
      ...(event.type === 'test:fail' ? failureOf(event.data.details.error) : {}),
    }
    yield `${JSON.stringify(line)}\n`
  }
  yield `${END_OF_REPORT}\n`
}

function failureOf(error: Error & { failureType?: string }): { failure?: string } {
  if (error.failureType === 'subtestsFailed') return {}
  return { failure: inspect(error.cause ?? error, { depth: 6 }) }
}
