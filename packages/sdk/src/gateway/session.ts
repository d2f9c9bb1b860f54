import {
  type Clock,
  collectBytes,
  createTurns,
  findBytesFromHex,
  hexFromBytes,
  LEAST_LOGIN_TIMESTAMP,
  loginDigest,
  MemoError,
  type Randomness,
  type Signer,
  type Transport,
  utf8,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { restrictedDigest } from './digests.ts'
import {
  BadGatewayAnswerError,
  errorOfGateway,
  findWanted,
  GatewayError,
  readBigJson,
  readGatewayJson,
  type WantedVoucher,
} from './errors.ts'
import { type SignedVoucher, signVoucher, type VoucherPolicy, voucherRequestFrom } from './vouchers.ts'

/** The fields of a restricted call, as texts (`spec/login.md` 3). */
export type SignedFields = {
  readonly did: string
  readonly token: string
  readonly requestID: string
  readonly signature: string
  readonly payload?: string
  /** A voucher, where the gateway asked for one (`spec/gateway.md` 13). */
  readonly size?: string
  readonly sign?: string
}

export type SessionOptions = {
  /** Base URL of the gateway, without a slash at its end. */
  readonly endpoint: string
  readonly transport: Transport
  readonly did: string
  /** A key of the DID. */
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Randomness
  /** Lets the session sign vouchers by itself; without it, what a gateway asks for is an error. */
  readonly vouchers?: VoucherPolicy | undefined
  /** Told what the gateway warns of: of quota that ends, for people to read. */
  readonly onWarning?: ((text: string) => void) | undefined
}

/** A DID's login at one gateway (`spec/login.md`). */
export type GatewaySession = {
  login(signal?: AbortSignal): Promise<void>
  /** Sends a request that nobody signs. Errors: {@link GatewayError}. */
  send(request: WireRequest): Promise<WireResponse>
  /**
   * Signs a restricted call and sends it; one call at a time, since their numbers must arrive in order. Logs in first
   * where there is no login, and once more when the gateway has forgotten it; signs a voucher where the gateway asks for
   * one and `vouchers` allow it. Errors: {@link GatewayError}, VoucherLimitError.
   */
  call(
    build: (fields: SignedFields) => WireRequest,
    options?: { readonly payload?: Uint8Array; readonly canRepeat?: boolean; readonly signal?: AbortSignal },
  ): Promise<WireResponse>
}

const TOKEN_BYTES = 32
const MAX_ANSWER_BYTES = 65_536
/** Further ahead of our own clock, no gateway takes a login. */
const MAX_AHEAD_SECONDS = 60
/** Sessions of one DID that log in at the same time each move the others on. */
const MAX_LOGINS = 4
/** Other sessions of the same buyer may use up what a voucher was signed for before this one comes to it. */
const MAX_VOUCHERS = 3
const JSON_HEADERS = { 'content-type': 'application/json' }

export function createGatewaySession(options: SessionOptions): GatewaySession {
  const { endpoint, transport, did, signer, clock, random, vouchers, onWarning = () => undefined } = options
  const turn = createTurns()
  let token: Uint8Array | undefined
  let lastTimestamp = 0
  /** undefined: to be asked for. */
  let nextId: number | undefined
  let lastWarning: string | undefined

  const send = async (request: WireRequest): Promise<WireResponse> => {
    const response = await transport(request)
    if (response.status < 200 || response.status >= 300) throw await errorOfGateway(response)
    return response
  }
  /** What the gateway says of the DID's login: its token, its time and the next number. */
  const loginNow = async (signal: AbortSignal | undefined) => {
    const url = `${endpoint}/login?did=${encodeURIComponent(did)}`
    return await readGatewayJson(await send({ method: 'GET', url, headers: {}, signal }), MAX_ANSWER_BYTES)
  }
  /** The earliest time that is later than a login from elsewhere, where that is why `timestamp` was refused. */
  const findLater = async (timestamp: number, thrown: unknown, signal: AbortSignal | undefined) => {
    if (!(thrown instanceof GatewayError) || thrown.status !== 401) return undefined
    const other = Number((await loginNow(signal)).timestamp)
    const isTooLate = other >= Math.floor(clock.nowMs() / 1000) + MAX_AHEAD_SECONDS
    return Number.isSafeInteger(other) && other >= timestamp && !isTooLate ? other + 1 : undefined
  }
  /**
   * A login must be later than the last one of its DID, to the second: where another session of the DID was as quick,
   * this one names the second after it, which gateways take up to a minute ahead (`spec/login.md` 2).
   */
  const login = async (signal: AbortSignal | undefined) => {
    const fresh = random.bytes(TOKEN_BYTES)
    let timestamp = Math.max(Math.floor(clock.nowMs() / 1000), lastTimestamp + 1)
    for (let attempt = 1; ; attempt++) {
      const signature = await sign(signer, loginDigest(did, fresh, timestamp))
      const body = utf8(JSON.stringify({ did, token: hexFromBytes(fresh), timestamp, signature }))
      try {
        const response = await send({ method: 'POST', url: `${endpoint}/login`, headers: JSON_HEADERS, body, signal })
        await collectBytes(response.body, MAX_ANSWER_BYTES)
        break
      } catch (thrown) {
        const later = attempt < MAX_LOGINS ? await findLater(timestamp, thrown, signal) : undefined
        if (later === undefined) throw thrown
        timestamp = later
      }
    }
    token = fresh
    lastTimestamp = timestamp
    nextId = undefined
  }
  /** Learns which number the gateway expects; logs in when its session is not ours. */
  const synchronise = async (signal: AbortSignal | undefined) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      if (!token) await login(signal)
      const answer = await loginNow(signal)
      const bytes = findBytesFromHex(answer.token)
      const id = Number(answer.requestID)
      if (token && bytes && hexFromBytes(bytes) === hexFromBytes(token)) {
        if (!isRequestId(id)) throw new BadGatewayAnswerError('a number that no request may have')
        nextId = id
        return { token, id }
      }
      token = undefined
    }
    throw new BadGatewayAnswerError('a login that it did not keep')
  }
  const signed = async (payload: Uint8Array | undefined, signal: AbortSignal | undefined): Promise<SignedFields> => {
    const session = token && nextId !== undefined ? { token, id: nextId } : await synchronise(signal)
    const signature = await sign(signer, restrictedDigest(did, session.token, session.id, payload))
    const fields = { did, token: hexFromBytes(session.token), requestID: `${session.id}`, signature }
    return payload ? { ...fields, payload: hexFromBytes(payload) } : fields
  }
  const attempt = async ({ build, payload, voucher, signal }: Attempt) => {
    const request = build({ ...(await signed(payload, signal)), ...voucher })
    const id = nextId
    nextId = undefined // unless it is answered, nobody knows whether the number was used up
    const response = await send(request)
    nextId = id === undefined ? undefined : id + 1
    const warning = response.headers['x-memo-warning']
    if (warning !== undefined && warning !== lastWarning) onWarning(warning)
    lastWarning = warning ?? lastWarning
    return response
  }
  /** Once more where the gateway has forgotten the login. */
  const persist = async (call: Attempt, canRepeat: boolean): Promise<WireResponse> => {
    try {
      return await attempt(call)
    } catch (thrown) {
      const isForgotten = thrown instanceof GatewayError && thrown.status === 401
      if (!isForgotten || !canRepeat) throw thrown
      return await attempt(call)
    }
  }
  const ask = async (path: string, signal: AbortSignal | undefined) => {
    const build = (fields: SignedFields) => ({
      method: 'GET',
      url: `${endpoint}${path}`,
      headers: headersOf(fields),
      signal,
    })
    return await readBigJson(await persist({ build, signal }, true), MAX_ANSWER_BYTES)
  }
  const voucherFor = async (policy: VoucherPolicy, { kind, size }: WantedVoucher, signal: AbortSignal | undefined) => {
    const request = voucherRequestFrom(kind, await ask(`/mefs/${kind}hash?size=${size}`, signal))
    const { SizeByte, FreeByte } = await ask(`/mefs/${kind}`, signal)
    if (typeof SizeByte !== 'bigint' || typeof FreeByte !== 'bigint') throw new BadGatewayAnswerError('no quota')
    return await signVoucher(policy, policy.signer ?? signer, request, { size, quota: SizeByte + FreeByte })
  }
  /** Signs for what is stored and was bought for again (`spec/gateway.md` 23). What fails was warned of, and is asked for again. */
  const keepStored = async (response: WireResponse, signal: AbortSignal | undefined) => {
    const wanted = findWanted(response)
    if (!wanted || !vouchers) return
    try {
      const { size, sign: signature } = await voucherFor(vouchers, wanted, signal)
      await ask(`/mefs/${wanted.kind}?size=${size}&sign=${signature}`, signal)
    } catch (thrown) {
      signal?.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown
      onWarning(`what is stored cannot be signed for: ${thrown.message}`)
    }
  }
  return {
    send,
    login: async (signal) => await turn('', async () => await login(signal)),
    async call(build, { payload, canRepeat = true, signal } = {}) {
      return await turn('', async () => {
        let voucher: SignedVoucher | undefined
        for (let asked = 0; ; asked++) {
          try {
            const response = await persist({ build, payload, voucher, signal }, canRepeat)
            await keepStored(response, signal)
            return response
          } catch (thrown) {
            const wanted = thrown instanceof GatewayError ? thrown.wanted : undefined
            if (!wanted || !vouchers || !canRepeat || asked === MAX_VOUCHERS) throw thrown
            voucher = await voucherFor(vouchers, wanted, signal)
          }
        }
      })
    },
  }
}

type Attempt = {
  readonly build: (fields: SignedFields) => WireRequest
  readonly payload?: Uint8Array | undefined
  readonly voucher?: SignedVoucher | undefined
  readonly signal?: AbortSignal | undefined
}

/** The fields where they also stand in browsers, whose GET has no body (`spec/login.md` 6). */
export function headersOf(fields: SignedFields): Record<string, string> {
  return {
    'x-memo-did': fields.did,
    'x-memo-token': fields.token,
    'x-memo-request-id': fields.requestID,
    'x-memo-signature': fields.signature,
    ...(fields.payload === undefined ? {} : { 'x-memo-payload': fields.payload }),
    ...(fields.size === undefined ? {} : { 'x-memo-size': fields.size }),
    ...(fields.sign === undefined ? {} : { 'x-memo-sign': fields.sign }),
  }
}

/** A larger number could be a time: the signature would be a login, which is good elsewhere (`spec/login.md` 5). */
function isRequestId(id: number): boolean {
  return Number.isSafeInteger(id) && id >= 0 && id < LEAST_LOGIN_TIMESTAMP
}

/** A signature as the API wants it: r‖s‖v with v 0 or 1, in hex. */
async function sign(signer: Signer, digest: Uint8Array): Promise<string> {
  const signature = (await signer.signDigest(digest)).slice()
  const v = signature[64] ?? 0
  signature[64] = v >= 27 ? v - 27 : v
  return hexFromBytes(signature)
}
