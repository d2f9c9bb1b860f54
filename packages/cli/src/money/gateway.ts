import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Address,
  type ByteStream,
  collectBytes,
  createKeySigner,
  findAddress,
  hexFromBytes,
  loginDigest,
  MemoError,
  type Network,
  parseJson,
  type Signer,
  signRequest,
  type Transport,
  textFromUtf8,
  utf8,
} from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { BadGatewayAnswerError, GatewayError, restrictedDigest } from '@memo/sdk'

/** A DID's login for a few calls; its numbers begin anew, so none is taken from the gateway. */
export type Login = { readonly did: string; readonly token: Uint8Array; readonly key: Signer; nextId: number }

/** Who signs a call: nobody, a DID by a restricted call (`spec/login.md` 3), or an account (`spec/wire.md` 3). */
export type CallSigner = undefined | Login | { readonly network: Network; readonly secretKey: Uint8Array }

type Fields = Readonly<Record<string, unknown>>

/** One call of a gateway with JSON both ways. */
export type GatewayCall = {
  readonly method: 'GET' | 'POST'
  /** Path and query. */
  readonly path: string
  readonly body?: Fields
  readonly signer?: CallSigner
  readonly signal: AbortSignal
}

const TOKEN_BYTES = 32
/** The first number that a session takes. */
const FIRST_REQUEST_ID = 1
const MAX_LOGINS = 3
const SECOND_MS = 1_000
const MAX_ANSWER_BYTES = 4_194_304
const JSON_TYPE = 'application/json'
/** From here on it is the gateway that failed, but for these, which speak of the call (`spec/gateway.md` 8). */
const GATEWAY_FAULT = 500
const CALLERS_CODES: readonly number[] = [516, 517, 518, 519, 526]

/** Calls the gateway at `endpoint`. Errors: GatewayError, BadGatewayAnswerError, UnreachableError. */
export async function callGateway(endpoint: string, call: GatewayCall): Promise<Fields> {
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    return await send(transport, endpoint, call)
  } finally {
    await close()
  }
}

/** The account of a gateway, as it says itself. Errors: GatewayError, BadGatewayAnswerError, UnreachableError. */
export async function accountOf(endpoint: string, signal: AbortSignal): Promise<Address> {
  const { account } = await callGateway(endpoint, { method: 'GET', path: '/info', signal })
  const address = findAddress(account)
  if (!address) throw new BadGatewayAnswerError('no account of its own')
  return address
}

async function send(transport: Transport, endpoint: string, call: GatewayCall): Promise<Fields> {
  const { method, path, signal } = call
  const body = call.body && utf8(JSON.stringify(call.body))
  const signature = await sign(endpoint, { ...call, bytes: body ?? new Uint8Array(0) })
  const headers = { ...(body ? { 'content-type': JSON_TYPE } : {}), ...signature }
  const { status, body: answer } = await transport({ method, url: `${endpoint}${path}`, headers, body, signal })
  const bytes = await readAnswer(answer)
  if (status < 200 || status >= 300) throw errorOf(status, bytes)
  return objectFrom(bytes) ?? {}
}

/** Errors: BadGatewayAnswerError for more than any answer says. */
async function readAnswer(body: ByteStream): Promise<Uint8Array> {
  try {
    return await collectBytes(body, MAX_ANSWER_BYTES)
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown
    throw new BadGatewayAnswerError(`more than ${MAX_ANSWER_BYTES} bytes`, thrown)
  }
}

async function sign(
  endpoint: string,
  { method, path, signer, signal, bytes }: GatewayCall & { readonly bytes: Uint8Array },
): Promise<Readonly<Record<string, string>>> {
  if (!signer) return {}
  if ('token' in signer) return await restrictedHeaders(signer)
  const key = createKeySigner(signer.secretKey)
  const audience = await accountOf(endpoint, signal)
  const signing = { network: signer.network, signer: key, clock: createSystemClock(), random: createSystemRandomness() }
  return await signRequest(signing, { method, path, body: bytes }, audience)
}

/**
 * Logs a DID in at a gateway. A login must be later than the last one of its DID, to the second: commands that follow each
 * other closely wait for the next one. Errors: GatewayError, UnreachableError.
 */
export async function logIn(
  endpoint: string,
  { did, secretKey, signal }: { readonly did: string; readonly secretKey: Uint8Array; readonly signal: AbortSignal },
): Promise<Login> {
  const key = createKeySigner(secretKey)
  const token = createSystemRandomness().bytes(TOKEN_BYTES)
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    for (let attempt = 1; ; attempt++) {
      const timestamp = Math.floor(createSystemClock().nowMs() / 1_000)
      const signature = await signatureOf(key, loginDigest(did, token, timestamp))
      const body = utf8(JSON.stringify({ did, token: hexFromBytes(token), timestamp, signature }))
      const headers = { 'content-type': JSON_TYPE }
      const response = await transport({ method: 'POST', url: `${endpoint}/login`, headers, body, signal })
      const answer = await readAnswer(response.body)
      if (response.status === 200) return { did, token, key, nextId: FIRST_REQUEST_ID }
      if (response.status !== 401 || attempt === MAX_LOGINS) throw errorOf(response.status, answer)
      await sleep(SECOND_MS, undefined, { signal })
    }
  } finally {
    await close()
  }
}

async function restrictedHeaders(login: Login): Promise<Readonly<Record<string, string>>> {
  const { did, token, key } = login
  const id = login.nextId++
  return {
    'x-memo-did': did,
    'x-memo-token': hexFromBytes(token),
    'x-memo-request-id': `${id}`,
    'x-memo-signature': await signatureOf(key, restrictedDigest(did, token, id)),
  }
}

/** As the API wants it: v 0 or 1. */
async function signatureOf(key: Signer, digest: Uint8Array): Promise<string> {
  const signature = await key.signDigest(digest)
  signature[64] = (signature[64] ?? 27) - 27
  return hexFromBytes(signature)
}

function errorOf(status: number, bytes: Uint8Array): MemoError {
  const plain = objectFrom(bytes)
  const told = [plain?.Description, plain?.error].find((value) => typeof value === 'string')
  const isCallers = status < GATEWAY_FAULT || CALLERS_CODES.includes(status)
  return new GatewayError(
    status,
    `${told ?? (safeText(bytes).slice(0, 200) || 'nothing more')}`,
    isCallers ? 'never' : 'later',
  )
}

function objectFrom(bytes: Uint8Array): Fields | undefined {
  try {
    const value = parseJson(bytes)
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined
  } catch (error) {
    if (error instanceof MemoError) return undefined // the API also answers with plain text
    throw error
  }
}

function safeText(bytes: Uint8Array): string {
  try {
    return textFromUtf8(bytes)
  } catch {
    return '' // the status alone says enough
  }
}
