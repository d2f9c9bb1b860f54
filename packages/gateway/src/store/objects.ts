import {
  concatBytes,
  decodeManifest,
  encodeManifest,
  hex32,
  type IndexChange,
  type IndexStore,
  keccak256,
  type Manifest,
  openBox,
  type Randomness,
  sealBox,
  textFromUtf8,
  uint64be,
  utf8,
} from '@memo/core'
import type { MemoDid } from '@memo/did'

/** An object that this gateway wrote for a DID. */
export type StoredObject = {
  readonly did: MemoDid
  /** Its ID in the HTTP API, for its whole life; no two objects of this gateway have the same. */
  readonly id: number
  /** Number of its entry in the gateway's log for the DID. */
  readonly seq: number
  readonly manifest: Manifest
  /** Orders that its pieces were put under; absent where that is not known here. */
  readonly orderIds?: readonly number[] | undefined
}

/** An object as the gateway's log has it. */
export type LoggedObject = Pick<StoredObject, 'seq' | 'manifest' | 'orderIds'>

/**
 * What the gateway knows of its objects, sealed under a key of its own, so that a stolen disk shows neither names nor
 * content keys. All of it can be read again from the keepers (`spec/gateway.md` 10).
 */
export type ObjectTable = {
  /** Takes a new ID, and notes that the log of `did` is about to change. */
  reserve(did: MemoDid): Promise<number>
  /** The change did not come about: the ID is given up. */
  release(id: number): Promise<void>
  /** Notes that an object is about to be deleted. */
  mark(object: StoredObject): Promise<void>
  /** Adds an object under `id`, or under the one that its manifest has had since it was first put. */
  add(did: MemoDid, object: LoggedObject, id: number): Promise<StoredObject>
  remove(object: StoredObject): Promise<void>
  /** Whoever's it is. */
  findById(id: number): Promise<StoredObject | undefined>
  /** The newest of a DID's objects with this CID. */
  findOwned(did: MemoDid, cid: string): Promise<StoredObject | undefined>
  /** The newest public object with this CID. */
  findPublic(cid: string): Promise<StoredObject | undefined>
  list(did: MemoDid): AsyncIterable<StoredObject>
  /** Makes the table say of a DID what its log says. */
  reconcile(did: MemoDid, logged: readonly LoggedObject[]): Promise<void>
  /** DIDs whose log may have changed without the table. */
  listUnsettled(): Promise<readonly MemoDid[]>
  /** Whether the table has been filled from the keepers once. */
  isComplete(): Promise<boolean>
  setComplete(): Promise<void>
  /** It is to be filled from the keepers again. */
  setIncomplete(): Promise<void>
}

/** Where a manifest keeps the object's ID, so that it survives the loss of the table. */
export const ID_KEY = 'gateway-id'

const PAGE = 200
const ID_DIGITS = 12
const MAX_ID = 10 ** ID_DIGITS - 1
const BOX_CONTEXT = 'memo-gateway-object-v1'
const NEXT = 'next-id'
const COMPLETE = 'complete'
const SEQ_BYTES = 8
const NONCE_BYTES = 12

/** An {@link ObjectTable} in `store`, sealed under a key derived from the gateway's secret key. */
export async function openObjectTable(
  store: IndexStore,
  secretKey: Uint8Array,
  random: Randomness,
  /** Gives what is to be stored together with a change of a DID's log. */
  onChange: (did: MemoDid) => readonly IndexChange[] = () => [],
): Promise<ObjectTable> {
  const key = keccak256(concatBytes(utf8('memo-gateway-table-v1'), secretKey))
  const stored = await store.get(NEXT)
  let next = stored ? Number(textFromUtf8(stored)) : 1

  const label = (...parts: string[]) => hex32(keccak256(concatBytes(key, utf8(parts.join('\n')))))
  const objectPrefix = (did: MemoDid) => `object/${label(did)}/`
  const ownedPrefix = (did: MemoDid, cid: string) => `owned/${label(did, cid)}/`
  const publicPrefix = (cid: string) => `public/${label(cid)}/`
  const keysOf = ({ did, id, manifest }: StoredObject) => [
    `owner/${padded(id)}`,
    `${ownedPrefix(did, manifest.cid)}${padded(id)}`,
    ...(manifest.isPublic ? [`${publicPrefix(manifest.cid)}${padded(id)}`] : []),
  ]
  const takeId = (): IndexChange & { readonly id: number } => {
    const id = next++
    return { id, key: NEXT, value: utf8(String(next)) }
  }
  const decode = (did: MemoDid, id: number, record: Uint8Array): StoredObject => {
    const seq = Number(new DataView(record.buffer, record.byteOffset).getBigUint64(0))
    return { did, id, seq, manifest: decodeManifest(openBox(key, record.subarray(SEQ_BYTES), BOX_CONTEXT)) }
  }
  const findOf = async (did: MemoDid, id: number) => {
    const record = await store.get(`${objectPrefix(did)}${padded(id)}`)
    return record && (await withOrders(decode(did, id, record)))
  }
  const withOrders = async (object: StoredObject): Promise<StoredObject> => {
    const orders = await store.get(`orders/${padded(object.id)}`)
    return orders ? { ...object, orderIds: JSON.parse(textFromUtf8(orders)) as number[] } : object
  }
  const ownerOf = async (id: number): Promise<MemoDid | undefined> => {
    const owner = await store.get(`owner/${padded(id)}`)
    return owner && (textFromUtf8(owner) as MemoDid)
  }
  const newest = async (prefix: string) => {
    let last: { readonly key: string; readonly value: Uint8Array } | undefined
    for (;;) {
      const page = await store.list({ prefix, limit: PAGE, ...(last ? { after: last.key } : {}) })
      last = page.at(-1) ?? last
      if (page.length < PAGE) return last
    }
  }
  const removalOf = (object: StoredObject): IndexChange[] => [
    { key: `${objectPrefix(object.did)}${padded(object.id)}` },
    { key: `mark/${padded(object.id)}` },
    { key: `orders/${padded(object.id)}` },
    ...keysOf(object).map((marker) => ({ key: marker })),
  ]

  const table: ObjectTable = {
    async reserve(did) {
      const { id, ...change } = takeId()
      await store.apply([change, { key: `mark/${padded(id)}`, value: utf8(did) }])
      return id
    },
    async release(id) {
      await store.apply([{ key: `mark/${padded(id)}` }])
    },
    async mark({ did, id }) {
      await store.apply([{ key: `mark/${padded(id)}`, value: utf8(did) }])
    },
    async add(did, { seq, manifest, orderIds }, reserved) {
      const original = findId(manifest.metadata[ID_KEY]) ?? reserved
      const owner = await ownerOf(original)
      const known = owner === did ? await findOf(did, original) : undefined
      const id = owner === undefined || known?.seq === seq ? original : reserved
      next = Math.max(next, id + 1)
      const object = { did, id, seq, manifest, orderIds: orderIds ?? known?.orderIds }
      const box = sealBox(key, random.bytes(NONCE_BYTES), encodeManifest(manifest), BOX_CONTEXT)
      await store.apply([
        { key: NEXT, value: utf8(String(next)) },
        { key: `mark/${padded(reserved)}` },
        { key: `${objectPrefix(did)}${padded(id)}`, value: concatBytes(uint64be(seq), box) },
        ...keysOf(object).map((marker) => ({ key: marker, value: utf8(did) })),
        ...(orderIds ? [{ key: `orders/${padded(id)}`, value: utf8(JSON.stringify(orderIds)) }] : []),
        ...onChange(did),
      ])
      return object
    },
    async remove(object) {
      await store.apply([...removalOf(object), ...onChange(object.did)])
    },
    async findById(id) {
      const did = await ownerOf(id)
      return did && (await findOf(did, id))
    },
    async findOwned(did, cid) {
      const marker = await newest(ownedPrefix(did, cid))
      return marker && (await findOf(did, idOf(marker.key)))
    },
    async findPublic(cid) {
      const marker = await newest(publicPrefix(cid))
      return marker && (await findOf(textFromUtf8(marker.value) as MemoDid, idOf(marker.key)))
    },
    async *list(did) {
      const prefix = objectPrefix(did)
      let after: string | undefined
      for (;;) {
        const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
        for (const record of page) yield await withOrders(decode(did, idOf(record.key), record.value))
        if (page.length < PAGE) return
        after = page.at(-1)?.key
      }
    },
    async reconcile(did, logged) {
      const wanted = new Set(logged.map(({ seq }) => seq))
      const known = new Set<number>()
      const surplus: StoredObject[] = []
      for await (const object of table.list(did)) {
        if (!wanted.has(object.seq) || known.has(object.seq)) surplus.push(object)
        known.add(object.seq)
      }
      for (const object of surplus) await table.remove(object)
      for (const object of logged.filter(({ seq }) => !known.has(seq))) {
        await table.add(did, object, await table.reserve(did))
      }
      const marks = await listAll(store, 'mark/')
      const settled = marks.filter(({ value }) => textFromUtf8(value) === did)
      await store.apply(settled.map((mark) => ({ key: mark.key })))
    },
    async listUnsettled() {
      const marks = await listAll(store, 'mark/')
      return [...new Set(marks.map(({ value }) => textFromUtf8(value) as MemoDid))]
    },
    isComplete: async () => (await store.get(COMPLETE)) !== undefined,
    async setComplete() {
      await store.apply([{ key: COMPLETE, value: utf8('1') }])
    },
    async setIncomplete() {
      await store.apply([{ key: COMPLETE }])
    },
  }
  return table
}

async function listAll(store: IndexStore, prefix: string) {
  const records: { readonly key: string; readonly value: Uint8Array }[] = []
  for (;;) {
    const after = records.at(-1)?.key
    const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
    records.push(...page)
    if (page.length < PAGE) return records
  }
}

function findId(text: string | undefined): number | undefined {
  if (text === undefined || !/^[1-9][0-9]*$/.test(text)) return undefined
  return Number(text) <= MAX_ID ? Number(text) : undefined
}

function padded(id: number): string {
  return String(id).padStart(ID_DIGITS, '0')
}

function idOf(key: string): number {
  return Number(key.slice(-ID_DIGITS))
}
