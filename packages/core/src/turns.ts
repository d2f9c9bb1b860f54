/** Runs works of one key one after the other, however those before end, and works of different keys side by side. */
export type Turns = <T>(key: string, work: () => Promise<T>) => Promise<T>

/** Turns for as many keys as have work; what none waits for is forgotten. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work, work)
    last.set(key, turn)
    try {
      return await turn
    } finally {
      if (last.get(key) === turn) last.delete(key)
    }
  }
}
