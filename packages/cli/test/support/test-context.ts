import type { Output } from '../../src/output.ts'
import type { Context } from '../../src/program.ts'

type Line = Readonly<Record<string, unknown>>

/** What a verb gets, and what it said: to programs as objects, to people as text. */
export type TestContext = {
  readonly context: Context
  readonly json: Line[]
  readonly text: string[]
  /** The last line for programs. */
  last(): Line
  interrupt(): void
}

export function createTestContext(): TestContext {
  const json: Line[] = []
  const text: string[] = []
  const controller = new AbortController()
  const say = (words: string, line?: Line) => {
    text.push(words)
    if (line) json.push(line)
  }
  const output: Output = {
    isJson: false,
    data: say,
    progress: say,
    live: () => undefined,
    event: (line) => json.push(line),
    error: (error) => text.push(String(error)),
    style: (_style, words) => words,
  }
  const runtime = {
    signal: controller.signal,
    supervisor: undefined,
    onForce: () => undefined,
    wasInterrupted: () => controller.signal.aborted,
  }
  return {
    context: { runtime, output },
    json,
    text,
    last: () => json.at(-1) ?? {},
    interrupt: () => controller.abort(new Error('interrupted')),
  }
}
