import {
  concatBytes,
  decodeManifest,
  encodeManifest,
  hex32,
  type IndexStore,
  keccak256,
  type Manifest,
  openBox,
  type Randomness,
  sealBox,
  utf8,
} from '@memo/core'
import type { MemoDid } from '@memo/did'

/** An object that this gateway wrote for a DID. */
export type StoredObject = {
  readonly did: MemoDid
  /** Number of its entry in the gateway's log for the DID: its ID in the HTTP API, for its whole life. */
  readonly id: number
  readonly manifest: Manifest
}

/**
 * What the gateway knows of its objects, sealed under a key of its own, so that a stolen disk shows neither names nor
 * content keys. All of it can be read again from the keepers.
 */
export type ObjectTable = {
  add(object: StoredObject): Promise<void>
  remove(object: StoredObject): Promise<void>
  findById(did: MemoDid, id: number): Promise<StoredObject | undefined>
  /** The newest of a DID's objects with this CID. */
  findOwned(did: MemoDid, cid: string): Promise<StoredObject | undefined>
  /** The newest public object with this CID. */
  findPublic(cid: string): Promise<StoredObject | undefined>
  list(did: MemoDid): AsyncIterable<StoredObject>
}

const PAGE = 200
const ID_DIGITS = 12
const BOX_CONTEXT = 'memo-gateway-object-v1'

/** An {@link ObjectTable} in `store`, sealed under a key derived from the gateway's secret key. */
export function createObjectTable(store: IndexStore, secretKey: Uint8Array, random: Randomness): ObjectTable {
  const key = keccak256(concatBytes(utf8('memo-gateway-table-v1'), secretKey))
  const label = (...parts: string[]) => hex32(keccak256(concatBytes(key, utf8(parts.join('\n')))))
  const objectKey = (did: MemoDid, id: number) => `object/${label(did)}/${padded(id)}`
  const ownedPrefix = (did: MemoDid, cid: string) => `owned/${label(did, cid)}/`
  const publicPrefix = (cid: string) => `public/${label(cid)}/`

  const decode = (did: MemoDid, id: number, box: Uint8Array): StoredObject => {
    return { did, id, manifest: decodeManifest(openBox(key, box, BOX_CONTEXT)) }
  }
  const findById = async (did: MemoDid, id: number) => {
    const box = await store.get(objectKey(did, id))
    return box && decode(did, id, box)
  }
  const newest = async (prefix: string, limit = PAGE) => {
    let last: { readonly key: string; readonly value: Uint8Array } | undefined
    for (;;) {
      const page = await store.list({ prefix, limit, ...(last ? { after: last.key } : {}) })
      last = page.at(-1) ?? last
      if (page.length < limit) return last
    }
  }
  const keysOf = ({ did, id, manifest }: StoredObject) => [
    `${ownedPrefix(did, manifest.cid)}${padded(id)}`,
    ...(manifest.isPublic ? [`${publicPrefix(manifest.cid)}${label(did)}/${padded(id)}`] : []),
  ]

  return {
    findById,
    async add(object) {
      const box = sealBox(key, random.bytes(12), encodeManifest(object.manifest), BOX_CONTEXT)
      const where = utf8(JSON.stringify({ did: object.did, id: object.id }))
      const markers = keysOf(object).map((marker) => ({ key: marker, value: where }))
      await store.apply([{ key: objectKey(object.did, object.id), value: box }, ...markers])
    },
    async remove(object) {
      await store.apply([
        { key: objectKey(object.did, object.id) },
        ...keysOf(object).map((marker) => ({ key: marker })),
      ])
    },
    async findOwned(did, cid) {
      const marker = await newest(ownedPrefix(did, cid))
      return marker && (await findById(did, idOf(marker.key)))
    },
    async findPublic(cid) {
      const marker = await newest(publicPrefix(cid))
      if (!marker) return undefined
      const { did, id } = JSON.parse(new TextDecoder().decode(marker.value)) as { did: MemoDid; id: number }
      return await findById(did, id)
    },
    async *list(did) {
      const prefix = `object/${label(did)}/`
      let after: string | undefined
      for (;;) {
        const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
        for (const record of page) yield decode(did, idOf(record.key), record.value)
        if (page.length < PAGE) return
        after = page.at(-1)?.key
      }
    },
  }
}

function padded(id: number): string {
  return String(id).padStart(ID_DIGITS, '0')
}

function idOf(key: string): number {
  return Number(key.slice(-ID_DIGITS))
}
