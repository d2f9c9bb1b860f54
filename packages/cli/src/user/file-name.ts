import { printable } from '../printable.ts'

const MAX_NAME_BYTES = 200

/** Names that are taken, as file systems compare them, each with the last number that was put before it. */
export type TakenNames = Map<string, number>

/** A file name that stays in its directory and is not taken: names come from whoever stored the object. */
export function freshName(taken: TakenNames, name: string, cid: string): string {
  const safe = printable(name)
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^\.+/, '_')
  const base = Buffer.from(safe || cid, 'utf8')
    .subarray(0, MAX_NAME_BYTES)
    .toString('utf8')
    .replace(/\ufffd$/, '')
  let fresh = base
  // From the last number on: a hundred thousand files of one name are found theirs as fast as two.
  let number = taken.get(comparable(base)) ?? 1
  while (taken.has(comparable(fresh))) fresh = `${++number}-${base}`
  taken.set(comparable(base), number)
  if (fresh !== base) taken.set(comparable(fresh), 1)
  return fresh
}

/** Some file systems take upper case for lower, and composed characters for what they are composed of. */
function comparable(name: string): string {
  return name.normalize('NFC').toLowerCase()
}
