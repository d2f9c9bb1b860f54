/**
 * The storage engine of MEMO: pure functions and small state machines from bytes to pieces and back, and the codecs
 * of what crosses the wire. Data flows one way:
 *
 *     bytes –cid→ –seal→ sealed stream –erasure→ strips –piece→ roots –placement→ parts –log→ index –wire→ nodes
 *
 * What touches the world is injected (`ports.ts`).
 */
export * from './billing/index.ts'
export * from './bytes/index.ts'
export * from './cid/index.ts'
export * from './erasure/index.ts'
export * from './errors/index.ts'
export { groupBy } from './group-by.ts'
export * from './keys/index.ts'
export * from './log/index.ts'
export * from './manifest/index.ts'
export * from './piece/index.ts'
export * from './placement/index.ts'
export type * from './ports.ts'
export * from './repair/index.ts'
export * from './seal/index.ts'
export * from './stripe/index.ts'
export { createTurns, type Turns } from './turns.ts'
export * from './wire/index.ts'
