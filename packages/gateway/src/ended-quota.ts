import { type Address, MemoError, type Timers } from '@memo/core'
import { type DeletionContext, deleteObject } from './deletion.ts'
import { warningOf } from './quota/lasting.ts'
import type { Term } from './quota/terms.ts'

/** How what outlives its quota is looked after. */
export type EndedQuotaPolicy = {
  /** What is past its grace is kept all the same. */
  readonly keepEnded: boolean
  /** Rest between two passes. */
  readonly endedPollMs: number
}

export const DEFAULT_ENDED_POLICY: EndedQuotaPolicy = { keepEnded: false, endedPollMs: 600_000 }

export type EndedQuotaOptions = DeletionContext & {
  readonly timers: Timers
  readonly policy: EndedQuotaPolicy
  /** Throws while the table may not say all, or another gateway writes with the key. */
  readonly assertReady: () => void
  /** The day since 1970, by which warnings are counted. */
  readonly today: () => number
}

/** Deletions of a pass: what goes wrong in great style is seen before much is gone. */
const MAX_DELETIONS = 50

/** Warns of quota that ends, begins its grace, and deletes what is past it (`spec/gateway.md` 22 and 24), until `signal` is aborted. */
export async function runEndedQuota(options: EndedQuotaOptions, signal: AbortSignal): Promise<void> {
  const pass = createEndedQuotaPass(options)
  while (!signal.aborted) {
    await pass(signal)
    await options.timers.sleep(options.policy.endedPollMs, signal).catch(() => undefined) // only a stop ends it early
  }
}

/** One pass over all buyers; what fails is an event, and tried in the next one. */
export function createEndedQuotaPass(options: EndedQuotaOptions): (signal: AbortSignal) => Promise<void> {
  const { quota, log, policy, assertReady, today } = options
  const { lasting } = quota

  const warn = async (buyer: Address): Promise<void> => {
    const endings = await lasting.listEnding(buyer)
    const text = warningOf(endings)
    if (text === undefined || !(await lasting.noteTold(buyer, today()))) return
    const facts = endings.map(({ kind, bytes, until, goneAt }) => ({
      kind,
      bytes: `${bytes}`,
      until: Number(until),
      goneAt: Number(goneAt),
    }))
    log({ type: 'quota-ending', level: 'warn', message: `${buyer}: ${text}`, buyer, endings: facts })
  }
  /** Says whether an object went. */
  const end = async (term: Term): Promise<boolean> => {
    assertReady()
    const object = await options.objects.findById(Number(term.id))
    if (!object) {
      await lasting.forget(term) // its owner deleted it by other ways
      return false
    }
    if (!(await lasting.claim(term))) return false // paid for, or in a second grace, since it was listed
    await deleteObject(options, object)
    const { kind, paid, until, buyer } = term
    const message = `object ${object.id} of ${object.did} went with the ${kind} of ${buyer} that had paid ${paid} bytes of it until ${until}`
    log({ type: 'quota-ended', level: 'warn', message, buyer, object: object.id, did: object.did, bytes: `${paid}` })
    return true
  }
  /** One after the other: what goes makes room in the trial, in which others then stay. */
  const endAll = async (buyer: Address, most: number, signal: AbortSignal): Promise<number> => {
    const skipped = new Set<string>()
    let ended = 0
    while (ended < most) {
      signal.throwIfAborted()
      await lasting.takeOver(buyer)
      await lasting.noteOver(buyer)
      if (policy.keepEnded) break
      const [next] = (await lasting.listGone(buyer)).filter(({ id }) => !skipped.has(id))
      if (!next) break
      if (await end(next)) ended += 1
      skipped.add(next.id)
    }
    return ended
  }
  const lookAfter = async (buyer: Address, most: number, signal: AbortSignal): Promise<number> => {
    try {
      assertReady()
      const ended = await endAll(buyer, most, signal)
      await warn(buyer)
      return ended
    } catch (thrown) {
      if (signal.aborted || !(thrown instanceof MemoError)) throw thrown
      const message = `what of ${buyer} outlives its quota cannot be looked after now: ${thrown.message}`
      log({ type: 'ended-waits', level: 'warn', message, buyer, error: thrown.name })
      return 0
    }
  }
  return async (signal) => {
    let left = MAX_DELETIONS
    try {
      for await (const { buyer } of quota.ledger.list()) {
        if (await lasting.hasTerms(buyer)) left -= await lookAfter(buyer, left, signal)
      }
    } catch (thrown) {
      if (signal.aborted) return
      if (!(thrown instanceof MemoError)) throw thrown
      log({
        type: 'ended-waits',
        level: 'warn',
        message: `the ledger cannot be read now: ${thrown}`,
        error: thrown.name,
      })
    }
  }
}
