import {
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
import {
  BadGatewayAnswerError,
  createGatewayClient,
  type GatewayClient,
  GatewayError,
  restrictedDigest,
} from '@memo/sdk'

/** A client of the gateway at `endpoint` for a DID, closed after `use`. */
export async function withGateway<T>(
  endpoint: string,
  { did, signer }: { readonly did: string; readonly signer: Signer },
  use: (client: GatewayClient) => Promise<T>,
): Promise<T> {
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    const clock = createSystemClock()
    const random = createSystemRandomness()
    return await use(createGatewayClient({ endpoint, transport, did, signer, clock, random }))
  } finally {
    await close()
  }
}

/** Who signs a call: nobody, a DID by a restricted call (`spec/login.md` 3), or an account (`spec/wire.md` 3). */
export type CallSigner =
  | undefined
  | { readonly did: string; readonly secretKey: Uint8Array }
  | { readonly network: Network; readonly secretKey: Uint8Array }

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
/** Commands that follow each other closely log in within one second. */
const MAX_SECONDS_AHEAD = 5
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

async function send(transport: Transport, endpoint: string, call: GatewayCall): Promise<Fields> {
  const { method, path, signal } = call
  const body = call.body && utf8(JSON.stringify(call.body))
  const signature = await sign(transport, endpoint, { ...call, bytes: body ?? new Uint8Array(0) })
  const headers = { ...(body ? { 'content-type': JSON_TYPE } : {}), ...signature }
  const { status, body: answer } = await transport({ method, url: `${endpoint}${path}`, headers, body, signal })
  const bytes = await collectBytes(answer, MAX_ANSWER_BYTES)
  if (status < 200 || status >= 300) throw errorOf(status, bytes)
  return objectFrom(bytes) ?? {}
}

async function sign(
  transport: Transport,
  endpoint: string,
  { method, path, signer, signal, bytes }: GatewayCall & { readonly bytes: Uint8Array },
): Promise<Readonly<Record<string, string>>> {
  if (!signer) return {}
  const key = createKeySigner(signer.secretKey)
  if ('did' in signer) return await logIn(transport, endpoint, { did: signer.did, key, signal })
  const { account } = await send(transport, endpoint, { method: 'GET', path: '/info', signal })
  const audience = findAddress(account)
  if (!audience) throw new BadGatewayAnswerError('no account of its own')
  const signing = { network: signer.network, signer: key, clock: createSystemClock(), random: createSystemRandomness() }
  return await signRequest(signing, { method, path, body: bytes }, audience)
}

/**
 * A login of its own for one call: its numbers begin anew, so none is taken from the gateway. A login must be later than the
 * last one of the DID, to the second, and may lie ahead a little.
 */
async function logIn(
  transport: Transport,
  endpoint: string,
  { did, key, signal }: { readonly did: string; readonly key: Signer; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, string>>> {
  const token = createSystemRandomness().bytes(TOKEN_BYTES)
  const headers = { 'content-type': JSON_TYPE }
  const nowSeconds = Math.floor(createSystemClock().nowMs() / 1_000)
  for (let ahead = 0; ; ahead++) {
    const timestamp = nowSeconds + ahead
    const signature = await signatureOf(key, loginDigest(did, token, timestamp))
    const body = utf8(JSON.stringify({ did, token: hexFromBytes(token), timestamp, signature }))
    const response = await transport({ method: 'POST', url: `${endpoint}/login`, headers, body, signal })
    const answer = await collectBytes(response.body, MAX_ANSWER_BYTES)
    if (response.status === 200) break
    if (response.status !== 401 || ahead === MAX_SECONDS_AHEAD) throw errorOf(response.status, answer)
  }
  return {
    'x-memo-did': did,
    'x-memo-token': hexFromBytes(token),
    'x-memo-request-id': `${FIRST_REQUEST_ID}`,
    'x-memo-signature': await signatureOf(key, restrictedDigest(did, token, FIRST_REQUEST_ID)),
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
