import { type Address, findAddress } from '@memo/core'
import type { StoredObject } from '@memo/sdk'
import { formatBytes, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { notFound, withObject } from './get.ts'
import { type UserOptions, withSession } from './open-storage.ts'

/** `memo ls`: your files, oldest first. */
export const list: Verb<UserOptions> = async (context, options) => {
  const { output, runtime } = context
  const rows: string[][] = []
  await withSession(context, options, async ({ identity, storage, reader }) => {
    for await (const object of storage.list(identity.did, { reader, signal: runtime.signal })) {
      const { cid, name, sizeBytes, isPublic, createdAt } = object
      const created = new Date(createdAt * 1_000).toISOString()
      const json = { event: 'object', id: idOf(object), cid, name, sizeBytes, isPublic, created }
      if (output.isJson) output.data('', json)
      else {
        const when = created.slice(0, 16).replace('T', ' ')
        rows.push([when, formatBytes(sizeBytes).padStart(9), isPublic ? 'public' : 'private', cid ?? '–', name ?? '–'])
      }
    }
  })
  if (rows.length > 0) output.data(formatTable(rows), {})
  else output.progress('no files yet; store one with: memo put FILE')
  return undefined
}

/** `memo rm ID|CID`. */
export const remove: Verb<UserOptions> = async (context, options, [what = '']) => {
  const { output, runtime } = context
  const { signal } = runtime
  await withSession(context, { ...options, paying: 'must' }, async ({ identity, storage, reader }) => {
    const named = findId(what)
    const object = named ?? (await storage.findObject(identity.did, what, reader, { signal }))
    if (!object) throw notFound(what)
    const { pieces } = await storage.remove(identity.did, object, { signal })
    const gone = pieces.filter((piece) => piece.deleted).length
    output.data(`deleted ${what}`, { event: 'deleted', id: idOf(object), pieces: pieces.length, piecesDeleted: gone })
  })
  return undefined
}

/** `memo status CID`: who holds which piece, and whether it is there. */
export const status: Verb<UserOptions> = async (context, options, [cid = '']) => {
  const { output, runtime } = context
  await withObject(context, options, cid, async (storage, { manifest, did }) => {
    const pieces = await storage.status(manifest, { owner: did, signal: runtime.signal })
    for (const piece of pieces) output.event({ event: 'piece', ...piece })
    const parts = Map.groupBy(pieces, (piece) => piece.partId)
    let isReadable = true
    const lines: string[] = []
    for (const [partId, held] of parts) {
      const alive = held.filter((piece) => piece.alive).length
      const needed = held[0]?.dataShards ?? 0
      isReadable &&= alive >= needed
      lines.push(`part ${partId.slice(0, 12)}…  ${alive} of ${held.length} pieces, ${needed} needed`)
      const rows = held.map((piece) => [
        `  ${piece.index < needed ? 'data' : 'parity'} ${piece.index}`,
        piece.provider,
        formatBytes(piece.sizeBytes),
        piece.alive ? 'ok' : `MISSING: ${piece.reason ?? ''}`,
      ])
      lines.push(formatTable(rows))
    }
    const alive = pieces.filter((piece) => piece.alive).length
    const summary = { event: 'status', cid, parts: parts.size, pieces: pieces.length, alive, isReadable }
    output.data([`${cid} ${isReadable ? 'can be read' : 'CANNOT be read now'}`, ...lines].join('\n'), summary)
  })
  return undefined
}

function idOf({ writer, seq }: { readonly writer: Address; readonly seq: number }): string {
  return `${writer}:${seq}`
}

/** What `ls --json` calls `id`: the writer's account and the number of the entry in its log. */
function findId(text: string): Pick<StoredObject, 'writer' | 'seq'> | undefined {
  const [address, seq, ...rest] = text.split(':')
  const writer = findAddress(address)
  if (!writer || rest.length > 0 || !/^\d{1,15}$/.test(seq ?? '')) return undefined
  return { writer, seq: Number(seq) }
}
