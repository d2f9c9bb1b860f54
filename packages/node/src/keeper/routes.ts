import {
  type Address,
  ackToJson,
  BadInputError,
  BodyTooLargeError,
  bytesResponse,
  CBOR_TYPE,
  type Chain,
  canonicalCid,
  concatBytes,
  decodeBundle,
  encodeEntries,
  encodeFeed,
  encodePartAnswer,
  encodePlacedPart,
  findAddress,
  HOLDINGS_PAGE,
  type Holding,
  isCount,
  jsonResponse,
  type MatchRequest,
  parseJson,
  type Randomness,
  readBody,
  type Signer,
  signAck,
  type Timers,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { BusyError, NotServingError } from '../server/errors.ts'
import type { Call, Route } from '../server/router.ts'
import type { Intake } from './intake.ts'
import { type KeeperLimits, MAX_TAKEN_BYTES } from './limits.ts'
import { planMatch } from './plan-match.ts'
import type { Prober } from './prober.ts'
import type { KeeperStore } from './store.ts'

export type KeeperRoutesOptions = {
  readonly chain: Chain
  readonly timers: Timers
  readonly random: Randomness
  readonly signer: Signer
  readonly store: KeeperStore
  readonly intake: Intake
  readonly prober: Prober
  readonly limits: KeeperLimits
  readonly nowMs: () => number
}

const MAX_MATCH_BODY_BYTES = 65_536
const MAX_MATCH_COUNT = 512
const MAX_EXCLUDED = 1_024
/** A match that finds too few providers looks again, unless it looked so recently; where none is alive it waits for that. */
const FRESH_VIEW_MS = 1_000
const MAX_HOLDINGS_BODY_BYTES = 65_536
const ROOT = /^[0-9a-f]{64}$/
const COUNT = /^\d{1,15}$/

/** What a keeper answers (`spec/wire.md` 6). */
export function createKeeperRoutes(options: KeeperRoutesOptions): readonly Route[] {
  const { chain, random, signer, store, intake, prober, limits } = options
  const withBody = createBoundedReader(limits.maxArrivingBytes)

  const info = async (): Promise<WireResponse> => {
    const providersSeen = prober.views.filter((view) => view.isAlive).length
    return jsonResponse(200, { address: signer.address, entries: store.entries, providersSeen })
  }
  const match = async ({ request }: Call): Promise<WireResponse> => {
    const wanted = readMatch(parseJson(await readBody(request, MAX_MATCH_BODY_BYTES)))
    let providers = planMatch(prober.views, wanted, random)
    const ageMs = options.nowMs() - prober.lastRoundMs
    const isFresh = ageMs >= 0 && ageMs <= FRESH_VIEW_MS
    const isNobodyThere = !prober.views.some((view) => view.isAlive)
    if (providers.length < wanted.count && (!isFresh || isNobodyThere)) {
      if (isFresh) await options.timers.sleep(FRESH_VIEW_MS - ageMs, request.signal)
      await prober.refresh()
      providers = planMatch(prober.views, wanted, random)
    }
    return jsonResponse(200, { providers })
  }
  const submit = ({ request }: Call): Promise<WireResponse> => withBody(request, take)
  const take = async (body: Uint8Array): Promise<WireResponse> => {
    const bundle = decodeBundle(chain.network, body)
    const self = await chain.findAccount(signer.address)
    if (self?.role !== 'keeper' || self.state !== 'active') {
      throw new NotServingError('keeper', 'the chain does not count it as an active keeper')
    }
    await intake.take(bundle, 'submitted')
    return jsonResponse(200, { ack: ackToJson(await signAck(chain.network, bundle.signed, signer)) })
  }
  const listEntries = async ({ params, query }: Call): Promise<WireResponse> => {
    const [did = '', writer] = params
    const from = Math.max(1, readCount(query, 'from', 1))
    return cborResponse(encodeEntries(await store.listEntries({ did, writer: getAddress(writer) }, from)))
  }
  const findPart = async ({ params, query }: Call): Promise<WireResponse> => {
    const part = await store.findPart(params[0] ?? '', query.get('owner') ?? undefined)
    return cborResponse(encodePartAnswer(part && encodePlacedPart(part)))
  }
  const listHoldings = async ({ request }: Call): Promise<WireResponse> => {
    const { provider, roots } = readHoldings(parseJson(await readBody(request, MAX_HOLDINGS_BODY_BYTES)))
    const holdings: Holding[] = []
    for (const root of roots) holdings.push(await store.findHolding(root, provider))
    return jsonResponse(200, { holdings })
  }
  const listPublic = async ({ params, query }: Call): Promise<WireResponse> => {
    const { entries, next } = await store.listPublic(canonicalCid(params[0] ?? ''), readCount(query, 'after', 0))
    return cborResponse(encodeEntries(entries, next))
  }
  const readFeed = async ({ query }: Call): Promise<WireResponse> => {
    const { next, bundles } = await store.readFeed(readCount(query, 'after', 0))
    return cborResponse(encodeFeed(next, bundles))
  }

  return [
    { method: 'GET', path: /^\/info$/, answer: info },
    { method: 'POST', path: /^\/match$/, answer: match },
    { method: 'POST', path: /^\/index$/, answer: submit },
    {
      method: 'GET',
      path: /^\/index\/([^/]+)$/,
      answer: async ({ params }) => jsonResponse(200, { heads: await store.listHeads(params[0] ?? '') }),
    },
    { method: 'GET', path: /^\/index\/([^/]+)\/([^/]+)$/, answer: listEntries },
    {
      method: 'GET',
      path: /^\/writers\/([^/]+)$/,
      answer: async ({ params, query }) => {
        const heads = await store.listWriterHeads(getAddress(params[0]), query.get('after') ?? '')
        return jsonResponse(200, { heads })
      },
    },
    { method: 'GET', path: /^\/placements\/([0-9a-f]{64})$/, answer: findPart },
    { method: 'POST', path: /^\/holdings$/, answer: listHoldings },
    { method: 'GET', path: /^\/objects\/([^/]+)$/, answer: listPublic },
    { method: 'GET', path: /^\/feed$/, answer: readFeed },
  ]
}

function cborResponse(body: Uint8Array): WireResponse {
  return bytesResponse(200, body, CBOR_TYPE)
}

/** Errors: {@link BadInputError}. */
function getAddress(text: string | undefined): Address {
  const address = findAddress(text)
  if (!address) throw new BadInputError('an address is 0x and 40 hex digits')
  return address
}

function readCount(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (!COUNT.test(text)) throw new BadInputError(`${name} is a whole number`)
  return Number(text)
}

function readMatch(body: unknown): MatchRequest {
  const { count, pieceBytes, exclude } = (body ?? {}) as Record<string, unknown>
  if (!isCount(count) || count < 1 || count > MAX_MATCH_COUNT) {
    throw new BadInputError(`count is a whole number from 1 to ${MAX_MATCH_COUNT}`)
  }
  if (!isCount(pieceBytes)) throw new BadInputError('pieceBytes is a whole number')
  if (!Array.isArray(exclude) || exclude.length > MAX_EXCLUDED) {
    throw new BadInputError(`exclude is a list of at most ${MAX_EXCLUDED} addresses`)
  }
  return { count, pieceBytes, exclude: exclude.map((address) => getAddress(String(address))) }
}

function readHoldings(body: unknown): { readonly provider: Address; readonly roots: readonly string[] } {
  const { provider, roots } = (body ?? {}) as Record<string, unknown>
  if (!Array.isArray(roots) || roots.length > HOLDINGS_PAGE || !roots.every((root) => ROOT.test(String(root)))) {
    throw new BadInputError(`roots is a list of at most ${HOLDINGS_PAGE} times 64 lower-case hex digits`)
  }
  return { provider: getAddress(String(provider)), roots: roots.map(String) }
}

/** Works on bodies; all that are read or worked on at one time share `maxBytes` of memory. */
function createBoundedReader(
  maxBytes: number,
): <T>(request: WireRequest, work: (body: Uint8Array) => Promise<T>) => Promise<T> {
  let used = 0
  return async ({ body }, work) => {
    const chunks: Uint8Array[] = []
    let bytes = 0
    try {
      for await (const chunk of body instanceof Uint8Array ? [body] : (body ?? [])) {
        bytes += chunk.length
        used += chunk.length
        if (bytes > MAX_TAKEN_BYTES) throw new BodyTooLargeError(`a bundle of more than ${MAX_TAKEN_BYTES} bytes`)
        if (used > maxBytes) throw new BusyError('keeper', 'too many entries arrive at once')
        chunks.push(chunk)
      }
      return await work(concatBytes(...chunks))
    } finally {
      used -= bytes
    }
  }
}
