import {
  type Address,
  BadInputError,
  BodyTooLargeError,
  type ByteStream,
  createPieceHasher,
  hex32,
  MemoError,
  type PieceDigest,
  type PieceStore,
  type PieceWriter,
  type Timers,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import { BusyError, NotServingError } from '../server/errors.ts'
import type { Hold } from './byte-accounts.ts'
import type { ProviderLimits } from './limits.ts'
import { NoSpaceError, type Reservation, type SpaceFacts, type SpaceLedger } from './space.ts'

/** An upload ended before its body did, or before it was committed. */
export class UploadEndedError extends MemoError {
  override readonly name: string = 'UploadEndedError'
  constructor(why: string) {
    super(`the upload was dropped: ${why}`, { blame: 'user', retry: 'now', fix: 'Upload the piece again.' })
  }
}

/** What a signed request to upload asks for. */
export type UploadTerms = {
  readonly account: Address
  /** 64 hex digits, chosen by the account. */
  readonly id: string
  readonly orderId: number
  readonly maxBytes: number
}

/** An upload whose bytes have all arrived. */
export type ReceivedUpload = {
  readonly terms: UploadTerms
  readonly digest: PieceDigest
  /** Moves the bytes to their place for good. Afterwards the upload is no more, also when this failed. */
  commit(): Promise<void>
}

/** What an upload may take of the disk, and of the order that it is under. */
export type UploadRoom = {
  readonly facts: SpaceFacts
  /** Called when nothing else can come between. Errors: OrderRefusedError. */
  readonly reserve: () => Hold
}

/** Pieces on their way in, with the space they reserved (`spec/provider.md` 2, 5). */
export type Uploads = {
  /** Takes a body; resolves when it has arrived. Replaces what the account sent under this id before. */
  receive(
    terms: UploadTerms,
    body: ByteStream | Uint8Array | undefined,
    room: UploadRoom,
    signal?: AbortSignal,
  ): Promise<PieceDigest>
  /** Undefined when there is none. Errors: {@link BusyError} while its body still arrives. */
  find(account: Address, id: string): ReceivedUpload | undefined
  /** Drops all of them and takes no more. */
  stop(): Promise<void>
}

type Upload = {
  readonly terms: UploadTerms
  readonly reservation: Reservation
  /** Under its order. */
  readonly hold: Hold
  /** Aborted to end it. */
  readonly ending: AbortController
  /** Aborted when it has ended. */
  readonly ended: AbortController
  writer?: PieceWriter
  digest?: PieceDigest
  receivedBytes: number
  /** The body arrives: `receive` will clean up. */
  isArriving: boolean
  isCommitting: boolean
}

export type UploadsOptions = {
  readonly pieces: PieceStore
  readonly space: SpaceLedger
  readonly timers: Timers
  readonly limits: ProviderLimits
  readonly log: EventSink
}

export function createUploads(options: UploadsOptions): Uploads {
  const { pieces, space, timers, limits } = options
  const open = new Map<string, Upload>()
  let isStopped = false

  const forget = (upload: Upload) => {
    upload.reservation.release()
    upload.hold.release()
    upload.ended.abort()
    if (open.get(keyOf(upload.terms)) === upload) open.delete(keyOf(upload.terms))
  }
  const drop = async (upload: Upload) => {
    try {
      await upload.writer?.abort()
    } finally {
      forget(upload)
    }
  }
  /** Ends an upload and waits until its bytes and its space are free again. */
  const end = async (upload: Upload, why: string) => {
    if (upload.isCommitting) throw new BusyError('provider', 'this upload is being committed')
    upload.ending.abort(new UploadEndedError(why))
    if (upload.isArriving) await aborted(upload.ended.signal)
    else await drop(upload)
  }
  const admit = (terms: UploadTerms, { facts, reserve }: UploadRoom): Upload => {
    if (isStopped) throw new NotServingError('provider', 'it is stopping')
    if (open.size >= limits.maxOpenUploads) throw new BusyError('provider', `${open.size} uploads are open`)
    const own = [...open.values()].filter((upload) => upload.terms.account === terms.account).length
    if (own >= limits.maxOpenUploadsPerAccount) {
      throw new BusyError('provider', `${own} uploads of this account are open`)
    }
    const reservation = space.reserve(terms.maxBytes, facts)
    const upload: Upload = {
      terms,
      reservation,
      hold: reserveOr(reserve, () => reservation.release()),
      ending: new AbortController(),
      ended: new AbortController(),
      receivedBytes: 0,
      isArriving: true,
      isCommitting: false,
    }
    open.set(keyOf(terms), upload)
    return upload
  }

  return {
    async receive(terms, body, room, signal) {
      for (let old = open.get(keyOf(terms)); old; old = open.get(keyOf(terms))) await end(old, 'it was sent again')
      const upload = admit(terms, room)
      const leave = () => upload.ending.abort(new UploadEndedError('its sender went away'))
      if (signal?.aborted) leave()
      signal?.addEventListener('abort', leave, { once: true })
      watchStall(upload, timers, limits.uploadStallMs)
      try {
        upload.writer = await pieces.create()
        upload.digest = await writeBody(upload, body)
        upload.ending.signal.throwIfAborted()
      } catch (thrown) {
        upload.isArriving = false
        await drop(upload)
        throw asNoSpace(thrown, terms.maxBytes)
      } finally {
        signal?.removeEventListener('abort', leave)
      }
      upload.isArriving = false
      upload.reservation.settle(upload.digest.sizeBytes)
      upload.hold.settle(upload.digest.sizeBytes)
      expireLater(upload)
      return upload.digest
    },
    find(account, id) {
      const upload = open.get(keyOf({ account, id }))
      if (!upload) return undefined
      const { digest, writer } = upload
      if (upload.isArriving || !digest || !writer) throw new BusyError('provider', 'this upload is still arriving')
      const commit = async () => {
        upload.isCommitting = true
        try {
          await writer.commit(hex32(digest.root), digest.units)
          forget(upload)
        } catch (thrown) {
          await drop(upload)
          throw asNoSpace(thrown, digest.sizeBytes)
        }
      }
      return { terms: upload.terms, digest, commit }
    },
    async stop() {
      isStopped = true
      const all = [...open.values()].filter((upload) => !upload.isCommitting)
      await Promise.all(all.map((upload) => end(upload, 'the provider stops')))
    },
  }

  /** Drops an upload that nobody commits (`spec/wire.md` 4). */
  function expireLater(upload: Upload): void {
    const expire = async () => {
      try {
        await timers.sleep(limits.uploadLifeMs, upload.ended.signal)
      } catch {
        return // it was committed, replaced or dropped
      }
      if (upload.isCommitting) return
      try {
        await end(upload, 'it was not committed in time')
        options.log({ type: 'upload-expired', level: 'info', message: `upload ${upload.terms.id} was never committed` })
      } catch (thrown) {
        const message = `an expired upload could not be removed: ${String(thrown)}`
        options.log({ type: 'upload-expired', level: 'error', message })
      }
    }
    void expire()
  }
}

function reserveOr(reserve: () => Hold, undo: () => void): Hold {
  try {
    return reserve()
  } catch (thrown) {
    undo()
    throw thrown
  }
}

/** Ends an upload whose body has brought nothing since the last look. */
function watchStall(upload: Upload, timers: Timers, stallMs: number): void {
  const watch = async () => {
    for (let before = -1; upload.isArriving && before < upload.receivedBytes; ) {
      before = upload.receivedBytes
      try {
        await timers.sleep(stallMs, upload.ended.signal)
      } catch {
        return // the upload has ended
      }
    }
    if (upload.isArriving) upload.ending.abort(new UploadEndedError('its body stood still'))
  }
  void watch()
}

/** Hashes and writes the body as it arrives; never more than the upload may have. */
async function writeBody(upload: Upload, body: ByteStream | Uint8Array | undefined): Promise<PieceDigest> {
  const { terms, reservation, ending, writer } = upload
  const hasher = createPieceHasher()
  for await (const chunk of untilAborted(streamOf(body), ending.signal)) {
    upload.receivedBytes += chunk.length
    if (upload.receivedBytes > terms.maxBytes) {
      throw new BodyTooLargeError(`the upload was to be ${terms.maxBytes} bytes at the most`)
    }
    hasher.update(chunk)
    await writer?.write(chunk)
    reservation.wrote(chunk.length)
  }
  if (upload.receivedBytes === 0) throw new BadInputError('an empty body: there are no empty pieces')
  return hasher.finish()
}

async function* streamOf(body: ByteStream | Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else if (body) yield* body
}

/** What `source` yields, until `signal` is aborted; then its reason is thrown even if `source` never moves again. */
async function* untilAborted(source: ByteStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  // Not a race of promises: one that never ends would hold every step that was raced against it, and its bytes.
  let giveUp: (reason: unknown) => void = () => undefined
  const abort = () => giveUp(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const step = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject
        iterator.next().then(resolve, reject)
      })
      if (step.done) return
      yield step.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Not awaited: a source that stands still would hold its reader for ever.
    iterator.return?.()?.then(undefined, () => undefined)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function keyOf({ account, id }: Pick<UploadTerms, 'account' | 'id'>): string {
  return `${account}/${id}`
}

/** A disk that filled up under us is a lack of space to the one who uploads. */
function asNoSpace(thrown: unknown, neededBytes: number): unknown {
  return thrown instanceof MemoError && thrown.name === 'DiskFullError' ? new NoSpaceError(neededBytes, 0) : thrown
}
