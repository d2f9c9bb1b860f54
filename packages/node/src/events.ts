/** How much an event wants to be seen. */
export type EventLevel = 'info' | 'warn' | 'error'

/**
 * Something that a node's operator may want to know. `type` is for programs and `message` for people; what else it
 * carries is plain JSON. No secret stands in any of it.
 */
export type NodeEvent = {
  /** Kebab-case, stable. */
  readonly type: string
  readonly level: EventLevel
  readonly message: string
  readonly [detail: string]: unknown
}

/** Takes events; must not throw. */
export type EventSink = (event: NodeEvent) => void

/** Drops events: for whoever does not look. */
export const silent: EventSink = () => undefined
