import {
  type Address,
  ackToJson,
  BadInputError,
  bytesResponse,
  CBOR_TYPE,
  type Chain,
  continuesLog,
  decodeBundle,
  ENTRY_PAGE,
  encodeEntries,
  encodePartAnswer,
  encodePlacedPart,
  errorResponse,
  type Handler,
  type Holding,
  hex32,
  hexFromBytes,
  type IndexBundle,
  IndexConflictError,
  isReceipt,
  jsonResponse,
  MAX_BUNDLE_BYTES,
  type MatchRequest,
  NotFoundError,
  type PlacedPart,
  parseJson,
  readBody,
  type SignedEntry,
  type Signer,
  signAck,
  type WireRequest,
  type WireResponse,
  ZERO_HASH,
} from '@memo/core'

/** Ways in which a {@link WireKeeper} misbehaves; all can be changed while it runs. */
export type KeeperFaults = {
  refuseIndex?: boolean
  /** Refuses entries for good. */
  forbidIndex?: boolean
  /** Proposes nobody. */
  matchNobody?: boolean
  /** Proposes these instead. */
  match?: readonly { readonly address: Address; readonly endpoint: string }[] | undefined
  /** Leaves out the entry with this number. */
  hideEntry?: number | undefined
  /** Claims heads that are so much further. */
  boast?: number
  /** Names heads of these logs as well, of which it has nothing. */
  inventLogs?: readonly { readonly writer: Address; readonly seq: number }[] | undefined
  /** Signs acknowledgements with this key. */
  ackSigner?: Signer | undefined
  /** Says this of every piece. */
  holding?: Holding | undefined
  /** Changes a placement that is asked for. */
  alterPart?: ((part: PlacedPart) => PlacedPart) | undefined
}

/** The keeper's side of `spec/wire.md` 6 with all records in memory: for tests of what clients do about faults. */
export type WireKeeper = {
  readonly handler: Handler
  readonly faults: KeeperFaults
  /** Entries by DID and writer. */
  readonly logs: Map<string, SignedEntry[]>
  readonly parts: Map<string, PlacedPart>
  /** Paths of the requests so far. */
  readonly requests: string[]
  /** What every match asked for. */
  readonly matches: MatchRequest[]
}

const MAX_JSON_BYTES = 65_536

export function createWireKeeper(options: { readonly chain: Chain; readonly signer: Signer }): WireKeeper {
  const { chain, signer } = options
  const logs = new Map<string, SignedEntry[]>()
  const parts = new Map<string, PlacedPart>()
  const requests: string[] = []
  const matches: MatchRequest[] = []
  const faults: KeeperFaults = {}

  const match = async (request: WireRequest) => {
    const wanted = parseJson(await readBody(request, MAX_JSON_BYTES)) as MatchRequest
    matches.push(wanted)
    if (faults.matchNobody) return jsonResponse(200, { providers: [] })
    const active = faults.match ?? (await chain.listProviders())
    const providers = active
      .filter(({ address }) => !wanted.exclude.includes(address))
      .slice(0, wanted.count)
      .map(({ address, endpoint }) => ({ address, endpoint }))
    return jsonResponse(200, { providers })
  }
  const submit = async (request: WireRequest) => {
    const bundle = decodeBundle(chain.network, await readBody(request, MAX_BUNDLE_BYTES))
    if (faults.refuseIndex) throw new BadInputError('not today', { blame: 'keeper', retry: 'later' })
    if (faults.forbidIndex) throw new BadInputError('not your log')
    const { did, writer, seq } = bundle.signed.entry
    const log = logs.get(`${did}/${writer}`) ?? []
    const same = log[seq - 1]
    if (!same || hex32(same.hash) !== hex32(bundle.signed.hash)) {
      const head = log.at(-1)
      if (!continuesLog(head && { seq: head.entry.seq, hash: head.hash }, bundle.signed.entry)) {
        const details = { seq: head?.entry.seq ?? 0, hash: hexFromBytes(head?.hash ?? new Uint8Array(32)) }
        throw new IndexConflictError('the log moved on', details)
      }
      assertParts(bundle)
      for (const part of bundle.parts) parts.set(hex32(part.placement.partId), part)
      logs.set(`${did}/${writer}`, [...log, bundle.signed])
    }
    return jsonResponse(200, {
      ack: ackToJson({
        ...(await signAck(chain.network, bundle.signed, faults.ackSigner ?? signer)),
        keeper: signer.address,
      }),
    })
  }
  const assertParts = ({ signed, parts: given }: IndexBundle) => {
    const { action } = signed.entry
    const partIds = action.kind === 'put' ? action.partIds.map(hex32) : []
    if (new Set(partIds).size !== partIds.length) throw new BadInputError('an entry names a part twice')
    for (const partId of action.kind === 'put' ? action.partIds : []) {
      const part = given.find((one) => hex32(one.placement.partId) === hex32(partId)) ?? parts.get(hex32(partId))
      if (!part) throw new BadInputError('a part is missing')
      const { dataShards, parityShards } = part.placement
      const signedOnes = part.receipts.filter((receipt) => receipt && isReceipt(chain.network, receipt))
      if (signedOnes.length !== part.receipts.filter((receipt) => receipt).length)
        throw new BadInputError('a false receipt')
      if (signedOnes.length < dataShards + Math.ceil(parityShards / 2)) throw new BadInputError('too few receipts')
    }
  }
  const heads = (did: string) => {
    const own = [...logs.entries()].filter(([key, log]) => key.startsWith(`${did}/`) && log.length > 0)
    const known = own.map(([, log]) => {
      const { entry, hash } = log.at(-1)!
      return { did, writer: entry.writer, seq: entry.seq + (faults.boast ?? 0), hash: hexFromBytes(hash) }
    })
    const invented = faults.inventLogs ?? []
    return [...known, ...invented.map((log) => ({ did, ...log, hash: hexFromBytes(ZERO_HASH) }))]
  }
  const entriesOf = (did: string, writer: string, from: number) => {
    const log = logs.get(`${did}/${writer}`) ?? []
    const shown = log.filter(({ entry }) => entry.seq >= from && entry.seq !== faults.hideEntry)
    return bytesResponse(200, encodeEntries(shown.slice(0, ENTRY_PAGE)), CBOR_TYPE)
  }
  const publicOf = (cid: string) => {
    const all = [...logs.values()].flat()
    const found = all.filter(({ entry: { action } }) => action.kind === 'put' && action.cid === cid)
    return bytesResponse(200, encodeEntries(found.filter(isLive)), CBOR_TYPE)
  }
  const isLive = ({ entry }: SignedEntry) =>
    ![...logs.values()].flat().some(({ entry: { action, did } }) => {
      if (action.kind !== 'delete' || did !== entry.did) return false
      return action.writer === entry.writer && action.seq === entry.seq
    })
  const holdingOf = (root: string, provider: Address): Holding => {
    const holding = [...parts.values()].filter(({ placement, receipts }) =>
      placement.pieces.some((piece, i) => hex32(piece.root) === root && piece.provider === provider && receipts[i]),
    )
    if (holding.length === 0) return 'unknown'
    const ids = new Set(holding.map(({ placement }) => hex32(placement.partId)))
    const isNeeded = [...logs.values()].flat().some((signed) => {
      const { action } = signed.entry
      return action.kind === 'put' && action.partIds.some((id) => ids.has(hex32(id))) && isLive(signed)
    })
    return isNeeded ? 'placed' : 'released'
  }
  const listHoldings = async (request: WireRequest) => {
    const { provider, roots } = parseJson(await readBody(request, MAX_JSON_BYTES)) as {
      provider: Address
      roots: string[]
    }
    return jsonResponse(200, {
      holdings: faults.holding ? roots.map(() => faults.holding) : roots.map((root) => holdingOf(root, provider)),
    })
  }
  const partOf = (id: string) => {
    const part = parts.get(id)
    const shown = part && faults.alterPart ? faults.alterPart(part) : part
    return bytesResponse(200, encodePartAnswer(shown && encodePlacedPart(shown)), CBOR_TYPE)
  }
  const answer = async (request: WireRequest): Promise<WireResponse> => {
    const { pathname, searchParams } = new URL(request.url, 'http://here')
    requests.push(`${request.method} ${pathname}`)
    const [, noun, first = '', second] = pathname.split('/').map(decodeURIComponent)
    if (request.method === 'POST' && noun === 'holdings') return await listHoldings(request)
    if (request.method === 'POST') return noun === 'match' ? await match(request) : await submit(request)
    if (noun === 'index' && second) return entriesOf(first, second, Number(searchParams.get('from')))
    if (noun === 'index') return jsonResponse(200, { heads: heads(first) })
    if (noun === 'writers') {
      const dids = [...logs.keys()].filter((key) => key.endsWith(`/${first}`)).map((key) => key.split('/')[0] ?? '')
      return jsonResponse(200, { heads: dids.flatMap(heads).filter((head) => head.writer === first) })
    }
    if (noun === 'placements') return partOf(first)
    if (noun === 'objects') return publicOf(first)
    throw new NotFoundError('no such path')
  }
  return {
    handler: async (request) => await answer(request).catch(errorResponse),
    faults,
    logs,
    parts,
    requests,
    matches,
  }
}
