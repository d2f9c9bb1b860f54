import { ApiError } from './errors.ts'

/** Lets so many through at a time; further ones wait in line, and beyond that are sent away. */
export type Turnstile = {
  /** Runs `work` when it is its turn. Errors: {@link ApiError} 503 when the line is full; the signal's reason. */
  pass<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createTurnstile(limits: { readonly running: number; readonly waiting: number }): Turnstile {
  const line: (() => void)[] = []
  let running = 0
  const leave = () => {
    const next = line.shift()
    if (next) next()
    else running -= 1
  }
  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    if (running < limits.running) {
      running += 1
      return
    }
    if (line.length >= limits.waiting) throw new ApiError(503, 'too many uploads at this moment')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => {
      const place = line.indexOf(resolve)
      if (place < 0) return // let in a moment ago: it is the work that ends now
      line.splice(place, 1)
      reject(signal.reason)
    }
    line.push(resolve)
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(
      () => signal.removeEventListener('abort', giveUp),
      () => undefined, // gone from the line already
    )
    await promise
  }
  return {
    async pass(signal, work) {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
