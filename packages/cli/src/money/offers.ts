import { type MemoChain, quoteOrder } from '@memo/chain'
import { type Account, type ErasurePolicy, partGeometry, partStoredBytesOf, sealedBytesOf } from '@memo/core'

/** What one provider asks for one piece over the whole time. */
export type Offer = {
  readonly provider: Account
  readonly incomeAtto: bigint
  /** With fees. */
  readonly costAtto: bigint
}

/** What storing costs at the providers themselves, by what the chain says now. */
export type DirectQuote = {
  /** One piece of the object, which each provider keeps. */
  readonly pieceBytes: bigint
  readonly epochs: bigint
  readonly providersNeeded: number
  /** Of all active providers, cheapest first. */
  readonly offers: readonly Offer[]
  /** Of the cheapest as many as are needed; undefined where there are too few. */
  readonly sums: { readonly costAtto: bigint; readonly feesAtto: bigint; readonly readAtto: bigint } | undefined
}

/** Quotes an object of `sizeBytes`, sealed and spread by `policy`, for `seconds` (`spec/orders.md` 5). */
export async function quoteProviders(
  chain: MemoChain,
  {
    sizeBytes,
    seconds,
    policy,
  }: { readonly sizeBytes: number; readonly seconds: number; readonly policy: ErasurePolicy },
): Promise<DirectQuote> {
  const [{ epochSeconds }, providers] = await Promise.all([chain.getEpochs(), chain.listProviders()])
  const pieceBytes = BigInt(pieceBytesOf(sizeBytes, policy))
  const epochs = (BigInt(seconds) + epochSeconds - 1n) / epochSeconds
  const active = providers.filter(({ state }) => state === 'active')
  const offers = await Promise.all(active.map((provider) => offerOf(chain, provider, { pieceBytes, epochs })))
  offers.sort((a, b) => compare(a.costAtto, b.costAtto))
  const providersNeeded = policy.dataShards + policy.parityShards
  const chosen = offers.slice(0, providersNeeded)
  const isEnough = chosen.length === providersNeeded
  const sums = isEnough ? sumsOf(chosen, policy.dataShards, pieceBytes) : undefined
  return { pieceBytes, epochs, providersNeeded, offers, sums }
}

async function offerOf(
  { client, addresses }: MemoChain,
  provider: Account,
  { pieceBytes, epochs }: { readonly pieceBytes: bigint; readonly epochs: bigint },
): Promise<Offer> {
  const { storagePriceAttoPerGiBSecond: priceAttoPerGiBSecond } = provider
  const epoch = await quoteOrder(client, { addresses, sizeBytes: pieceBytes, priceAttoPerGiBSecond })
  return {
    provider,
    incomeAtto: epoch.incomePerEpochAtto * epochs,
    costAtto: epoch.costPerEpochAtto * epochs,
  }
}

/** Any `dataShards` pieces give the file back: reading takes those that are cheapest to read. */
function sumsOf(chosen: readonly Offer[], dataShards: number, pieceBytes: bigint): DirectQuote['sums'] {
  const costAtto = sum(chosen.map((offer) => offer.costAtto))
  const readPrices = chosen.map(({ provider }) => provider.retrievalPriceAttoPerByte).sort(compare)
  return {
    costAtto,
    feesAtto: costAtto - sum(chosen.map((offer) => offer.incomeAtto)),
    readAtto: sum(readPrices.slice(0, dataShards)) * pieceBytes,
  }
}

/** Bytes that each provider keeps of a sealed object (`spec/objects.md` 4). */
function pieceBytesOf(sizeBytes: number, { dataShards, parityShards }: ErasurePolicy): number {
  const stored = sealedBytesOf(sizeBytes)
  const partBytes = partStoredBytesOf(dataShards)
  const rest = stored % partBytes
  const whole = Math.floor(stored / partBytes) * partGeometry(partBytes, dataShards, parityShards).pieceBytes
  return whole + (rest === 0 ? 0 : partGeometry(rest, dataShards, parityShards).pieceBytes)
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
