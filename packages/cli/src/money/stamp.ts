import { randomInt } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { findBytesFromHex, findHashcash, type HashcashPurpose, MAX_HASHCASH_BITS } from '@memo/core'
import { BadGatewayAnswerError } from '@memo/sdk'
import type { Context } from '../program.ts'
import { callGateway } from './gateway.ts'
import { formatDuration } from './units.ts'

/** Work that a gateway asks for before it does a favour, as it takes it. */
export type Stamp = { readonly challenge: string; readonly counter: number }

/** Tries between two looks at the signal, some milliseconds. */
const TRIES_AT_ONCE = 8_192
const REPORT_MS = 250
const MAX_FIRST = 2 ** 47

/**
 * Asks a gateway for a challenge and works on it until a counter stamps it, which takes 2^bits tries on average; says on
 * stderr how far it is. Errors: GatewayError, BadGatewayAnswerError, also for work that nobody should do.
 */
export async function createStamp(
  context: Context,
  endpoint: string,
  { purpose, subject }: { readonly purpose: HashcashPurpose; readonly subject: string },
): Promise<Stamp> {
  const { signal } = context.runtime
  const path = `/hashcash?purpose=${purpose}&subject=${encodeURIComponent(subject)}`
  const { challenge, bits } = await callGateway(endpoint, { method: 'GET', path, signal })
  const bytes = findBytesFromHex(challenge, 32)
  if (!bytes || typeof challenge !== 'string') throw new BadGatewayAnswerError('no challenge to stamp')
  return { challenge, counter: await findCounter(context, { challenge: bytes, bits: Number(bits) }) }
}

/** Errors: BadGatewayAnswerError. */
export async function findCounter(
  { output, runtime }: Context,
  { challenge, bits }: { readonly challenge: Uint8Array; readonly bits: number },
): Promise<number> {
  if (!Number.isInteger(bits) || bits < 0 || bits > MAX_HASHCASH_BITS) {
    throw new BadGatewayAnswerError(`that it wants ${bits} bits of work, which nobody should do`)
  }
  const startedMs = performance.now()
  let reportedMs = startedMs
  // A stamp is good once: whoever asks twice within one challenge shall not find the same.
  const first = randomInt(MAX_FIRST)
  for (let from = first; ; from += TRIES_AT_ONCE) {
    const counter = findHashcash(challenge, bits, from, TRIES_AT_ONCE)
    const nowMs = performance.now()
    if (counter !== undefined) {
      const ms = Math.round(nowMs - startedMs)
      output.progress(`  worked ${(ms / 1_000).toFixed(1)} s for a stamp`, {
        event: 'stamp',
        bits,
        tries: counter - first + 1,
        ms,
      })
      return counter
    }
    await breathe()
    runtime.signal.throwIfAborted()
    if (nowMs - reportedMs < REPORT_MS) continue
    reportedMs = nowMs
    output.live(describe(from - first + TRIES_AT_ONCE, bits, nowMs - startedMs))
  }
}

/** How long it takes on average: each try is as good as the first. */
function describe(tries: number, bits: number, ms: number): string {
  const perSecond = (tries / ms) * 1_000
  const rate = Math.round(perSecond / 1_000).toLocaleString('en')
  return `  working for a stamp: ${rate} thousand tries a second, about ${formatDuration(2 ** bits / perSecond)} in all`
}
