import { primitives } from '#primitives'
import { hex32, utf8 } from '../bytes/index.ts'

/** What happened in a simulation, in order. Two runs of one seed have one digest. */
export type Trace = {
  record(event: string): void
  readonly events: readonly string[]
  /** SHA-256 over all events, 64 hex digits. */
  digest(): string
}

export function createTrace(): Trace {
  const events: string[] = []
  return {
    record: (event) => void events.push(event),
    events,
    digest: () => hex32(primitives.sha256(utf8(events.join('\n')))),
  }
}
