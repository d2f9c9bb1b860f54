import { CID } from 'multiformats/cid'
import { BadInputError } from '../errors/index.ts'

/** A text is no CID (`spec/objects.md` 1). */
export class BadCidError extends BadInputError {
  override readonly name: string = 'BadCidError'
}

const MAX_CID_CHARS = 200

/** The canonical text (CIDv1, base32) of a CID in any form. Errors: {@link BadCidError}. */
export function canonicalCid(text: string): string {
  return parse(text).toV1().toString()
}

/** The multihash digest inside a CID: 32 bytes for every CID of ours. Errors: {@link BadCidError}. */
export function digestFromCid(text: string): Uint8Array {
  return parse(text).multihash.digest
}

function parse(text: string): CID {
  if (text.length === 0 || text.length > MAX_CID_CHARS) throw new BadCidError('not a CID: wrong length')
  try {
    return CID.parse(text)
  } catch (cause) {
    throw new BadCidError(`not a CID: ${text}`, { cause })
  }
}
