const MAX_NAME_BYTES = 200

/** A file name that stays in its directory and is not taken: names come from whoever stored the object. */
export function freshName(taken: Set<string>, name: string, cid: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get into a file name
  const safe = name.replace(/[/\\\x00-\x1f\x7f:*?"<>|]/g, '_').replace(/^\.+/, '_')
  const base = Buffer.from(safe || cid, 'utf8')
    .subarray(0, MAX_NAME_BYTES)
    .toString('utf8')
    .replace(/\ufffd$/, '')
  let fresh = base
  for (let i = 2; taken.has(fresh.toLowerCase()); i++) fresh = `${i}-${base}`
  taken.add(fresh.toLowerCase())
  return fresh
}
