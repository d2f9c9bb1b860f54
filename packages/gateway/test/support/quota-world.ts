import assert from 'node:assert/strict'
import { type QuotaInfo, quotaVoucherDigest } from '@memo/chain'
import {
  type Address,
  createKeySigner,
  findAddress,
  type IndexStore,
  NotFoundError,
  type Signer,
  UnreachableError,
} from '@memo/core'
import { createMemoryDisk, createSeededRandomness, type MemoryDisk } from '@memo/core/testing'
import type { MemoDid } from '@memo/did'
import type { GatewayEvent } from '@memo/gateway'
import { createSystemTimers } from '@memo/platform'
import { createEndedQuotaPass, DEFAULT_ENDED_POLICY } from '../../src/ended-quota.ts'
import type { Market } from '../../src/quota/market.ts'
import { createQuota, objectKey, type Quota } from '../../src/quota/quota.ts'
import { ID_KEY, type ObjectTable, openObjectTable } from '../../src/store/objects.ts'
import { testKey } from './network.ts'

export const BUYER: Signer = createKeySigner(testKey(900))
const SELLER: Address = createKeySigner(testKey(901)).address
const PAY = findAddress(`0x${'11'.repeat(20)}`)!
export const DIDS: readonly MemoDid[] = [`did:memo:${'a'.repeat(64)}`, `did:memo:${'b'.repeat(64)}`]
const KEY = new Uint8Array(32).fill(5)
const TRIAL = 100
export const DAY = 86_400n
export const GRACE: bigint = 30n * DAY
export const START = 1_800_000_000n
export const END: bigint = START + 1_095n * DAY
const LIVE = new AbortController().signal
const refuse = async (): Promise<never> => {
  throw new RangeError('nobody asks for this here')
}

/** A running gateway's ledger and table. */
type QuotaGateway = {
  readonly quota: Quota
  readonly objects: ObjectTable
  readonly store: IndexStore
  /** Stores an object as the routes do; `size`: a voucher over so many bytes comes with it. */
  put(length: number, options?: { readonly size?: bigint; readonly did?: MemoDid }): Promise<number>
  pass(): Promise<void>
}

export type QuotaWorld = {
  readonly info: { -readonly [K in keyof QuotaInfo]: QuotaInfo[K] }
  readonly chain: { now: bigint; deep: bigint | undefined; isSilent: boolean; clockMs: number }
  readonly disk: MemoryDisk
  readonly events: readonly GatewayEvent[]
  /** Starts the gateway over what is on the disk. */
  open(policy?: { readonly keepEnded?: boolean }): Promise<QuotaGateway>
  voucher(size: bigint): Promise<{ readonly size: bigint; readonly signature: Uint8Array }>
  /** What the contract does when quota that is over is bought again. */
  buyAgain(sizeByte: bigint): void
  living(): readonly number[]
  eventsOf(type: string): readonly GatewayEvent[]
}

/** A gateway's ledger and table on one disk, before a chain and a log that say what the test lets them say. */
export function createWorld(): QuotaWorld {
  const info: QuotaWorld['info'] = {
    nonce: 0n,
    balanceAtto: 0n,
    sizeByte: 10_000n,
    freeByte: 0n,
    expire: END,
  }
  const chain: QuotaWorld['chain'] = { now: START, deep: undefined, isSilent: false, clockMs: Number(START) * 1_000 }
  const ask = <T>(value: T): T => {
    if (chain.isSilent) throw new UnreachableError('the chain does not answer', { blame: 'chain', retry: 'later' })
    return value
  }
  const market: Market = {
    chainId: 985,
    account: SELLER,
    payAddressOf: () => PAY,
    seller: async () => SELLER,
    quotaOf: async () => ask({ ...info }),
    timeAt: async (depth) => ask(depth === 0 ? chain.now : (chain.deep ?? chain.now)),
    priceOf: refuse,
    allowanceOf: refuse,
    balanceOf: refuse,
    isGranter: refuse,
    blockNumber: refuse,
    gasPriceWei: refuse,
    preparePurchase: refuse,
    prepareApproval: refuse,
    cash: refuse,
    endOf: async () => 'cashed',
    grant: refuse,
    grantsOf: refuse,
    receiptOf: refuse,
  }
  const disk = createMemoryDisk()
  /** What keepers know: sequence numbers by DID. */
  const logs = new Map<MemoDid, Map<number, number>>(DIDS.map((did) => [did, new Map()]))
  const events: GatewayEvent[] = []
  const sizes = new Map<number, bigint>()
  let lastSeq = 0
  const manifestOf = (id: number) => ({
    name: `file ${id}`,
    contentType: 'text/plain',
    cid: `cid-${id}`,
    sizeBytes: Number(sizes.get(id)),
    createdAt: 1_700_000_000,
    isPublic: false,
    contentKey: undefined,
    parts: [],
    metadata: { [ID_KEY]: String(id) },
  })

  const open = async (policy: { keepEnded?: boolean } = {}) => {
    const store = disk.openIndexStore()
    const random = createSeededRandomness('terms')
    const objects = await openObjectTable(store, KEY, random)
    const limits = { trialSpaceBytes: TRIAL, trialTrafficBytes: TRIAL }
    const quota = await createQuota({ store, market, random, nowMs: () => chain.clockMs, limits })
    for (const did of DIDS) {
      const logged = [...(logs.get(did) ?? [])].map(([seq, id]) => ({ seq, manifest: manifestOf(id) }))
      await objects.reconcile(did, logged)
    }
    await quota.recover(async (id) => (await objects.findById(id)) !== undefined)
    const remove = async (did: string, entry: { seq: number }) => {
      if (!logs.get(did as MemoDid)?.delete(entry.seq)) {
        throw new NotFoundError('deleted before', { blame: 'user', retry: 'never' })
      }
      return { undeleted: [] }
    }
    const pass = createEndedQuotaPass({
      objects,
      quota,
      storage: { remove } as never,
      account: SELLER,
      log: (event) => events.push(event),
      timers: createSystemTimers(),
      policy: { ...DEFAULT_ENDED_POLICY, ...policy },
      assertReady: () => undefined,
      today: () => Number(chain.now / DAY),
    })
    const put = async (length: number, options: { size?: bigint; did?: MemoDid } = {}) => {
      const { size, did = DIDS[0]! } = options
      const upload = await quota.beginUpload(
        BUYER.address,
        size === undefined ? undefined : await voucher(size),
        length,
      )
      try {
        for await (const bytes of upload.watch(bytesOf(length))) assert.ok(bytes)
        const id = await objects.reserve(did)
        sizes.set(id, BigInt(length))
        await upload.count(id)
        lastSeq += 1
        logs.get(did)?.set(lastSeq, id)
        await objects.add(did, { seq: lastSeq, manifest: manifestOf(id) }, id)
        await upload.settle(id)
        return id
      } finally {
        upload.release()
      }
    }
    return { quota, objects, put, pass: async () => await pass(LIVE), store }
  }
  const voucher = async (size: bigint) => {
    const fields = { buyer: BUYER.address, seller: SELLER, nonce: info.nonce, sizeByte: size }
    const digest = quotaVoucherDigest({ chainId: 985, verifyingContract: PAY }, fields)
    return { size, signature: await BUYER.signDigest(digest) }
  }
  const buyAgain = (sizeByte: bigint) => {
    Object.assign(info, { nonce: info.nonce + 1n, sizeByte, expire: chain.now + 1_095n * DAY })
  }
  const living = () => [...logs.values()].flatMap((log) => [...log.values()]).sort((a, b) => a - b)
  const eventsOf = (type: string) => events.filter((event) => event.type === type)
  return { info, chain, disk, open, voucher, buyAgain, living, eventsOf, events }
}

async function* bytesOf(length: number) {
  yield new Uint8Array(length)
}

export async function usedOf(quota: Quota): Promise<readonly bigint[]> {
  const { used, trialUsed } = await quota.status(BUYER.address, 'space')
  return [trialUsed, used]
}

export async function endOf(quota: Quota, id: number): Promise<bigint | undefined> {
  return await (await quota.lasting.openEnds(BUYER.address))(objectKey(id))
}
