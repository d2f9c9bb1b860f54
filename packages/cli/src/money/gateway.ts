import { type Address, createKeySigner, findAddress, type Network, signRequest, utf8 } from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { BadGatewayAnswerError, errorOfGateway, readGatewayJson } from '@memo/sdk'

type Fields = Readonly<Record<string, unknown>>

/** One call of a gateway with JSON both ways. */
export type GatewayCall = {
  readonly method: 'GET' | 'POST'
  /** Path and query. */
  readonly path: string
  readonly body?: Fields
  /** The account that signs the call (`spec/wire.md` 3); unlike a login, this ends no session of its DID. */
  readonly signer?: { readonly network: Network; readonly secretKey: Uint8Array }
  readonly signal: AbortSignal
}

const MAX_ANSWER_BYTES = 4_194_304
const JSON_HEADERS = { 'content-type': 'application/json' }

/** Calls the gateway at `endpoint`. Errors: GatewayError, BadGatewayAnswerError, UnreachableError. */
export async function callGateway(endpoint: string, call: GatewayCall): Promise<Fields> {
  const { method, path, signal } = call
  const body = call.body && utf8(JSON.stringify(call.body))
  const headers = { ...(body ? JSON_HEADERS : {}), ...(await signatureOf(endpoint, call, body)) }
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    const response = await transport({ method, url: `${endpoint}${path}`, headers, body, signal })
    if (response.status < 200 || response.status >= 300) throw await errorOfGateway(response)
    return await readGatewayJson(response, MAX_ANSWER_BYTES)
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

async function signatureOf(
  endpoint: string,
  { method, path, signer, signal }: GatewayCall,
  body: Uint8Array = new Uint8Array(0),
): Promise<Readonly<Record<string, string>>> {
  if (!signer) return {}
  const { network, secretKey } = signer
  const audience = await accountOf(endpoint, signal)
  const ports = { clock: createSystemClock(), random: createSystemRandomness() }
  return await signRequest({ network, signer: createKeySigner(secretKey), ...ports }, { method, path, body }, audience)
}
