import type { IndexStore } from '../ports.ts'
import { InjectedFaultError } from './injected-fault.ts'
import type { DiskState } from './memory-disk.ts'

/** An index store on `disk`; it dies with the disk's next crash. */
export function openIndex(disk: DiskState, generation: number): IndexStore {
  let closed = false
  const check = (operation: 'read' | 'write') => {
    if (closed) throw new InjectedFaultError('the index store is closed')
    disk.check(operation, generation)
  }
  return {
    async get(key) {
      check('read')
      return disk.records.get(key)?.slice()
    },
    async apply(changes) {
      check('write')
      const copies = changes.map(({ key, value }) => ({ key, value: value?.slice() }))
      await disk.sync(generation)
      for (const { key, value } of copies) {
        if (value) disk.records.set(key, value)
        else disk.records.delete(key)
      }
    },
    async list({ prefix, after, limit }) {
      check('read')
      return [...disk.records.keys()]
        .filter((key) => key.startsWith(prefix) && (after === undefined || key > after))
        .sort()
        .slice(0, limit)
        .map((key) => ({ key, value: disk.records.get(key)!.slice() }))
    },
    async close() {
      closed = true
    },
  }
}
