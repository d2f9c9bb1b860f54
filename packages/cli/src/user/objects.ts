import { createCheckpointChain } from '@memo/chain'
import { type Address, findAddress } from '@memo/core'
import type { ObjectExpiry, StoredObject } from '@memo/sdk'
import { formatDay } from '../money/units.ts'
import { formatBytes, formatMinute, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { type ChangeOptions, coverChanges, tellUncovered, told } from './checkpoint.ts'
import { notFound, withObject } from './get.ts'
import type { Identity } from './identity.ts'
import { type UserOptions, withSession } from './open-storage.ts'

export type ListOptions = UserOptions & { readonly long?: boolean }

/** `memo ls`: your files, oldest first; with `--long` also until when they are stored. */
export const list: Verb<ListOptions> = async (context, options) => {
  const { output, runtime } = context
  const { signal } = runtime
  const rows: string[][] = []
  let missing = 0
  let upTo = 0
  await withSession(context, options, async ({ identity, storage, reader }) => {
    const isCovered = coverageOf(identity)
    for await (const object of storage.list(identity.did, { reader, signal })) {
      const { cid, name, sizeBytes, isPublic, createdAt, manifest } = object
      const created = new Date(createdAt * 1_000).toISOString()
      const expiry =
        options.long && manifest ? await storage.findExpiry(manifest, { owner: identity.did, signal }) : undefined
      const inCheckpoint = await isCovered(object)
      if (inCheckpoint) upTo = Math.max(upTo, createdAt)
      else if (object.writer === identity.signer.address) missing++
      const json = { event: 'object', id: idOf(object), cid, name, sizeBytes, isPublic, created, inCheckpoint }
      if (output.isJson) output.data('', { ...json, ...(options.long ? jsonOf(expiry) : {}) })
      else {
        const when = formatMinute(createdAt)
        const until = options.long ? [describeExpiry(expiry)] : []
        const access = isPublic ? 'public' : 'private'
        rows.push([when, ...until, formatBytes(sizeBytes).padStart(9), access, cid ?? '–', name ?? '–'])
      }
    }
  })
  const header = ['stored (UTC)', ...(options.long ? ['until'] : []), '     size', '', 'CID', 'name']
  if (rows.length > 0) {
    output.data(formatTable([header, ...rows]), {})
    const until = upTo === 0 ? 'there is no checkpoint yet' : `in checkpoints up to ${formatMinute(upTo)} UTC`
    output.progress(`\n${until}${missing === 0 ? '' : `\n${tellUncovered(missing, options, 'file')}`}`)
  } else output.progress('no files yet; store one with: memo put FILE')
  return undefined
}

/** Whether the chain's memory reaches an object: each log has a slot of its own. */
function coverageOf({ did, chain }: Identity): (object: StoredObject) => Promise<boolean> {
  const checkpoints = createCheckpointChain(chain)
  const slots = new Map<Address, Promise<number>>()
  return async ({ writer, seq }) => {
    const slot = slots.get(writer) ?? checkpoints.find(did, writer).then((found) => found?.seq ?? 0)
    slots.set(writer, slot)
    return seq <= (await slot)
  }
}

/** For programs. */
export function jsonOf(expiry: ObjectExpiry | undefined): {
  readonly expiresAt: number | null
  readonly orders: readonly number[]
} {
  return { expiresAt: expiry?.expiresAt ?? null, orders: expiry?.orderIds.filter((id) => id > 0) ?? [] }
}

/** Until when it is stored, and whether an order says so. */
export function describeExpiry(expiry: ObjectExpiry | undefined): string {
  if (!expiry) return '–'
  const isPaid = expiry.orderIds.every((id) => id > 0)
  return `${formatDay(expiry.expiresAt, Date.now() / 1_000)}${isPaid ? '' : ', not paid'}`
}

/** `memo rm ID|CID`. */
export const remove: Verb<ChangeOptions> = async (context, options, [what = '']) => {
  const { output, runtime } = context
  const { signal } = runtime
  await withSession(context, { ...options, paying: 'must' }, async ({ identity, storage, reader }) => {
    const named = findId(what)
    const object = named ?? (await storage.findObject(identity.did, what, reader, { signal }))
    if (!object) throw notFound(what)
    const { pieces } = await storage.remove(identity.did, object, { signal })
    const gone = pieces.filter((piece) => piece.deleted).length
    const counts = { pieces: pieces.length, piecesDeleted: gone }
    const tell = (uncovered?: number) =>
      output.data(`deleted ${what}`, {
        event: 'deleted',
        id: idOf(object),
        ...counts,
        ...(uncovered === undefined ? {} : { uncovered }),
      })
    await told(tell, coverChanges(context, options, storage, identity.did))
  })
  return undefined
}

/** `memo status CID`: who holds which piece, and whether it is there. */
export const status: Verb<UserOptions> = async (context, options, [cid = '']) => {
  const { output, runtime } = context
  await withObject(context, options, cid, async (storage, { manifest, did }) => {
    const call = { owner: did, signal: runtime.signal }
    const [pieces, expiry] = await Promise.all([storage.status(manifest, call), storage.findExpiry(manifest, call)])
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
    const counts = { parts: parts.size, pieces: pieces.length, alive, isReadable }
    const heading = [
      `${cid} ${isReadable ? 'can be read' : 'CANNOT be read now'}`,
      ...(expiry ? [`stored until ${describeExpiry(expiry)}${describeOrders(expiry)}`] : []),
    ]
    output.data([...heading, ...lines].join('\n'), { event: 'status', cid, ...counts, ...jsonOf(expiry) })
  })
  return undefined
}

function describeOrders({ orderIds }: ObjectExpiry): string {
  const paid = orderIds.filter((id) => id > 0).sort((a, b) => a - b)
  return paid.length === 0 ? '' : `, under order${paid.length === 1 ? '' : 's'} ${paid.join(', ')}`
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
