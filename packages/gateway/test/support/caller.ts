import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import {
  canonicalCid,
  createCidBuilder,
  DEFAULT_CID_PROFILE,
  hexFromBytes,
  keccak256,
  loginDigest,
  type Signer,
} from '@memo/core'
import { restrictedDigest } from '@memo/sdk'

/** The fields of a restricted call, as a client sends them. */
export type SignedFields = {
  readonly did: string
  readonly token: string
  readonly requestID: number
  readonly payload?: string
  readonly signature: string
}

/** Somebody with a DID who speaks to a gateway as the seeds' examples do. */
export type TestCaller = {
  readonly did: string
  readonly token: Uint8Array
  readonly signer: Signer
  /** Of the gateway that is spoken to. */
  baseUrl: string
  /** The number of the next call. */
  nextId: number
  login(nowMs?: number): Promise<Response>
  /** Fields of the next call; counts up. */
  sign(payload?: Uint8Array): Promise<SignedFields>
  /** `GET` with the fields as JSON in the query. */
  get(path: string, init?: RequestInit): Promise<Response>
  upload(content: Uint8Array, options?: UploadOptions): Promise<Response>
}

export type UploadOptions = {
  readonly name?: string
  readonly type?: string
  readonly isPublic?: boolean
  readonly payload?: Uint8Array
  readonly payloadHash?: string
}

export function createCaller(baseUrl: string, did: string, signer: Signer): TestCaller {
  const token = new Uint8Array(randomBytes(12))
  const caller: TestCaller = {
    did,
    token,
    signer,
    baseUrl,
    nextId: 0,
    async login(nowMs = Date.now()) {
      const fields = await loginFields(did, token, Math.floor(nowMs / 1000), signer)
      const answer = await fetch(`${caller.baseUrl}/login`, { method: 'POST', body: JSON.stringify(fields) })
      if (answer.ok) caller.nextId = 0
      return answer
    },
    async sign(payload) {
      const requestID = caller.nextId
      caller.nextId += 1
      return await callFields({ did, token, requestID, signer, ...(payload ? { payload } : {}) })
    },
    async get(path, init = {}) {
      const query = queryOf(await caller.sign())
      return await fetch(`${caller.baseUrl}${path}${path.includes('?') ? '&' : '?'}${query}`, init)
    },
    async upload(content, options = {}) {
      const fields = await caller.sign(options.payload ?? keccak256(content))
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
      if (options.payloadHash !== undefined) form.set('payloadHash', options.payloadHash)
      if (options.isPublic) form.set('public', 'true')
      const type = options.type ?? 'application/octet-stream'
      form.set('file', new Blob([content as Uint8Array<ArrayBuffer>], { type }), options.name ?? 'file.bin')
      return await fetch(`${caller.baseUrl}/mefs/`, { method: 'POST', body: form })
    },
  }
  return caller
}

export async function loginFields(
  did: string,
  token: Uint8Array,
  timestamp: number,
  signer: Signer,
): Promise<Readonly<Record<string, string | number>>> {
  const signature = await signer.signDigest(loginDigest(did, token, timestamp))
  return { did, token: hexFromBytes(token), timestamp, signature: hexFromBytes(signature) }
}

export async function callFields(call: {
  readonly did: string
  readonly token: Uint8Array
  readonly requestID: number
  readonly signer: Signer
  readonly payload?: Uint8Array
}): Promise<SignedFields> {
  const { did, token, requestID, payload, signer } = call
  const signature = await signer.signDigest(restrictedDigest(did, token, requestID, payload))
  return {
    did,
    token: hexFromBytes(token),
    requestID,
    ...(payload ? { payload: hexFromBytes(payload) } : {}),
    signature: hexFromBytes(signature),
  }
}

export function queryOf(fields: object): string {
  return new URLSearchParams(
    Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString()
}

/** An upload, begun up to the first byte of its file; the caller writes the file, the closing boundary, or nothing. */
export async function openUpload(caller: TestCaller, content: Uint8Array): Promise<ClientRequest> {
  const fields = Object.entries(await caller.sign(keccak256(content)))
  const parts = fields.map(
    ([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
  const sent = request(`${caller.baseUrl}/mefs/`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x', expect: '100-continue' },
  })
  sent.on('error', () => undefined) // the tests break it
  sent.flushHeaders()
  await once(sent, 'continue')
  sent.write(parts.join('') + file)
  return sent
}

/** The CID that the network gives to these bytes. */
export function cidOf(content: Uint8Array): string {
  const builder = createCidBuilder(DEFAULT_CID_PROFILE)
  builder.update(content)
  return canonicalCid(builder.finish())
}
