import {
  BadInputError,
  type ByteSource,
  type ByteStream,
  type CidProfileName,
  canonicalCid,
  createCidBuilder,
  DEFAULT_CID_PROFILE,
  digestFromCid,
  equalBytes,
  hex32,
} from '@memo/core'
import { CidMismatchError } from '../errors.ts'
import { abortableStream } from '../flow/abortable.ts'
import { BadGatewayAnswerError, readBigJson, readGatewayJson } from './errors.ts'
import { multipartForm } from './multipart.ts'
import { createGatewaySession, headersOf, type SessionOptions, type SignedFields } from './session.ts'
import type { GatewayQuotaKind } from './vouchers.ts'

/** An object as a gateway lists it. */
export type GatewayObject = {
  readonly id: number
  readonly name: string
  readonly sizeBytes: number
  readonly cid: string
  readonly isPublic: boolean
  /** As the gateway writes it (RFC 3339). */
  readonly modifiedAt: string
  /** When it goes if nobody does anything more, in seconds since 1970; 0 where that is not known (`spec/gateway.md` 18). */
  readonly expiresAt: number
}

export type GatewayUploadOptions = {
  readonly name: string
  readonly contentType?: string | undefined
  readonly isPublic?: boolean | undefined
  /** Keccak-256, SHA-256 or CID digest of the file; needed only where the source can be read but once. */
  readonly payload?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

export type GatewayDownloadOptions = {
  /** Bytes `[offset, offset + length)`; all where nothing is said. */
  readonly range?: { readonly offset: number; readonly length: number } | undefined
  /** Ask without signing: for public objects. */
  readonly isPublic?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export type GatewayDownload = {
  /** Bytes that `body` gives. */
  readonly sizeBytes: number
  readonly contentType: string
  /** Rejects at its end with {@link CidMismatchError} when a whole object has another CID. */
  readonly body: ByteStream
}

/** What a DID's owner has of space or traffic, as the gateway says (`spec/gateway.md` 16). */
export type GatewayQuota = {
  readonly nonce: bigint
  readonly balanceAtto: bigint
  /** Bought and not cashed. */
  readonly sizeByte: bigint
  /** Granted and not cashed. */
  readonly freeByte: bigint
  /** Seconds since 1970. */
  readonly expire: bigint
  /** Used under the nonce. */
  readonly usedBytes: bigint
  /** What the best voucher is over. */
  readonly signedBytes: bigint
  readonly trialBytes: bigint
  readonly trialUsedBytes: bigint
}

type CallOptions = { readonly signal?: AbortSignal | undefined }

/** What an application asks of a gateway (`spec/gateway.md`). Restricted calls take turns. */
export type GatewayClient = {
  /** Logs in anew; calls that need a login do it by themselves. */
  login(options?: CallOptions): Promise<void>
  /**
   * Stores a file; resolves when it is durable. A source is read twice, for its hash and for its bytes: give bytes, or a
   * function that opens it; a stream needs `payload`. Errors: GatewayError, CidMismatchError.
   */
  upload(
    source: Uint8Array | ByteStream | (() => ByteStream),
    options: GatewayUploadOptions,
  ): Promise<{ readonly cid: string }>
  download(cid: string, options?: GatewayDownloadOptions): Promise<GatewayDownload>
  list(options?: CallOptions): Promise<readonly GatewayObject[]>
  /** Deletes an object by the `id` that it is listed with. */
  remove(id: number, options?: CallOptions): Promise<void>
  /** What the gateway says of itself and its network. */
  info(options?: CallOptions): Promise<Readonly<Record<string, unknown>>>
  quota(kind: GatewayQuotaKind, options?: CallOptions): Promise<GatewayQuota>
  /** Pieces of an object by provider. */
  status(cid: string, options?: CallOptions): Promise<unknown>
}

export type GatewayClientOptions = SessionOptions & {
  /** How the gateway builds CIDs. */
  readonly cidProfile?: CidProfileName | undefined
}

/** A list of objects, or of the pieces of one. */
const MAX_JSON_BYTES = 268_435_456
const MAX_FACTS_BYTES = 65_536
const BOUNDARY_BYTES = 16
const DEFAULT_TYPE = 'application/octet-stream'

/** A client of the gateway at `endpoint` for one DID (`spec/sdk.md` 13). */
export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  const { endpoint, random, cidProfile = DEFAULT_CID_PROFILE } = options
  const session = createGatewaySession(options)
  const get = (path: string, signal: AbortSignal | undefined, headers: Readonly<Record<string, string>> = {}) => ({
    method: 'GET',
    url: `${endpoint}${path}`,
    headers,
    signal,
  })
  const restricted = async (path: string, signal: AbortSignal | undefined, headers = {}) =>
    await session.call((fields) => get(path, signal, { ...headers, ...headersOf(fields) }), signal ? { signal } : {})

  return {
    login: async ({ signal } = {}) => await session.login(signal),
    async upload(source, upload) {
      const { name, contentType = DEFAULT_TYPE, isPublic = false, payload, signal } = upload
      const isStream = !(source instanceof Uint8Array) && typeof source !== 'function'
      if (isStream && !payload) throw new BadInputError('a stream is uploaded with the hash of its bytes as payload')
      const live = signal ?? new AbortController().signal
      const open = () => abortableStream(typeof source === 'function' ? source() : (source as ByteSource), live)
      const { cid: expected, sizeBytes } = payload
        ? { cid: undefined, sizeBytes: undefined }
        : await describe(open(), cidProfile)
      const digest = payload ?? digestFromCid(expected ?? '')
      const build = (fields: SignedFields) => {
        const boundary = `memo-${hex32(random.bytes(BOUNDARY_BYTES))}`
        const texts = { ...fields, name, public: `${isPublic}`, ...(expected ? { payloadHash: 'cid' } : {}) }
        const form = multipartForm(boundary, texts, { name, contentType, bytes: open() })
        // Announced, so that what is too large is refused before it is sent.
        const length = sizeBytes === undefined ? {} : { 'x-memo-length': `${sizeBytes}` }
        const headers = { 'content-type': form.contentType, ...length }
        return { method: 'POST', url: `${endpoint}/mefs/`, headers, body: form.body, signal }
      }
      const response = await session.call(build, {
        payload: digest,
        canRepeat: !isStream,
        ...(signal ? { signal } : {}),
      })
      const { cid } = await readGatewayJson(response, MAX_FACTS_BYTES)
      if (typeof cid !== 'string') throw new BadGatewayAnswerError('an upload without a CID')
      if (expected && !equalBytes(digestFromCid(cid), digest)) throw new CidMismatchError(expected, cid)
      return { cid }
    },
    async download(text, { range, isPublic = false, signal } = {}) {
      const cid = canonicalCid(text)
      const headers = range ? { range: `bytes=${range.offset}-${range.offset + range.length - 1}` } : {}
      const path = `/mefs/${cid}`
      const response = isPublic
        ? await session.send(get(path, signal, headers))
        : await restricted(path, signal, headers)
      const sizeBytes = Number(response.headers['content-length'])
      if (!Number.isSafeInteger(sizeBytes)) throw new BadGatewayAnswerError('a file without its length')
      if (range && response.status !== 206) throw new BadGatewayAnswerError('a whole file where a range was asked for')
      const body = checkedBody(response.body, { sizeBytes, cid: range ? undefined : cid, cidProfile })
      return { sizeBytes, contentType: response.headers['content-type'] ?? DEFAULT_TYPE, body }
    },
    async list({ signal } = {}) {
      const { Objects } = await readGatewayJson(await restricted('/mefs/listobjects', signal), MAX_JSON_BYTES)
      if (Objects === null) return []
      if (!Array.isArray(Objects)) throw new BadGatewayAnswerError('no list of objects')
      return Objects.map(objectFromJson)
    },
    async remove(id, { signal } = {}) {
      await readGatewayJson(await restricted(`/mefs/delete?id=${id}`, signal), MAX_FACTS_BYTES)
    },
    info: async ({ signal } = {}) => await readGatewayJson(await session.send(get('/info', signal)), MAX_FACTS_BYTES),
    async quota(kind, { signal } = {}) {
      return quotaFromJson(await readBigJson(await restricted(`/mefs/${kind}`, signal), MAX_FACTS_BYTES))
    },
    status: async (cid, { signal } = {}) =>
      await readGatewayJson(await restricted(`/mefs/status/${canonicalCid(cid)}`, signal), MAX_JSON_BYTES),
  }
}

async function describe(
  stream: ByteStream,
  profile: CidProfileName,
): Promise<{ readonly cid: string; readonly sizeBytes: number }> {
  const builder = createCidBuilder(profile)
  let sizeBytes = 0
  for await (const bytes of stream) {
    sizeBytes += bytes.length
    builder.update(bytes)
  }
  return { cid: builder.finish(), sizeBytes }
}

/** A body that is as long as it was said to be and, where a CID is given, has that CID. */
async function* checkedBody(
  body: ByteStream,
  expected: { readonly sizeBytes: number; readonly cid: string | undefined; readonly cidProfile: CidProfileName },
): AsyncGenerator<Uint8Array> {
  const builder = expected.cid === undefined ? undefined : createCidBuilder(expected.cidProfile)
  let length = 0
  for await (const bytes of body) {
    length += bytes.length
    builder?.update(bytes)
    yield bytes
  }
  if (length !== expected.sizeBytes) {
    throw new BadGatewayAnswerError(`${length} bytes where it had announced ${expected.sizeBytes}`)
  }
  const actual = builder?.finish()
  if (expected.cid !== undefined && actual !== undefined && actual !== expected.cid) {
    throw new CidMismatchError(expected.cid, actual)
  }
}

function objectFromJson(plain: unknown): GatewayObject {
  const { ID, Name, Size, Cid, Mid, Public, ModTime, Expire } = (plain ?? {}) as Record<string, unknown>
  const cid = Cid ?? Mid
  if (typeof ID !== 'number' || typeof Name !== 'string' || typeof Size !== 'number' || typeof cid !== 'string') {
    throw new BadGatewayAnswerError('a list with a malformed object')
  }
  const expiresAt = typeof Expire === 'number' ? Expire : 0
  const facts = { isPublic: Public === true, modifiedAt: String(ModTime ?? ''), expiresAt }
  return { id: ID, name: Name, sizeBytes: Size, cid, ...facts }
}

function quotaFromJson(plain: Readonly<Record<string, unknown>>): GatewayQuota {
  const number = (name: string): bigint => {
    const value = plain[name]
    if (typeof value !== 'bigint') throw new BadGatewayAnswerError(`a quota without ${name}`)
    return value
  }
  return {
    nonce: number('Nonce'),
    balanceAtto: number('Balance'),
    sizeByte: number('SizeByte'),
    freeByte: number('FreeByte'),
    expire: number('Expire'),
    usedBytes: number('Used'),
    signedBytes: number('Signed'),
    trialBytes: number('TrialByte'),
    trialUsedBytes: number('TrialUsed'),
  }
}
