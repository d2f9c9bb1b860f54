import { once } from 'node:events'
import { open, rename, rm } from 'node:fs/promises'
import { type ByteStream, type Manifest, NotFoundError } from '@memo/core'
import { CidMismatchError, type Storage, type StoredObject } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { fileError } from '../file-error.ts'
import { formatBytes, formatMs } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { dataDirOf, findProfile, networkOf } from '../settings.ts'
import { heldBack } from './held-back.ts'
import { type UserOptions, withAnonymous, withSession } from './open-storage.ts'

/** So much of what goes to stdout waits until it is known to be right, or is more than that. */
const HELD_BYTES = 4 * 1_048_576

export type GetOptions = UserOptions & { readonly output?: string }

/** `memo get CID [-o FILE]`: your own object with this CID, or a public one. Every byte is checked. */
export const get: Verb<GetOptions> = async (context, options, [cid = '']) => {
  const target = options.output ?? '-'
  if (target === '-' && options.json) throw new UsageError('--json needs a file for the bytes', 'Give -o FILE.')
  if (target === '-' && process.stdout.isTTY) {
    throw new UsageError('the bytes of a file would go to the terminal', 'Give -o FILE, or -o - | program.')
  }
  let written = 0
  const isRepeatable = () => target !== '-' || written === 0
  const toStdout = async (bytes: ByteStream) => {
    return await writeToStdout(bytes, (length) => {
      written += length
    })
  }
  await withObject(context, { ...options, isRepeatable }, cid, async (storage, { manifest, did }) => {
    const startedMs = performance.now()
    const bytes = storage.read(manifest, { owner: did, signal: context.runtime.signal })
    const onBytes = (length: number) => {
      context.output.live(`fetched ${formatBytes(length)} of ${formatBytes(manifest.sizeBytes)}`)
    }
    const sizeBytes = target === '-' ? await toStdout(bytes) : await writeToFile(bytes, target, onBytes)
    const ms = performance.now() - startedMs
    const { output } = context
    if (target === '-') return
    output.progress(`${output.style('green', 'checked')}  ${formatBytes(sizeBytes)}, ${formatMs(ms)}`)
    output.data(target, { event: 'fetched', cid, path: target, sizeBytes, name: manifest.name, ms: Math.round(ms) })
  })
  return undefined
}

/** An object whose manifest could be opened. */
type ReadableObject = StoredObject & { readonly manifest: Manifest }

function isReadable(object: StoredObject | undefined): object is ReadableObject {
  return object?.manifest !== undefined
}

/**
 * Finds an object by CID: among one's own, where there is an identity, then among public ones. Where the bytes of a public one
 * turn out to have another CID and `use` can be repeated, the next one is used.
 */
export async function withObject(
  context: Context,
  options: UserOptions & { readonly isRepeatable?: () => boolean },
  cid: string,
  use: (storage: Storage, object: ReadableObject) => Promise<void>,
): Promise<void> {
  const profile = findProfile(dataDirOf(options))
  const { signal } = context.runtime
  const usePublic = async (storage: Storage): Promise<void> => {
    const object = await storage.findPublicObject(cid, { signal })
    if (!isReadable(object)) throw notFound(cid)
    try {
      await use(storage, object)
    } catch (thrown) {
      if (!options.isRepeatable?.() || !(thrown instanceof CidMismatchError)) throw thrown
      await usePublic(storage)
    }
  }
  if (profile?.did === undefined) return await withAnonymous(networkOf(options, profile), usePublic)
  await withSession(context, { ...options, paying: 'may' }, async ({ identity, storage, reader }) => {
    const own = await storage.findObject(identity.did, cid, reader, { signal })
    if (isReadable(own)) await use(storage, own)
    else await usePublic(storage)
  })
}

export function notFound(cid: string): NotFoundError {
  return new NotFoundError(`no file of yours and no public file has the CID ${cid}`, {
    fix: 'List your files with: memo ls',
    details: { cid },
  })
}

/** A small file goes out checked, and a false one is found before anything went out. */
async function writeToStdout(bytes: ByteStream, onBytes: (length: number) => void): Promise<number> {
  let length = 0
  for await (const part of heldBack(bytes, HELD_BYTES)) {
    length += part.length
    onBytes(part.length)
    if (!process.stdout.write(part)) await once(process.stdout, 'drain')
  }
  return length
}

/** The file appears whole and checked, or not at all. */
export async function writeToFile(
  bytes: ByteStream,
  path: string,
  onBytes: (length: number) => void = () => undefined,
): Promise<number> {
  const partial = `${path}.part-${process.pid}`
  let length = 0
  try {
    const file = await open(partial, 'w')
    try {
      for await (const part of bytes) {
        await file.writeFile(part)
        length += part.length
        onBytes(length)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
  } catch (error) {
    // Where it could not even be made there is nothing to remove; what happened first is what is told.
    await rm(partial, { force: true }).catch(() => undefined)
    throw fileError(error, path)
  }
  return length
}
