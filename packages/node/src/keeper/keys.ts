import { type Address, BadInputError } from '@memo/core'

/** Keys of a keeper's records. DIDs are percent-encoded, so that no text can reach into another record. */

const NUMBER_DIGITS = 16

export const LAST_CURSOR_KEY = 'meta/feed'

export function number(value: number): string {
  return `${value}`.padStart(NUMBER_DIGITS, '0')
}

export function headsPrefix(did: string): string {
  return `head/${encodeDid(did)}/`
}

export function headKey(did: string, writer: Address): string {
  return `${headsPrefix(did)}${writer}`
}

export function writerPrefix(writer: Address): string {
  return `writer/${writer}/`
}

export function writerKey(writer: Address, did: string): string {
  return `${writerPrefix(writer)}${encodeDid(did)}`
}

export function entriesPrefix(did: string, writer: Address): string {
  return `entry/${encodeDid(did)}/${writer}/`
}

export function entryKey(did: string, writer: Address, seq: number): string {
  return `${entriesPrefix(did, writer)}${number(seq)}`
}

/** Who owns the part that was here first. */
export function partKey(partId: string): string {
  return `part/${partId}`
}

export function ownedPartKey(partId: string, owner: string): string {
  return `part/${partId}/${encodeDid(owner)}`
}

export function publicPrefix(cid: string): string {
  return `public/${cid}/`
}

/** Where a public object stands under its CID: what came first is first, so that nobody pushes it back. */
export type PublicPlace = {
  readonly cid: string
  /** The entry's number in the feed. */
  readonly arrival: number
  readonly did: string
  readonly writer: Address
  readonly seq: number
}

export function publicKey({ cid, arrival, did, writer, seq }: PublicPlace): string {
  return `${publicPrefix(cid)}${number(arrival)}/${encodeDid(did)}/${writer}/${number(seq)}`
}

/** Before all keys of objects that came after number `arrival`, and after all others. */
export function publicAfterKey(cid: string, arrival: number): string {
  return `${publicPrefix(cid)}${number(arrival)}/~`
}

/** The place that a {@link publicKey} speaks of. */
export function placeOfPublicKey(key: string): PublicPlace {
  const [, cid = '', arrival = '', did = '', writer = '', seq = ''] = key.split('/')
  return { cid, arrival: Number(arrival), did: decodeURIComponent(did), writer: writer as Address, seq: Number(seq) }
}

export function tombstoneKey(did: string, writer: Address, seq: number): string {
  return `deleted/${encodeDid(did)}/${writer}/${number(seq)}`
}

/** A live entry that needs a part. */
export function needKey(partId: string, did: string, writer: Address, seq: number): string {
  return `need/${partId}/${encodeDid(did)}/${writer}/${number(seq)}`
}

/** Parts that have a piece with this root at this provider. */
export function heldPrefix(root: string, provider: Address): string {
  return `held/${root}/${provider}/`
}

export function heldKey(root: string, provider: Address, partId: string, owner: string): string {
  return `${heldPrefix(root, provider)}${partId}/${encodeDid(owner)}`
}

/** Before all {@link needKey}s of the part and the owner that a {@link heldKey} speaks of. */
export function needPrefixOfHeldKey(key: string): string {
  const [, , , partId = '', owner = ''] = key.split('/')
  return `need/${partId}/${owner}/`
}

/** Which log a login opened. */
export function loginKey(digest: string): string {
  return `login/${digest}`
}

export const FEED_PREFIX = 'feed/'

export function feedKey(cursor: number): string {
  return `${FEED_PREFIX}${number(cursor)}`
}

/** How far another keeper's feed has been read. */
export function cursorKey(peer: Address): string {
  return `cursor/${peer}`
}

export function deferredPrefix(peer: Address): string {
  return `deferred/${peer}/`
}

export function deferredKey(peer: Address, did: string, writer: Address): string {
  return `${deferredPrefix(peer)}${encodeDid(did)}/${writer}`
}

/** Errors: {@link BadInputError} for half of a surrogate pair, which has no encoding. */
function encodeDid(did: string): string {
  try {
    return encodeURIComponent(did)
  } catch (cause) {
    throw new BadInputError('a DID that is not Unicode', { cause })
  }
}
