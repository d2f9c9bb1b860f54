import {
  ATTOMEMO_PER_MEMO,
  accountFromSecretKey,
  createChainClient,
  devnetParams,
  type NetworkParams,
  planDeploy,
} from '@memo/chain'
import { type Address, findAddress, keccak256, utf8 } from '@memo/core'

/** The chain of local networks. */
export const LOCAL_CHAIN_ID = 985

/**
 * Test key, worth nothing: anybody can compute it. On local networks it deploys the contracts, holds all MEMO and all
 * coins, and gives of both to whoever joins.
 */
export const LOCAL_BANK_KEY: Uint8Array = keccak256(utf8('the bank of local MEMO networks: a test key, worth nothing'))

/** What the first block gives to the bank. */
export const LOCAL_BANK_WEI: bigint = 10n ** 27n
/** An account that holds so much with a public key can only be on a test network. */
const SURELY_LOCAL_WEI: bigint = 10n ** 26n
/** Coins for the gas of some thousand transactions. */
export const LOCAL_GAS_WEI: bigint = 10n ** 18n
/** What the gateway of a local network has in escrow to pay providers from. */
export const LOCAL_GATEWAY_ATTO: bigint = 10_000n * ATTOMEMO_PER_MEMO
/** What a user of a local network has to spend: enough for some hundred GiB and years. */
export const LOCAL_USER_ATTO: bigint = 10_000n * ATTOMEMO_PER_MEMO

export function localBankAddress(): Address {
  return findAddress(accountFromSecretKey(LOCAL_BANK_KEY).address) as Address
}

/**
 * What the gateway of a local network takes: a little more than it pays providers that ask what `memo provider init`
 * offers, for pieces of 4+2 over the whole validity with fees, and for reading them.
 */
const LOCAL_SPACE_PRICE_ATTO = 60_000_000_000n
const LOCAL_TRAFFIC_PRICE_ATTO = 12_000_000n

/** What a local network of so many keepers is deployed with; the seller of space and traffic is its gateway. */
export function localParams(level: number, seller?: Address): NetworkParams {
  const prices = {
    spacePriceAttoPerByte: LOCAL_SPACE_PRICE_ATTO,
    trafficPriceAttoPerByte: LOCAL_TRAFFIC_PRICE_ATTO,
  }
  return { ...devnetParams, level, market: { ...devnetParams.market, ...prices, seller } }
}

/** Where the registry of a local network stands, before it is deployed. */
export function localRegistry(level: number): Address {
  return planDeploy({ deployer: localBankAddress(), firstNonce: 0, params: localParams(level) }).addresses.registry
}

/** Whether the chain at `rpcUrl` is one of this machine on which money is worth nothing. */
export async function isLocalNetwork(rpcUrl: string): Promise<boolean> {
  const host = URL.parse(rpcUrl)?.hostname
  if (host !== '127.0.0.1' && host !== 'localhost' && host !== '[::1]') return false
  const client = createChainClient({ rpcUrl })
  const balance = await client.rpc.getBalance({ address: localBankAddress() }).catch(() => 0n)
  return balance >= SURELY_LOCAL_WEI
}
