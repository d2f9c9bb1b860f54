/**
 * Something that a gateway's operator may want to know. `type` is for programs and `message` for people; what else it
 * carries is plain JSON. No secret stands in any of it.
 */
export type GatewayEvent = {
  /** Kebab-case, stable. */
  readonly type: string
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [detail: string]: unknown
}

/** Takes events; must not throw. */
export type GatewayEventSink = (event: GatewayEvent) => void
