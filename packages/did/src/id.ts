import { type Address, BadInputError, concatBytes, findBytesFromHex, hex32, keccak256, uvarint } from '@memo/core'

/** A text is no Memo DID, or no DID URL of one (`spec/did.md` 1). */
export class BadDidError extends BadInputError {
  override readonly name: string = 'BadDidError'
}

/** A Memo DID: `did:memo:` and 64 lower-case hex digits. */
export type MemoDid = `did:memo:${string}`

const DID = /^did:memo:([0-9a-fA-F]{64})$/
const DID_URL =
  /^(did:memo:[0-9a-fA-F]{64})#((?:masterKey|key-[1-9][0-9]{0,5})(?:-multikey)?|authentication|assertion|delegation|recovery)$/

/** The canonical DID of a text in any case, or undefined when it is none. */
export function findMemoDid(text: unknown): MemoDid | undefined {
  const id = typeof text === 'string' ? DID.exec(text)?.[1] : undefined
  return id === undefined ? undefined : `did:memo:${id.toLowerCase()}`
}

/** The canonical DID of `text`. Errors: {@link BadDidError}. */
export function parseMemoDid(text: string): MemoDid {
  const did = findMemoDid(text)
  if (!did) {
    throw new BadDidError(`not a Memo DID: ${text.slice(0, 100)}`, {
      fix: 'A Memo DID is did:memo: followed by 64 hex digits.',
    })
  }
  return did
}

/** DID and fragment of a DID URL; no path or query. Errors: {@link BadDidError}. */
export function parseDidUrl(url: string): { readonly did: MemoDid; readonly fragment: string } {
  const match = DID_URL.exec(url)
  if (!match?.[1] || !match[2]) throw new BadDidError(`not a Memo DID URL: ${url.slice(0, 150)}`)
  return { did: parseMemoDid(match[1]), fragment: match[2] }
}

/** The 64 hex digits of a DID: how contracts name it. */
export function didId(did: MemoDid): string {
  return did.slice('did:memo:'.length)
}

/**
 * The DID that an account makes with its next transaction number: keccak256(address ‖ uvarint(nonce)), as the
 * original's go-did derives it (`spec/did.md` 1). Errors: {@link BadDidError}.
 */
export function deriveMemoDid(address: Address, nonce: number): MemoDid {
  const bytes = findBytesFromHex(address, 20)
  if (!bytes) throw new BadDidError(`not an address: ${address}`)
  if (!Number.isSafeInteger(nonce) || nonce < 0) throw new BadDidError(`not the number of a transaction: ${nonce}`)
  return `did:memo:${hex32(keccak256(concatBytes(bytes, uvarint(nonce))))}`
}
