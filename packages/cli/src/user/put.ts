import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { NotFoundError } from '@memo/core'
import type { StageEvent } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { formatBytes, formatMs } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type ChangeOptions, coverChanges, told } from './checkpoint.ts'
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
        ...(uncovered === undefined ? {} : { uncovered }),
      })
    await told(tell, coverChanges(context, options, storage, identity.did))
  })
  return undefined
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
