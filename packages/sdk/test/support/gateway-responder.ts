import {
  bytesResponse,
  type Clock,
  collectBytes,
  createCidBuilder,
  digestFromCid,
  equalBytes,
  findBytesFromHex,
  findSignerAddress,
  type Handler,
  jsonResponse,
  loginDigest,
  parseJson,
  type Signer,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { restrictedDigest } from '@memo/sdk'

/** The gateway's side of `spec/login.md` and of what `spec/gateway.md` 3 to 6 answer, for one DID. */
export type GatewayResponder = {
  readonly handler: Handler
  readonly log: string[]
  readonly files: Map<string, { readonly name: string; readonly bytes: Uint8Array; readonly isPublic: boolean }>
  /** As after a restart without a store. */
  forget(): void
  /** Called before every answer; what it returns is answered instead. */
  intercept: ((request: WireRequest) => WireResponse | undefined) | undefined
}

type Fields = Record<string, string | undefined>

export function createGatewayResponder(did: string, owner: Signer, clock: Clock): GatewayResponder {
  const log: string[] = []
  const files: GatewayResponder['files'] = new Map()
  let session: { token: string; timestamp: number; next: number } | undefined

  const refuse = (text: string) => jsonResponse(401, { error: text })
  const bytesOf = (text: string | undefined) => findBytesFromHex(text) ?? new Uint8Array(0)
  const login = async (request: WireRequest) => {
    const fields = parseJson(await collectBytes(request.body ?? [], 65_536)) as Fields & { timestamp: number }
    const now = Math.floor(clock.nowMs() / 1000)
    const digest = loginDigest(did, bytesOf(fields.token), fields.timestamp)
    const signature = bytesOf(fields.signature)
    const isOwner = findSignerAddress(digest, signature) === owner.address && (signature[64] ?? 9) < 2
    if (fields.did !== did || !isOwner) return refuse(`can't log in as ${fields.did}`)
    if (Math.abs(now - fields.timestamp) >= 60)
      return refuse('the request has timed out, please log in within one minute')
    if (session && fields.timestamp <= session.timestamp) {
      return refuse('the current request is later than the latest request')
    }
    session = { token: fields.token ?? '', timestamp: fields.timestamp, next: 0 }
    return bytesResponse(200, new TextEncoder().encode('Login success!'), 'text/plain')
  }
  const check = (fields: Fields): string | undefined => {
    if (!session) return 'cannot find session, please log in first'
    if (fields.token !== session.token) return "can't match the token, please check your input or log in again"
    if (Number(fields.requestID) !== session.next) return 'not a sequential request'
    const payload = fields.payload === undefined ? undefined : bytesOf(fields.payload)
    const digest = restrictedDigest(fields.did ?? '', bytesOf(fields.token), Number(fields.requestID), payload)
    if (findSignerAddress(digest, bytesOf(fields.signature)) !== owner.address) return 'failed to verify identity'
    session.next++
    log.push(`call ${fields.requestID}`)
    return undefined
  }
  const upload = async (request: WireRequest) => {
    const { fields, name, bytes } = parseForm(
      await collectBytes(request.body ?? [], 2 ** 26),
      /boundary=(.+)$/.exec(request.headers['content-type'] ?? '')?.[1] ?? '',
    )
    const refusal = check(fields)
    if (refusal) return refuse(refusal)
    const builder = createCidBuilder()
    builder.update(bytes)
    const cid = builder.finish()
    if (fields.payloadHash === 'cid' && !equalBytes(digestFromCid(cid), bytesOf(fields.payload))) {
      return jsonResponse(516, {
        Code: 'Storage',
        Description: 'Error storing file (another file)',
        HTTPStatusCode: 516,
      })
    }
    files.set(cid, { name: fields.name ?? name, bytes, isPublic: fields.public === 'true' })
    return jsonResponse(200, { cid, Mid: cid })
  }
  const download = (request: WireRequest, cid: string) => {
    const file = files.get(cid)
    const fields = headerFields(request)
    const refusal = fields.did === undefined ? undefined : check(fields)
    if (refusal) return refuse(refusal)
    if (!file || (!file.isPublic && fields.did === undefined)) return jsonResponse(404, { error: 'no object' })
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const bytes = from === undefined ? file.bytes : file.bytes.slice(Number(from), Number(to) + 1)
    return bytesResponse(from === undefined ? 200 : 206, bytes, 'text/plain')
  }
  const restricted = (request: WireRequest, answer: () => WireResponse) => {
    const refusal = check(headerFields(request))
    return refusal ? refuse(refusal) : answer()
  }
  const listed = () =>
    [...files].map(([cid, { name, bytes, isPublic }], i) => ({
      ID: i + 1,
      Name: name,
      Size: bytes.length,
      Cid: cid,
      Mid: cid,
      Public: isPublic,
      ModTime: '2026-01-01T00:00:00.000Z',
    }))
  const answer = async (request: WireRequest): Promise<WireResponse> => {
    const { pathname, searchParams } = new URL(request.url, 'http://here')
    log.push(`${request.method} ${pathname}`)
    if (pathname === '/login' && request.method === 'POST') return await login(request)
    if (pathname === '/login') {
      if (!session) return jsonResponse(200, { error: 'cannot find session, please log in first' })
      return jsonResponse(200, { token: session.token, timestamp: session.timestamp, requestID: `${session.next}` })
    }
    if (pathname === '/info') return jsonResponse(200, { policy: 'rs:4+2' })
    if (pathname === '/mefs/' && request.method === 'POST') return await upload(request)
    if (pathname === '/mefs/listobjects') return restricted(request, () => jsonResponse(200, { Objects: listed() }))
    if (pathname === '/mefs/delete') {
      return restricted(request, () => {
        const cid = [...files.keys()][Number(searchParams.get('id')) - 1]
        if (cid === undefined || !files.delete(cid))
          return jsonResponse(404, { Description: 'Storage Error (no object)' })
        return jsonResponse(200, { Status: 'Success', state: 'success' })
      })
    }
    return download(request, pathname.split('/').at(-1) ?? '')
  }
  const responder: GatewayResponder = {
    handler: async (request) => responder.intercept?.(request) ?? (await answer(request)),
    log,
    files,
    forget: () => {
      session = undefined
    },
    intercept: undefined,
  }
  return responder
}

function headerFields({ headers }: WireRequest): Fields {
  return {
    did: headers['x-memo-did'],
    token: headers['x-memo-token'],
    requestID: headers['x-memo-request-id'],
    signature: headers['x-memo-signature'],
  }
}

/** A multipart form with its file at the end. */
function parseForm(body: Uint8Array, boundary: string): { fields: Fields; name: string; bytes: Uint8Array } {
  const text = Buffer.from(body).toString('latin1')
  const fields: Fields = {}
  let name = ''
  let bytes = new Uint8Array(0)
  for (const part of text.split(`--${boundary}`).slice(1, -1)) {
    const [head = '', ...rest] = part.split('\r\n\r\n')
    const content = rest.join('\r\n\r\n').slice(0, -2)
    const field = /name="([^"]*)"/.exec(head)?.[1] ?? ''
    if (field === 'file') {
      name = /filename="([^"]*)"/.exec(head)?.[1] ?? ''
      bytes = new Uint8Array(Buffer.from(content, 'latin1'))
    } else fields[field] = Buffer.from(content, 'latin1').toString('utf8')
  }
  return { fields, name, bytes }
}
