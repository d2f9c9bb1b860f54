import type { StorageLimits } from '../limits.ts'

/**
 * Limits for where a piece is sent only when it is whole (`spec/browser.md` 3): parts so small that a slow line carries one
 * with its parity before the deadlines of its exchanges, and patience for that long.
 *
 * @example
 * ```ts
 * const storage = createStorage({ chain, ports: createBrowserPorts({ network, signer }), limits: BROWSER_LIMITS })
 * ```
 */
export const BROWSER_LIMITS: Partial<StorageLimits> = {
  partBytes: 16_777_216,
  stallMs: 110_000,
}
