import { type Clock, hex32, type IndexStore, type Randomness, textFromUtf8, utf8 } from '@memo/core'

/** One gateway's data directory, in which its key's logs are known since some moment. */
export type Instance = {
  /** Random, made on first use: what tells two gateways with one key apart. */
  readonly id: string
  /** Unix seconds. What others wrote with the key until then is history, and what they write later is trouble. */
  readonly sinceSeconds: number
  /** Why it may take no changes; undefined while it is alone. */
  readonly conflict: string | undefined
  setConflict(message: string): Promise<void>
}

/** Where a manifest says which instance wrote it. */
export const INSTANCE_KEY = 'gateway-instance'

const RECORD = 'instance'
const CONFLICT = 'instance-conflict'
const ID_BYTES = 32

/** The instance of a store. `takeOver`: whoever else wrote with the key does so no more. */
export async function openInstance(
  store: IndexStore,
  ports: { readonly random: Randomness; readonly clock: Clock },
  takeOver: boolean,
): Promise<Instance> {
  const record = await store.get(RECORD)
  const known = record && (JSON.parse(textFromUtf8(record)) as Pick<Instance, 'id' | 'sinceSeconds'>)
  const now = Math.floor(ports.clock.nowMs() / 1000)
  const id = known?.id ?? hex32(ports.random.bytes(ID_BYTES))
  const sinceSeconds = known && !takeOver ? known.sinceSeconds : now
  if (!known || takeOver) {
    const value = utf8(JSON.stringify({ id, sinceSeconds }))
    await store.apply([{ key: RECORD, value }, { key: CONFLICT }])
  }
  const found = await store.get(CONFLICT)
  let conflict = found && textFromUtf8(found)
  return {
    id,
    sinceSeconds,
    get conflict() {
      return conflict
    },
    async setConflict(message) {
      conflict = message
      await store.apply([{ key: CONFLICT, value: utf8(message) }])
    },
  }
}
