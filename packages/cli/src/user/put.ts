import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Manifest, MemoError, NotFoundError } from '@memo/core'
import type { ObjectExpiry, StageEvent, Storage } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { formatBytes, formatMs } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type ChangeOptions, coverChanges, told } from './checkpoint.ts'
import { describeExpiry, jsonOf } from './objects.ts'
import { withSession } from './open-storage.ts'

export type PutVerbOptions = ChangeOptions & {
  readonly public?: boolean
  readonly name?: string
  readonly type?: string
  readonly policy?: string
}

const READ_BYTES = 1_048_576
const DEFAULT_TYPE = 'application/octet-stream'

/** `memo put FILE|-`: resolves when the object is durable. */
export const put: Verb<PutVerbOptions> = async (context, options, [file = '-']) => {
  const { runtime, output } = context
  const { source, name } = await openSource(file)
  const startedMs = performance.now()
  await withSession(context, { ...options, paying: 'must' }, async ({ identity, storage }) => {
    const result = await storage.put(source, {
      did: identity.did,
      name: options.name ?? name,
      contentType: options.type ?? DEFAULT_TYPE,
      isPublic: options.public === true,
      policy: options.policy ?? findProfile(dataDirOf(options))?.policy,
      readers: [identity.signer.publicKey],
      signal: runtime.signal,
      onStage(event) {
        output.event({ event: 'stage', ...event })
        output.live(describe(event))
      },
    })
    const ms = performance.now() - startedMs
    const { cid, sizeBytes, seq, writer, providers, deduplicated } = result
    const where = deduplicated ? 'it was there already' : `${providers.length} providers`
    output.progress(`${output.style('green', 'durable')}  ${formatBytes(sizeBytes)}, ${where}, ${formatMs(ms)}`)
    const expiry = await lookUntil(storage, result.manifest, identity.did, runtime.signal)
    output.progress(describeUntil(expiry))
    const tell = (uncovered?: number) =>
      output.data(cid, {
        event: 'stored',
        cid,
        sizeBytes,
        id: `${writer}:${seq}`,
        did: identity.did,
        isPublic: options.public === true,
        providers,
        deduplicated,
        ms: Math.round(ms),
        ...jsonOf(expiry),
        ...(uncovered === undefined ? {} : { uncovered }),
      })
    await told(tell, coverChanges(context, options, storage, identity.did))
  })
  return undefined
}

/** Until when it is stored. What is durable is not undone where that cannot be read now: `memo status` says it later. */
async function lookUntil(
  storage: Storage,
  manifest: Manifest,
  owner: string,
  signal: AbortSignal,
): Promise<ObjectExpiry | undefined> {
  try {
    return await storage.findExpiry(manifest, { owner, signal })
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return undefined
  }
}

/** Until when it is stored, and what keeps it longer. */
export function describeUntil(expiry: ObjectExpiry | undefined): string {
  if (!expiry) return 'until when it is stored: memo status CID'
  const isPaid = expiry.orderIds.every((id) => id > 0)
  const until = describeExpiry(expiry)
  if (!isPaid) return `stored until ${until}: put it again before that, with an escrow that pays for it`
  return `paid until ${until}; put, get, rm and checkpoint renew it from your escrow: memo escrow deposit AMOUNT`
}

/** A stage in a few words. */
function describe(event: StageEvent): string {
  if (event.stage === 'durable') return `durable: ${event.acks} keepers have it`
  if (event.stage === 'stored') return `stored ${event.pieces} of ${event.wanted} pieces`
  return `${event.stage} ${formatBytes(event.sizeBytes)}`
}

async function openSource(file: string): Promise<{ source: AsyncIterable<Uint8Array>; name: string }> {
  if (file === '-') return { source: process.stdin, name: 'stdin' }
  const info = await stat(file).catch((cause: unknown) => {
    throw new NotFoundError(`there is no file ${file}`, { cause, fix: 'Check the path.' })
  })
  if (info.isDirectory()) throw new UsageError(`${file} is a directory`, 'Put its files one by one.')
  return { source: createReadStream(file, { highWaterMark: READ_BYTES }), name: basename(file) }
}
