import { BadInputError } from '@memo/core'

const PREFIX = 'did:memo:'
const ID = /^[0-9a-fA-F]{64}$/

/** The id of a Memo DID in lower case, from the DID or the bare id. Errors: {@link BadInputError}. `spec/did.md` 1 */
export function idFromDid(did: string): string {
  const id = did.startsWith(PREFIX) ? did.slice(PREFIX.length) : did
  if (!ID.test(id)) throw new BadInputError('not a Memo DID: did:memo: and 64 hexadecimal digits', { details: { did } })
  return id.toLowerCase()
}

/** The DID of an id. */
export function didFromId(id: string): string {
  return `${PREFIX}${id}`
}
