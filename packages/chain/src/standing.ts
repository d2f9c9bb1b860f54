import { type Address, type Chain, type ErrorEnvelope, envelopeFromError, MemoError, type Timers } from '@memo/core'
import { assertServes, NoRoleError, NotActiveError, type ServingRole } from './role-gate.ts'

/** What became of an account that serves. */
export type StandingEvent = {
  readonly type: 'standing-lost' | 'registering-again' | 'registered-again' | 'registering-failed' | 'standing-back'
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
} & Partial<ErrorEnvelope>

export type StandingOptions = {
  /** Not cached. */
  readonly chain: Chain
  readonly timers: Timers
  readonly address: Address
  readonly role: ServingRole
  readonly log: (event: StandingEvent) => void
  /** How often it is looked. Default 5 s. */
  readonly restMs?: number | undefined
  /**
   * Does again what made the account what it was; each step only where the chain does not show it. Without it, whoever runs
   * the account is told what to do.
   */
  readonly registerAgain?: ((signal: AbortSignal) => Promise<void>) | undefined
}

/** Looks after the standing of an account that serves (`spec/faults.md`). */
export type StandingWatch = {
  /** What is wrong with it and what to do, as a sentence; undefined while the chain lets it serve. */
  findFault(): string | undefined
  /** Looks until `signal` is aborted; then it rejects with its reason. */
  run(signal: AbortSignal): Promise<void>
}

const REST_MS = 5_000
/** A chain that rewinds shows for a moment neither the old blocks nor the new ones: one look is none. */
const LOOKS = 2
/** What could not be done is tried again ever more seldom, up to so many looks apart. */
const MAX_LOOKS_BETWEEN = 12

/**
 * Watches whether the chain still knows an account as what it started as: one that rewinds deeply takes registrations and
 * pledges out for good, and who registered has to do it again. Exits, bans and suspensions are told, and left alone.
 */
export function createStandingWatch(options: StandingOptions): StandingWatch {
  const { chain, timers, address, role, log, registerAgain, restMs = REST_MS } = options
  let fault: MemoError | undefined
  let looks = 0
  let nextTry = LOOKS
  let failures = 0

  const look = async (signal: AbortSignal) => {
    const found = await findFault()
    if (!found) {
      if (fault && looks >= LOOKS) {
        log({ type: 'standing-back', level: 'info', message: `the chain lets ${address} serve as a ${role} again` })
      }
      fault = undefined
      looks = failures = 0
      nextTry = LOOKS
      return
    }
    if (fault && fault.name !== found.name) looks = Math.min(looks, LOOKS - 1)
    fault = found
    looks += 1
    if (looks < LOOKS) return
    if (looks === LOOKS) tell(found)
    if (isForgotten(found) && registerAgain && looks >= nextTry) await repair(registerAgain, signal)
  }
  /** Errors: those of the chain. */
  const findFault = async (): Promise<MemoError | undefined> => {
    try {
      await assertServes(chain, address, role)
      return undefined
    } catch (thrown) {
      if (thrown instanceof MemoError && thrown.details.address === address) return thrown
      throw thrown
    }
  }
  const tell = (found: MemoError) => {
    const envelope = envelopeFromError(found)
    const level = registerAgain && isForgotten(found) ? 'warn' : 'error'
    log({ ...envelope, type: 'standing-lost', level, message: describe(found) })
  }
  const repair = async (register: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => {
    log({ type: 'registering-again', level: 'info', message: `${address} registers as a ${role} again` })
    try {
      await register(signal)
      failures = 0
      nextTry = looks + LOOKS // what was sent may be forgotten as well
      log({ type: 'registered-again', level: 'info', message: `${address} has registered as a ${role} again` })
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown
      failures += 1
      nextTry = looks + Math.min(MAX_LOOKS_BETWEEN, 2 ** failures)
      const message = `${address} could not register again: ${thrown.message}`
      log({ ...envelopeFromError(thrown), type: 'registering-failed', level: 'warn', message })
    }
  }
  return {
    findFault() {
      if (!fault || looks < LOOKS) return undefined
      const what = registerAgain && isForgotten(fault) ? 'It registers again by itself.' : (fault.fix ?? '')
      return `account: ${describe(fault)}. ${what}`.trim()
    },
    async run(signal) {
      for (;;) {
        await timers.sleep(restMs, signal)
        try {
          await look(signal)
        } catch (thrown) {
          signal.throwIfAborted()
          // A chain that cannot be asked says nothing of the account; whoever needs the chain tells that it is silent.
          if (!(thrown instanceof MemoError)) throw thrown
        }
      }
    },
  }
}

/** Whether the chain shows less than was there when the account began to serve; what it has done itself it shows. */
function isForgotten(fault: MemoError): boolean {
  return fault instanceof NoRoleError || (fault instanceof NotActiveError && fault.details.state === 'registered')
}

function describe(fault: MemoError): string {
  return isForgotten(fault) ? `the chain has forgotten what was registered: ${fault.message}` : fault.message
}
