import {
  addressFromPublicKey,
  type Chain,
  type Clock,
  compressPublicKey,
  createTurns,
  equalBytes,
  findBytesFromHex,
  findSignerKey,
  hexFromBytes,
  type IndexStore,
  LEAST_LOGIN_TIMESTAMP,
  type LoginEvidence,
  loginDigest,
  textFromUtf8,
  utf8,
} from '@memo/core'
import { findMemoDid, type MemoDid } from '@memo/did'
import { restrictedDigest } from '@memo/sdk'
import { LoginRefusedError, MISSING } from '../errors.ts'
import { type AuthFields, findCount, findToken } from './fields.ts'
import { isKeyOf } from './keys.ts'

const TIMED_OUT = 'the request has timed out, please log in within one minute'
const NOT_NEWER = 'the current request is later than the latest request'
const NO_SESSION = 'cannot find session, please log in first'
const OTHER_TOKEN = "can't match the token, please check your input or log in again"
const NOT_SEQUENTIAL = 'not a sequential request'

const LOGIN_WINDOW_SECONDS = 60

/** A DID that has logged in. */
export type Session = {
  readonly did: MemoDid
  readonly token: Uint8Array
  /** Unix seconds of the login. */
  readonly timestamp: number
  readonly signature: Uint8Array
  /** Compressed key that signed the login. */
  readonly publicKey: Uint8Array
  /** The number that the next call must carry; undefined before the first, which may be 0 or 1. */
  readonly nextRequestId: number | undefined
}

/** A verified restricted call. */
export type Caller = {
  readonly did: MemoDid
  readonly session: Session
  /** The 32 bytes that the call signed as its payload. */
  readonly payload: Uint8Array | undefined
}

/** Logins and the calls that follow them. */
export type Sessions = {
  /** Takes a login. Errors: {@link LoginRefusedError}. */
  login(fields: AuthFields & { readonly timestamp?: string }): Promise<Session>
  find(did: string): Promise<Session | undefined>
  /** Verifies a restricted call and uses its number up. Errors: {@link LoginRefusedError}. */
  authenticate(fields: AuthFields): Promise<Caller>
}

/** Sessions over a durable store, so that a restart neither loses nor replays one. */
export function createSessions(ports: {
  readonly chain: Chain
  readonly clock: Clock
  readonly store: IndexStore
}): Sessions {
  const { chain, clock, store } = ports
  const inTurn = createTurns()

  const find = async (did: string): Promise<Session | undefined> => {
    const canonical = findMemoDid(did)
    const record = canonical && (await store.get(keyOf(canonical)))
    return canonical && record ? decodeSession(canonical, record) : undefined
  }
  const save = async (session: Session) => {
    await store.apply([{ key: keyOf(session.did), value: encodeSession(session) }])
  }
  const signerOf = async (did: MemoDid, digest: Uint8Array, signature: Uint8Array, refusal: string) => {
    const publicKey = findSignerKey(digest, signature)
    const isKey = publicKey && (await isKeyOf(chain, did, addressFromPublicKey(publicKey)))
    if (!publicKey || !isKey) throw new LoginRefusedError(refusal)
    return compressPublicKey(publicKey)
  }

  return {
    find,
    login: async (fields) => {
      const text = fields.did ?? ''
      const did = findMemoDid(text)
      const token = findToken(fields.token)
      const timestamp = findCount(fields.timestamp)
      const signature = findBytesFromHex(fields.signature, 65)
      // The signed text goes to keepers as evidence, so only the canonical spelling may be signed.
      const isComplete = did === text && token && timestamp !== undefined && signature
      if (!did || !isComplete) throw new LoginRefusedError(MISSING)
      const now = Math.floor(clock.nowMs() / 1000)
      if (Math.abs(now - timestamp) > LOGIN_WINDOW_SECONDS || timestamp < LEAST_LOGIN_TIMESTAMP) {
        throw new LoginRefusedError(TIMED_OUT)
      }
      const publicKey = await signerOf(did, loginDigest(text, token, timestamp), signature, `can't log in as ${text}`)
      return await inTurn(did, async () => {
        const last = await find(did)
        if (last && timestamp <= last.timestamp) throw new LoginRefusedError(NOT_NEWER)
        const session = { did, token, timestamp, signature, publicKey, nextRequestId: undefined }
        await save(session)
        return session
      })
    },
    authenticate: async (fields) => {
      const text = fields.did ?? ''
      const did = findMemoDid(text)
      const token = findToken(fields.token)
      const requestId = findCount(fields.requestID)
      const signature = findBytesFromHex(fields.signature, 65)
      const payload = fields.payload === undefined ? undefined : findBytesFromHex(fields.payload, 32)
      const isComplete = did && token && requestId !== undefined && signature
      if (!isComplete || (fields.payload !== undefined && !payload)) throw new LoginRefusedError(MISSING)
      return await inTurn(did, async () => {
        const session = await find(did)
        if (!session) throw new LoginRefusedError(NO_SESSION)
        if (!equalBytes(session.token, token)) throw new LoginRefusedError(OTHER_TOKEN)
        if (!isNext(session, requestId)) throw new LoginRefusedError(NOT_SEQUENTIAL)
        const digest = restrictedDigest(text, token, requestId, payload)
        await signerOf(did, digest, signature, `failed to verify identity: ${text}`)
        const used = { ...session, nextRequestId: requestId + 1 }
        await save(used)
        return { did, session: used, payload }
      })
    },
  }
}

/** The login as a gateway shows it to keepers (`spec/objects.md` 7). */
export function evidenceOf(session: Session): LoginEvidence {
  return { token: session.token, timestamp: session.timestamp, signature: session.signature }
}

function isNext(session: Session, requestId: number): boolean {
  if (requestId >= LEAST_LOGIN_TIMESTAMP) return false
  return session.nextRequestId === undefined ? requestId <= 1 : requestId === session.nextRequestId
}

function keyOf(did: MemoDid): string {
  return `session/${did}`
}

function encodeSession(session: Session): Uint8Array {
  const { token, timestamp, signature, publicKey, nextRequestId } = session
  return utf8(
    JSON.stringify({
      token: hexFromBytes(token),
      timestamp,
      signature: hexFromBytes(signature),
      publicKey: hexFromBytes(publicKey),
      nextRequestId,
    }),
  )
}

/** The store holds what {@link encodeSession} wrote, so its fields are trusted. */
function decodeSession(did: MemoDid, record: Uint8Array): Session {
  const plain = JSON.parse(textFromUtf8(record)) as Record<string, string> & { timestamp: number }
  const nextRequestId = (plain as { nextRequestId?: number }).nextRequestId
  const bytes = (name: string) => findBytesFromHex(plain[name]) ?? new Uint8Array(0)
  return {
    did,
    token: bytes('token'),
    timestamp: plain.timestamp,
    signature: bytes('signature'),
    publicKey: bytes('publicKey'),
    nextRequestId,
  }
}
