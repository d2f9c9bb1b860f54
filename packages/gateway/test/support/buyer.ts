import {
  ATTOMEMO_PER_MEMO,
  buyQuota,
  getQuota,
  grantQuota,
  type MemoChain,
  originalVoucherHash,
  payContractOf,
  type QuotaInfo,
  type QuotaKind,
  quotaVoucherDigest,
  transferGas,
  transferMemo,
} from '@memo/chain'
import { type Address, createKeySigner, hexFromBytes, keccak256 } from '@memo/core'
import { createCaller, type TestCaller } from './caller.ts'
import type { TestGateway } from './gateway.ts'
import { GATEWAY_KEY, type TestNetwork } from './network.ts'

export const SELLER: Address = createKeySigner(GATEWAY_KEY).address
const FUNDS_ATTO = 100n * ATTOMEMO_PER_MEMO

/** How a voucher is signed; what is left out is as it should be. */
export type VoucherTerms = {
  readonly size: bigint
  readonly nonce?: bigint
  readonly kind?: QuotaKind
  readonly form?: 'original' | 'typed'
  readonly seller?: Address
  readonly payAddress?: Address
  /** Added to the last byte, which is 0 or 1. */
  readonly v?: 0 | 27
  readonly signer?: Buyer
}

/** What a request carries as its voucher. */
export type SentVoucher = { readonly size: string; readonly sign: string }

/** Somebody who buys, signs and stores. */
export type Buyer = {
  readonly address: Address
  readonly caller: TestCaller
  readonly chain: MemoChain
  /** Gives the account coins and tokens. */
  fund(): Promise<void>
  buy(kind: QuotaKind, sizeByte: bigint): Promise<void>
  grant(kind: QuotaKind, sizeByte: bigint): Promise<void>
  info(kind: QuotaKind): Promise<QuotaInfo>
  voucher(terms: VoucherTerms): Promise<SentVoucher>
  upload(content: Uint8Array, voucher?: SentVoucher, headers?: Record<string, string>): Promise<Response>
  download(cid: string, voucher?: SentVoucher, init?: RequestInit): Promise<Response>
  /** The JSON text of a restricted `GET`. */
  ask(path: string): Promise<string>
}

/** A new DID, logged in unless a client of its own is going to do that. */
export async function createBuyer(
  network: TestNetwork,
  gateway: TestGateway,
  options: { readonly isLoggedIn?: boolean } = {},
): Promise<Buyer> {
  const { did, master, secretKey } = await network.newDid()
  const { addresses, client } = network.chain
  let isFunded = false
  const fund = async () => {
    if (isFunded) return
    isFunded = true
    await transferGas(client, { to: master.address, amountWei: 10n ** 18n })
    await transferMemo(client, { addresses, to: master.address, amountAtto: FUNDS_ATTO })
  }
  const chain = await network.connect(secretKey)
  const caller = createCaller(gateway.url, did, master)
  if (options.isLoggedIn ?? true) await caller.login()
  const info = async (kind: QuotaKind) => await getQuota(chain.client, { addresses, kind, buyer: master.address })
  const buyer: Buyer = {
    address: master.address,
    caller,
    chain,
    info,
    fund,
    async buy(kind, sizeByte) {
      await fund()
      await buyQuota(chain.client, { addresses, kind, sizeByte })
    },
    grant: async (kind, sizeByte) =>
      void (await grantQuota(client, { addresses, kind, to: master.address, sizeByte, reason: 'test' })),
    async voucher(terms) {
      const { size, kind = 'space', form = 'typed', seller = SELLER, v = 27, signer = buyer } = terms
      const nonce = terms.nonce ?? (await info(kind)).nonce
      const payAddress = terms.payAddress ?? payContractOf(addresses, kind)
      const fields = { buyer: signer.address, seller, nonce, sizeByte: size }
      const verifier = { chainId: chain.network.chainId, verifyingContract: payAddress }
      const digest = form === 'typed' ? quotaVoucherDigest(verifier, fields) : originalVoucherHash(payAddress, fields)
      const signature = (await signer.caller.signer.signDigest(digest)).slice()
      signature[64] = (signature[64] ?? 27) - 27 + v
      return { size: `${size}`, sign: hexFromBytes(signature) }
    },
    async upload(content, voucher, headers = {}) {
      const fields = { ...(await caller.sign(keccak256(content))), ...voucher }
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
      form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'file.bin')
      return await fetch(`${caller.baseUrl}/mefs/`, { method: 'POST', body: form, headers })
    },
    async download(cid, voucher, init = {}) {
      const headers = { ...(voucher && { 'x-memo-size': voucher.size, 'x-memo-sign': voucher.sign }), ...init.headers }
      return await caller.get(`/mefs/${cid}`, { ...init, headers })
    },
    async ask(path) {
      const answer = await caller.get(path)
      const text = await answer.text()
      if (!answer.ok) throw new RangeError(`${path}: ${text}`)
      return text
    },
  }
  return buyer
}
