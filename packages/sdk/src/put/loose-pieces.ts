import {
  type Address,
  findBytesFromHex,
  hex32,
  type IndexBundle,
  type IndexChange,
  type IndexStore,
  type Network,
  NOBODY,
  type PlacedPart,
  sealedBytesOf,
  textFromUtf8,
  utf8,
} from '@memo/core'

/** A piece that this account has stored and that no entry names, or none any more (`spec/sdk.md` 20). */
export type LoosePiece = {
  readonly provider: Address
  readonly root: Uint8Array
  readonly sizeBytes: number
  /** Milliseconds of this account's clock. */
  readonly sinceMs: number
  /** An entry has named it: not to know it is then not enough for a keeper. */
  readonly wasNamed: boolean
  /** Others may have stored the same bytes. */
  readonly mayBeShared: boolean
}

/**
 * Durable notes of loose pieces. What is noted may be given up once it is old enough; what is not noted never is. So a note is
 * made before the piece is stored, and goes in the step in which the entry that names the piece is kept.
 */
export type LoosePieces = {
  /** Notes a piece that is about to be stored. Durable when it resolves. */
  note(piece: LoosePiece): Promise<void>
  find(provider: Address, root: Uint8Array): Promise<LoosePiece | undefined>
  /** All of them, at most so many at once. */
  listPages(limit: number): AsyncIterable<readonly LoosePiece[]>
  drop(piece: Pick<LoosePiece, 'provider' | 'root'>): Promise<void>
  /** What an entry changes that is about to be kept: its pieces are named, and those of `released` perhaps no more. */
  changesOf(bundle: IndexBundle, released: readonly PlacedPart[], nowMs: number): readonly IndexChange[]
  /** What changes when nobody will ever have an entry that was kept. */
  undone(bundle: IndexBundle, nowMs: number): readonly IndexChange[]
}

type Saved = Pick<LoosePiece, 'sizeBytes' | 'sinceMs' | 'wasNamed' | 'mayBeShared'>

const ROOM = 'loose/'

/** {@link LoosePieces} in `store`; keys begin with `loose/`. */
export function createLoosePieces(network: Network, store: IndexStore | undefined): LoosePieces {
  if (!store) return NO_PIECES
  // One registry on one chain is one network.
  const scope = `${ROOM}${network.chainId}/${network.registry}/`
  const keyOf = ({ provider, root }: Pick<LoosePiece, 'provider' | 'root'>) => `${scope}${provider}/${hex32(root)}`
  const noted = (piece: LoosePiece): IndexChange => ({ key: keyOf(piece), value: encode(piece) })
  const find: LoosePieces['find'] = async (provider, root) => {
    const value = await store.get(keyOf({ provider, root }))
    return value && { provider, root, ...decode(value) }
  }
  return {
    async note(piece) {
      const known = await find(piece.provider, piece.root)
      const wasNamed = piece.wasNamed || (known?.wasNamed ?? false)
      const mayBeShared = piece.mayBeShared || (known?.mayBeShared ?? false)
      await store.apply([noted({ ...piece, wasNamed, mayBeShared })])
    },
    find,
    async *listPages(limit) {
      let after: string | undefined
      for (;;) {
        const rows = await store.list({ prefix: scope, limit, ...(after === undefined ? {} : { after }) })
        yield rows.flatMap(({ key, value }) => {
          const [provider, hex] = key.slice(scope.length).split('/')
          const root = findBytesFromHex(`0x${hex}`, 32)
          return root ? [{ provider: provider as Address, root, ...decode(value) }] : []
        })
        if (rows.length < limit) return
        after = rows.at(-1)?.key
      }
    },
    drop: async (piece) => await store.apply([{ key: keyOf(piece) }]),
    changesOf: ({ parts }, released, nowMs) => [
      ...parts.flatMap(heldIn).map((piece) => ({ key: keyOf(piece) })),
      ...released
        .flatMap(heldIn)
        .map((piece) => noted({ ...piece, sinceMs: nowMs, wasNamed: true, mayBeShared: true })),
    ],
    undone(bundle, nowMs) {
      const isAlone = ownsParts(bundle)
      return bundle.parts
        .flatMap(heldIn)
        .map((piece) => noted({ ...piece, sinceMs: nowMs, wasNamed: !isAlone, mayBeShared: !isAlone }))
    },
  }
}

/** Pieces of a part that a provider has signed for under an order: without one, providers collect what nobody needs. */
function heldIn({ placement, receipts }: PlacedPart): Pick<LoosePiece, 'provider' | 'root' | 'sizeBytes'>[] {
  return placement.pieces.flatMap(({ provider, root, orderId }, i) => {
    const receipt = receipts[i]
    return receipt && provider !== NOBODY && orderId !== 0 ? [{ provider, root, sizeBytes: receipt.sizeBytes }] : []
  })
}

/** Whether all that an entry names is sealed and fills its parts: then no other entry can name it. */
function ownsParts({ signed, parts }: IndexBundle): boolean {
  const { action } = signed.entry
  if (action.kind !== 'put' || action.isPublic) return false
  return parts.reduce((sum, { placement }) => sum + placement.sizeBytes, 0) <= sealedBytesOf(action.sizeBytes)
}

/** A storage that keeps nothing, or pays nobody, knows of none. */
const NO_PIECES: LoosePieces = {
  note: async () => undefined,
  find: async () => undefined,
  listPages: async function* () {
    yield []
  },
  drop: async () => undefined,
  changesOf: () => [],
  undone: () => [],
}

function encode({ sizeBytes, sinceMs, wasNamed, mayBeShared }: LoosePiece): Uint8Array {
  return utf8(JSON.stringify({ sizeBytes, sinceMs, wasNamed, mayBeShared } satisfies Saved))
}

/** Records are our own: what we wrote, we can read. */
function decode(value: Uint8Array): Saved {
  return JSON.parse(textFromUtf8(value)) as Saved
}
