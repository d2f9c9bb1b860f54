/** A cache that forgets what was used longest ago, bounded by the count and the total weight of its values. */
export class LruCache<V> {
  readonly #values = new Map<string, { readonly value: V; readonly weight: number }>()
  readonly #maxCount: number
  readonly #maxWeight: number
  #weight = 0

  constructor(maxCount: number, maxWeight: number = Number.POSITIVE_INFINITY) {
    this.#maxCount = maxCount
    this.#maxWeight = maxWeight
  }

  get size(): number {
    return this.#values.size
  }

  find(key: string): V | undefined {
    const entry = this.#values.get(key)
    if (entry === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, entry)
    return entry.value
  }

  /** Keeps a value under a key that is not held. One that alone weighs more than the bound is not kept. */
  add(key: string, value: V, weight = 0): void {
    if (weight > this.#maxWeight) return
    this.#values.set(key, { value, weight })
    this.#weight += weight
    for (const [oldest, entry] of this.#values) {
      if (this.#values.size <= this.#maxCount && this.#weight <= this.#maxWeight) return
      this.#values.delete(oldest)
      this.#weight -= entry.weight
    }
  }
}
