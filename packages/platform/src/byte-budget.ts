import { assert, MemoError } from '@memo/core'

/** More memory was asked for at once than the whole process may hold. A bug of the caller. */
export class BudgetTooSmallError extends MemoError {
  override readonly name: string = 'BudgetTooSmallError'
  constructor(bytes: number, totalBytes: number) {
    super(`${bytes} bytes were asked for where ${totalBytes} may be held together`, {
      blame: 'us',
      retry: 'never',
      fix: 'Give the process a larger budget, or put with a policy of fewer shards.',
      details: { bytes, totalBytes },
    })
  }
}

/** Bytes that were taken from a {@link ByteBudget}. */
export type ByteLease = {
  readonly bytes: number
  /** Gives them back; a second call does nothing. */
  release(): void
}

/** Bytes of memory that all streams of a process share: who needs some waits until others have given enough back. */
export type ByteBudget = {
  readonly totalBytes: number
  readonly takenBytes: number
  /**
   * Takes `bytes`, in the order of asking: a small request does not overtake a large one that waits, so that none
   * waits for ever. Rejects with the signal's reason.
   *
   * @throws BudgetTooSmallError when there will never be so much
   */
  take(bytes: number, signal?: AbortSignal): Promise<ByteLease>
  /** Whether somebody waits. */
  isWanted(): boolean
  /**
   * Calls `listener` each time that somebody begins to wait, so that memory which is held in reserve can be given up.
   * Returns the way to end that.
   */
  onWanted(listener: () => void): () => void
}

type Waiter = {
  readonly bytes: number
  readonly grant: () => void
}

/**
 * A fair semaphore over bytes (`spec/performance.md` 6).
 *
 * @example
 * ```ts
 * const budget = createByteBudget(160 * 1_048_576)
 * const lease = await budget.take(10 * 1_048_576, signal)
 * try { await send(stripe) } finally { lease.release() }
 * ```
 */
export function createByteBudget(totalBytes: number): ByteBudget {
  assert(Number.isSafeInteger(totalBytes) && totalBytes > 0, `a budget of ${totalBytes} bytes`)
  const waiters = new Set<Waiter>()
  const listeners = new Set<() => void>()
  let takenBytes = 0

  /** Serves those who wait, the oldest first, as far as the bytes go. */
  const serve = () => {
    for (const waiter of waiters) {
      if (takenBytes + waiter.bytes > totalBytes) return
      waiters.delete(waiter)
      takenBytes += waiter.bytes
      waiter.grant()
    }
  }
  const lease = (bytes: number): ByteLease => {
    let isHeld = true
    return {
      bytes,
      release() {
        if (!isHeld) return
        isHeld = false
        takenBytes -= bytes
        serve()
      },
    }
  }
  const wait = async (bytes: number, signal: AbortSignal | undefined) => {
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        waiters.delete(waiter)
        reject(signal?.reason)
        serve() // the next one may need less
      }
      const grant = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const waiter = { bytes, grant }
      waiters.add(waiter)
      signal?.addEventListener('abort', leave, { once: true })
      for (const listener of listeners) listener()
      serve() // a listener may have given up enough
    })
  }
  return {
    totalBytes,
    get takenBytes() {
      return takenBytes
    },
    async take(bytes, signal) {
      assert(Number.isSafeInteger(bytes) && bytes >= 0, `a request for ${bytes} bytes`)
      if (bytes > totalBytes) throw new BudgetTooSmallError(bytes, totalBytes)
      signal?.throwIfAborted()
      if (waiters.size > 0 || takenBytes + bytes > totalBytes) await wait(bytes, signal)
      else takenBytes += bytes
      return lease(bytes)
    },
    isWanted: () => waiters.size > 0,
    onWanted(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
