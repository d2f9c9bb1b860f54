import {
  ATTOMEMO_PER_MEMO,
  accountFromSecretKey,
  connectNetwork,
  createChainClient,
  depositEscrow,
  ensureFunds,
  ensurePledge,
  type MemoChain,
  openOrder,
  registerProvider,
} from '@memo/chain'
import { type Address, createKeySigner, type OrderTerms, orderDigest, ordersVerifierOf } from '@memo/core'
import { LOCAL_BANK_KEY, LOCAL_GAS_WEI } from '../../src/local-chain.ts'
import type { TestNetwork } from './local-network.ts'

export type TestProvider = { readonly address: Address; readonly secretKey: Uint8Array; readonly chain: MemoChain }

/** A registered provider with a price of its own; a test key, worth nothing. */
export async function joinProvider(
  { rpcUrl, registry }: TestNetwork,
  seed: number,
  priceAtto: bigint,
): Promise<TestProvider> {
  const secretKey = new Uint8Array(32).fill(seed)
  const account = accountFromSecretKey(secretKey)
  const chain = await connectNetwork({ rpcUrl, registry, account, pollingIntervalMs: 20 })
  const { client, addresses } = chain
  const { address } = createKeySigner(secretKey)
  const bank = createChainClient({ rpcUrl, account: accountFromSecretKey(LOCAL_BANK_KEY), pollingIntervalMs: 20 })
  await ensureFunds(bank, { addresses, to: address, memoAtto: 1_000n * ATTOMEMO_PER_MEMO, gasWei: LOCAL_GAS_WEI })
  const contact = { endpoint: `http://127.0.0.1:${seed}`, operator: '', region: 'test' }
  const offer = {
    capacityBytes: 2 ** 40,
    storagePriceAttoPerGiBSecond: priceAtto,
    retrievalPriceAttoPerByte: BigInt(seed),
  }
  await registerProvider(client, { addresses, contact, offer })
  await ensurePledge(client, { addresses })
  return { address, secretKey, chain }
}

/** An order that both sign; the user deposits what it costs. */
export async function placeOrder(
  user: MemoChain,
  provider: TestProvider,
  order: {
    readonly sizeBytes: bigint
    readonly priceAtto: bigint
    readonly epochs: bigint
    readonly depositAtto: bigint
  },
): Promise<bigint> {
  const { client, addresses, money } = user
  const { sizeBytes, priceAtto, epochs, depositAtto } = order
  await depositEscrow(client, { addresses, amountAtto: depositAtto })
  const [{ current }, block] = await Promise.all([user.getEpochs(), user.getBlock()])
  const terms: OrderTerms = {
    user: client.account?.address.toLowerCase() as Address,
    provider: provider.address,
    nonce: BigInt(block.number),
    sizeBytes,
    priceAttoPerGiBSecond: priceAtto,
    start: current + 1n,
    end: current + 1n + epochs,
    submitBy: BigInt(block.timestamp + 600),
  }
  const providerSignature = await createKeySigner(provider.secretKey).signDigest(
    orderDigest(ordersVerifierOf(money), terms),
  )
  const { orderId } = await openOrder(client, { addresses, terms, providerSignature })
  return orderId
}
