import { primitives } from '#primitives'
import { type Address, findAddress, findBytesFromHex, type Hex, hexFromBytes } from '../bytes/index.ts'
import { BadInputError, MemoError } from '../errors/index.ts'
import { findSignerAddress, type Network, type Signer, type TypedStruct, typedDigest } from '../keys/index.ts'
import type { Clock, Randomness, WireRequest } from '../ports.ts'
import { createUsedNonces, type NonceLimits } from './used-nonces.ts'

/** A request that its sender did not sign, or not for this node, or too early, late or often. */
export class UnauthorizedError extends MemoError {
  override readonly name: string = 'UnauthorizedError'
  constructor(message: string) {
    super(message, { blame: 'user', retry: 'never', fix: 'Check this machine’s clock and key, then sign again.' })
  }
}

/** Body hash of a request whose body streams: what it carries is bound by a later, signed commit. */
const STREAMED: Uint8Array = new Uint8Array(32)
/** How long a signed request is good for. */
export const REQUEST_LIFE_SECONDS = 60
/** Clocks of two nodes may differ by so much. */
const CLOCK_SKEW_SECONDS = 60

const REQUEST_STRUCT: TypedStruct = {
  name: 'Request',
  fields: [
    ['method', 'string'],
    ['path', 'string'],
    ['bodyHash', 'bytes32'],
    ['nonce', 'bytes32'],
    ['expiry', 'uint64'],
    ['audience', 'address'],
  ],
}

export type RequestSigning = {
  readonly network: Network
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Randomness
}

/**
 * Headers that sign a request to node `audience` (`spec/wire.md` 3). `path` is path and query. A body given as
 * bytes is bound by its hash; `'stream'` is not.
 */
export async function signRequest(
  signing: RequestSigning,
  request: { readonly method: string; readonly path: string; readonly body: Uint8Array | 'stream' },
  audience: Address,
): Promise<Record<string, string>> {
  const nonce = signing.random.bytes(32)
  const expiry = Math.floor(signing.clock.nowMs() / 1000) + REQUEST_LIFE_SECONDS
  const bodyHash = request.body === 'stream' ? STREAMED : primitives.sha256(request.body)
  const digest = requestDigest(signing.network, { ...request, bodyHash, nonce, expiry, audience })
  return {
    'memo-account': signing.signer.address,
    'memo-nonce': hexFromBytes(nonce),
    'memo-expiry': `${expiry}`,
    'memo-signature': hexFromBytes(await signing.signer.signDigest(digest)),
  }
}

/** What makes a signed request one of its kind, until it expires. */
export type UsedNonce = {
  /** 32 bytes, as 0x and hex digits. */
  readonly nonce: Hex
  /** Unix seconds. */
  readonly expiry: number
}

/** Checks signed requests to one node and remembers their nonces. */
export type RequestVerifier = {
  /** The account that signed; `body` as in {@link signRequest}. Errors: {@link UnauthorizedError}, TooManyRequestsError. */
  verify(request: WireRequest, body: Uint8Array | 'stream'): Address
  /** Refuses a nonce that was used before a restart. */
  remember(used: UsedNonce): void
}

export function createRequestVerifier(options: {
  readonly network: Network
  readonly audience: Address
  readonly clock: Clock
  readonly limits?: NonceLimits | undefined
}): RequestVerifier {
  const seen = createUsedNonces(options.limits)
  let sweptAt = 0
  return {
    verify(request, body) {
      const now = Math.floor(options.clock.nowMs() / 1000)
      const { account, nonce, expiry, signature } = readHeaders(request)
      if (expiry <= now) throw new UnauthorizedError('the signed request has expired')
      if (expiry > now + REQUEST_LIFE_SECONDS + CLOCK_SKEW_SECONDS) {
        throw new UnauthorizedError('the signed request expires too far ahead')
      }
      const key = hexFromBytes(nonce)
      if (seen.has(key)) throw new UnauthorizedError('the signed request was used before')
      const bodyHash = body === 'stream' ? STREAMED : primitives.sha256(body)
      const parts = { method: request.method, path: request.url, bodyHash, nonce, expiry, audience: options.audience }
      if (findSignerAddress(requestDigest(options.network, parts), signature) !== account) {
        throw new UnauthorizedError('the signature is not over this request by this account for this node')
      }
      // Kept for a while beyond its expiry: the clock may be set back.
      if (now !== sweptAt) seen.forgetBefore(now - CLOCK_SKEW_SECONDS + 1)
      sweptAt = now
      seen.add(key, expiry, account)
      return account
    },
    remember: ({ nonce, expiry }) => seen.restore(nonce, expiry),
  }
}

function readHeaders(request: WireRequest) {
  const account = findAddress(request.headers['memo-account'])
  const nonce = findBytesFromHex(request.headers['memo-nonce'], 32)
  const signature = findBytesFromHex(request.headers['memo-signature'], 65)
  const expiry = Number(request.headers['memo-expiry'])
  if (!account || !nonce || !signature || !Number.isSafeInteger(expiry)) {
    throw new UnauthorizedError('the request is not signed')
  }
  return { account, nonce, signature, expiry }
}

function requestDigest(
  network: Network,
  parts: {
    readonly method: string
    readonly path: string
    readonly bodyHash: Uint8Array
    readonly nonce: Uint8Array
    readonly expiry: number
    readonly audience: Address
  },
): Uint8Array {
  const { method, path, bodyHash, nonce, expiry, audience } = parts
  return typedDigest(network, REQUEST_STRUCT, { method, path, bodyHash, nonce, expiry, audience })
}

/** The nonce of a request that was verified. */
export function usedNonceOf(request: WireRequest): UsedNonce {
  const { nonce, expiry } = readHeaders(request)
  return { nonce: hexFromBytes(nonce), expiry }
}

/** Whether a request with this nonce would be refused for its age alone. */
export function isForgettable({ expiry }: UsedNonce, clock: Clock): boolean {
  return expiry + CLOCK_SKEW_SECONDS <= Math.floor(clock.nowMs() / 1000)
}

/** Path and query of an absolute URL, as they are signed. Errors: {@link BadInputError}. */
export function pathOf(url: string): string {
  const match = /^[a-z]+:\/\/[^/]+(\/.*)$/.exec(url)
  if (!match?.[1]) throw new BadInputError(`not an absolute URL: ${url}`)
  return match[1]
}
