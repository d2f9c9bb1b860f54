/** Lets work on one key run one after another, and work on different keys side by side. */
export type KeyedLock = {
  run<T>(key: string, work: () => Promise<T>): Promise<T>
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async run(key, work) {
      const before = tails.get(key)
      const running = (async () => {
        await before
        return await work()
      })()
      const tail = running.then(ended, ended)
      tails.set(key, tail)
      try {
        return await running
      } finally {
        if (tails.get(key) === tail) tails.delete(key)
      }
    },
  }
}

function ended(): void {
  // Whoever comes next waits for the end, whichever it was: the outcome belongs to the one who ran.
}
