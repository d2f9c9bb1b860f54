import {
  type Address,
  BadInputError,
  type ByteSource,
  type CidBuilder,
  CONTENT_KEY_BYTES,
  canonicalCid,
  clearEnvelope,
  createCidBuilder,
  DEFAULT_CID_PROFILE,
  type ErasurePolicy,
  encodeManifest,
  hex32,
  IndexConflictError,
  isPublicKey,
  type LogAction,
  type Manifest,
  type ManifestEnvelope,
  NOBODY,
  openManifest,
  parseErasurePolicy,
  type SignedEntry,
  sealManifest,
  stripePlainBytesOf,
} from '@memo/core'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { EntryRefusedError } from '../errors.ts'
import { abortableStream } from '../flow/abortable.ts'
import { deletedIn, keyOf, readLogs } from '../index/objects.ts'
import type { Appended, NextEntry, OwnLogs } from '../index/own-log.ts'
import type { StoredPart } from './complete-part.ts'
import { readHead } from './head.ts'
import type { PutOptions, PutResult } from './options.ts'
import { sendPacked } from './send-packed.ts'
import { sendWhole } from './send-whole.ts'
import type { Sending, StoredStretch } from './sending.ts'

export const DEFAULT_POLICY = 'rs:4+2'
/** Metadata that says how the CID was built, where it is not the default way. */
export const CID_PROFILE_KEY = 'memo-cid-profile'

/** What a put knows of its object before its first byte. */
type Draft = {
  readonly options: PutOptions
  readonly policy: ErasurePolicy
  readonly contentKey: Uint8Array | undefined
  readonly cid: CidBuilder
}

/**
 * Stores a source and resolves when it is durable (`spec/sdk.md` 1): one pass, bounded memory, and nothing is left
 * behind when it fails before the index entry is handed over.
 *
 * @throws NotEnoughProvidersError, UploadFailedError, NotDurableError, IndexConflictError; BadInputError for a name,
 * type or policy that cannot be; what the source or `beforeCommit` throws; the signal's reason
 */
export async function runPut(
  context: StorageContext,
  logs: OwnLogs,
  source: ByteSource,
  options: PutOptions,
): Promise<PutResult> {
  const draft = draftOf(context, options)
  const scope = new AbortController()
  const outer = AbortSignal.any([context.closed, ...(options.signal ? [options.signal] : [])])
  outer.throwIfAborted()
  await context.orders?.assertSolvent(outer)
  const forward = () => scope.abort(outer.reason)
  outer.addEventListener('abort', forward, { once: true })
  const warmed = logs.warm(options.did, scope.signal)
  warmed.catch(() => undefined) // the append reads the log again and says why it cannot
  try {
    return await store(context, logs, source, draft, scope)
  } finally {
    outer.removeEventListener('abort', forward)
    scope.abort()
    await Promise.allSettled([warmed])
  }
}

async function store(
  context: StorageContext,
  logs: OwnLogs,
  source: ByteSource,
  draft: Draft,
  scope: AbortController,
): Promise<PutResult> {
  const { options, policy, contentKey } = draft
  const report = options.onStage ?? (() => undefined)
  let sizeBytes = 0
  const received = async function* () {
    for await (const bytes of abortableStream(source, scope.signal)) {
      sizeBytes += bytes.length
      report({ stage: 'received', sizeBytes })
      yield bytes
    }
  }
  const stream = received()
  const sendOptions = { did: options.did, policy, contentKey, report, scope }
  const fate = { isHandedOver: false }
  let sending: Sending | undefined
  let result: PutResult
  try {
    const head = await readHead(stream, packableBytesOf(context, policy))
    if (head.isAll) draft.cid.update(head.bytes)
    sending = head.isAll
      ? sendPacked(context, logs, head.bytes, sendOptions)
      : sendWhole(context, logs, head.stream, { ...sendOptions, cid: draft.cid })
    const stretches = await sending.run()
    const cid = draft.cid.finish()
    await options.beforeCommit?.({ cid, sizeBytes })
    scope.signal.throwIfAborted()
    const manifest = manifestOf(context, draft, stretches, cid, sizeBytes)
    result = await commit(context, logs, draft, differentParts(stretches), manifest, scope.signal, fate)
  } catch (thrown) {
    await sending?.stop(thrown)
    scope.abort(thrown)
    await stream.return(undefined).catch(() => undefined) // it was aborted; the first error is the one to tell
    await sending?.settle(!fate.isHandedOver || isRefused(thrown))
    throw thrown
  }
  await sending.settle(result.deduplicated)
  report({ stage: 'durable', cid: result.cid, acks: result.acks.length })
  return result
}

/** How large an object may be that shares a part: nothing but one stripe. */
function packableBytesOf({ limits }: StorageContext, { dataShards }: ErasurePolicy): number {
  return Math.min(limits.packedBytes, stripePlainBytesOf(dataShards, true))
}

/** Whether an entry that was handed over is in no log, and will never be. */
function isRefused(thrown: unknown): boolean {
  return thrown instanceof EntryRefusedError || thrown instanceof IndexConflictError
}

/** Checks what can be checked before the first byte is read. */
function draftOf({ ports }: StorageContext, options: PutOptions): Draft {
  const { isPublic, cidProfile = DEFAULT_CID_PROFILE } = options
  const contentKey = isPublic ? undefined : ports.random.bytes(CONTENT_KEY_BYTES)
  const draft = {
    options,
    policy: parseErasurePolicy(options.policy ?? DEFAULT_POLICY),
    contentKey,
    cid: createCidBuilder(cidProfile),
  }
  assertDescribed(describe(draft), options)
  return draft
}

/** Errors: BadInputError for what a manifest cannot hold, and for readers that are none. */
function assertDescribed(
  described: ReturnType<typeof describe>,
  { isPublic, readers, metadata = {} }: PutOptions,
): void {
  const manifest = { ...described, cid: '', sizeBytes: 0, createdAt: 0, parts: [] }
  encodeManifest(manifest)
  if (Object.hasOwn(metadata, CID_PROFILE_KEY))
    throw new BadInputError(`the metadata ${CID_PROFILE_KEY} is set by the put`)
  if (isPublic) return
  if (readers.length === 0) throw new BadInputError('a private object without readers could never be read again')
  if (!readers.every(isPublicKey)) throw new BadInputError('a reader is no public key')
}

function describe({ options, contentKey }: Pick<Draft, 'options' | 'contentKey'>) {
  const { name, contentType, isPublic, metadata = {}, cidProfile = DEFAULT_CID_PROFILE } = options
  const profile = cidProfile === DEFAULT_CID_PROFILE ? {} : { [CID_PROFILE_KEY]: cidProfile }
  return { name, contentType, isPublic, contentKey, metadata: { ...metadata, ...profile } }
}

function manifestOf(
  { ports }: StorageContext,
  draft: Draft,
  stretches: readonly StoredStretch[],
  cid: string,
  sizeBytes: number,
): Manifest {
  return {
    ...describe(draft),
    cid,
    sizeBytes,
    createdAt: Math.floor(ports.clock.nowMs() / 1000),
    parts: stretches.map(({ part, offset, length }) => ({ partId: part.placement.partId, offset, length })),
  }
}

/** Each part once: stretches of the same bytes in clear are the same part, and an entry names it once. */
function differentParts(stretches: readonly StoredStretch[]): StoredPart[] {
  return [...new Map(stretches.map(({ part }) => [hex32(part.placement.partId), part])).values()]
}

/** Hands the index entry over, unless this account has the same object for this DID already. */
async function commit(
  context: StorageContext,
  logs: OwnLogs,
  { options }: Draft,
  parts: readonly StoredPart[],
  manifest: Manifest,
  signal: AbortSignal,
  fate: { isHandedOver: boolean },
): Promise<PutResult> {
  const { did, isPublic, readers, evidence } = options
  const action: LogAction = {
    kind: 'put',
    isPublic,
    cid: isPublic ? manifest.cid : undefined,
    sizeBytes: manifest.sizeBytes,
    partIds: parts.map((part) => part.placement.partId),
    manifest: isPublic ? clearEnvelope(manifest) : sealManifest(manifest, readers, context.ports.random.bytes),
  }
  cidsOfEnvelopes.set(action.manifest, manifest.cid)
  const decide = async (live: ReadonlyMap<number, SignedEntry>): Promise<NextEntry<Existing>> => {
    const found = await findExisting(context, live, manifest, signal)
    if (found) return { found }
    fate.isHandedOver = true // from here on keepers may have it, whatever else happens
    return { action, parts, evidence }
  }
  const done = await logs.append(did, decide, signal)
  return 'found' in done ? existingResult(did, done.found) : newResult(did, manifest, parts, done)
}

type Existing = { readonly signed: SignedEntry; readonly manifest: Manifest }

/** An object of this log with the same bytes and the same visibility that nobody has deleted. */
async function findExisting(
  context: StorageContext,
  live: ReadonlyMap<number, SignedEntry>,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<Existing | undefined> {
  for (const signed of [...live.values()].reverse()) {
    const { action, did, writer, seq } = signed.entry
    const canBe =
      action.kind === 'put' && action.isPublic === manifest.isPublic && action.sizeBytes === manifest.sizeBytes
    if (!canBe || cidOf(action.manifest, context.reader) !== manifest.cid) continue
    const found = openManifest(action.manifest, context.reader)
    if (!found) continue
    const deleted = deletedIn(await readLogs(context, did, { signal, writer, all: true }))
    if (!deleted.has(keyOf(writer, seq))) return { signed, manifest: found }
  }
  return undefined
}

/**
 * CIDs of manifests that were opened, null where there is none for us: each put looks at all objects of its log that have
 * its size, and opening a manifest costs more than all else that it does.
 */
const cidsOfEnvelopes = new WeakMap<ManifestEnvelope, string | null>()

function cidOf(envelope: ManifestEnvelope, reader: ReaderKeys | undefined): string | null {
  const known = cidsOfEnvelopes.get(envelope)
  if (known !== undefined) return known
  const manifest = openManifest(envelope, reader)
  const cid = manifest ? canonicalCid(manifest.cid) : null
  cidsOfEnvelopes.set(envelope, cid)
  return cid
}

function existingResult(did: string, { signed, manifest }: Existing): PutResult {
  const { writer, seq, action } = signed.entry
  const { cid, sizeBytes } = manifest
  const partIds = action.kind === 'put' ? action.partIds : []
  const base = { cid, sizeBytes, did, writer, seq, entryHash: signed.hash, manifest, partIds }
  return { ...base, providers: [], acks: [], deduplicated: true }
}

function newResult(
  did: string,
  manifest: Manifest,
  parts: readonly StoredPart[],
  { signed, acks }: Appended,
): PutResult {
  const { writer, seq } = signed.entry
  const { cid, sizeBytes } = manifest
  const held = parts.flatMap((part) => part.placement.pieces.map((piece) => piece.provider))
  const providers: Address[] = [...new Set(held)].filter((provider) => provider !== NOBODY)
  const partIds = parts.map((part) => part.placement.partId)
  const orders = parts.flatMap((part) => part.placement.pieces.map((piece) => piece.orderId))
  const orderIds = [...new Set(orders)].filter((orderId) => orderId > 0)
  const base = { cid, sizeBytes, did, writer, seq, entryHash: signed.hash, manifest, partIds, orderIds }
  return { ...base, providers, acks, deduplicated: false }
}
