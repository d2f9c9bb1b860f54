import { BadInputError, findBytesFromHex, hex32, type Manifest, openManifest, type SignedEntry } from '@memo/core'

/** Metadata of a stored checkpoint: `<from> <seq> <hash of entry seq>`. */
const CHECKPOINT_KEY = 'memo-checkpoint'
/** Metadata of a stored checkpoint: numbers of the entries that put the checkpoints which it links to. */
const CHECKPOINT_LINKS_KEY = 'memo-checkpoint-links'

/** What the manifest of a stored checkpoint says of it, in clear. */
export type CheckpointMark = {
  readonly from: number
  readonly seq: number
  readonly hash: Uint8Array
  /** Numbers of the entries that put the checkpoints which it links to, in order. */
  readonly links: readonly number[]
}

/** Whether an object is a checkpoint: listings leave those out (`spec/checkpoint.md` 7). */
export function isCheckpoint(manifest: Manifest | undefined): boolean {
  return manifest?.isPublic === true && Object.hasOwn(manifest.metadata, CHECKPOINT_KEY)
}

/** Errors: BadInputError for metadata by which an object would be taken for a checkpoint. */
export function assertNotReserved(metadata: Readonly<Record<string, string>> = {}): void {
  const reserved = Object.keys(metadata).find((key) => key === CHECKPOINT_KEY || key === CHECKPOINT_LINKS_KEY)
  if (reserved !== undefined) throw new BadInputError(`the metadata ${reserved} is set for checkpoints alone`)
}

export function markMetadata({ from, seq, hash, links }: CheckpointMark): Record<string, string> {
  return { [CHECKPOINT_KEY]: `${from} ${seq} ${hex32(hash)}`, [CHECKPOINT_LINKS_KEY]: links.join(' ') }
}

/** What was found of entries that are in memory: a log of many objects is looked through for each checkpoint of it. */
const known = new WeakMap<SignedEntry, { readonly mark: CheckpointMark | undefined }>()

/** The mark of the checkpoint that an entry puts; undefined for any other entry. */
export function findMark(signed: SignedEntry): CheckpointMark | undefined {
  const found = known.get(signed) ?? { mark: readMark(signed) }
  known.set(signed, found)
  return found.mark
}

function readMark({ entry }: SignedEntry): CheckpointMark | undefined {
  const { action } = entry
  if (action.kind !== 'put' || !action.isPublic || action.manifest.kind !== 'clear') return undefined
  const manifest = openManifest(action.manifest)
  if (!isCheckpoint(manifest)) return undefined
  const [from, seq, hash] = (manifest?.metadata[CHECKPOINT_KEY] ?? '').split(' ')
  const links = (manifest?.metadata[CHECKPOINT_LINKS_KEY] ?? '').split(' ').filter((text) => text !== '')
  const digest = findBytesFromHex(`0x${hash}`, 32)
  const numbers = [from, seq, ...links].map(Number)
  if (!digest || !numbers.every((number) => Number.isSafeInteger(number) && number > 0)) return undefined
  return { from: numbers[0]!, seq: numbers[1]!, hash: digest, links: numbers.slice(2) }
}
