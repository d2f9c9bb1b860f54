import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  type Account,
  type Chain,
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  defineChain,
  type Hex,
  type PublicClient,
  type TestClient,
  type Transport,
  type WalletClient,
} from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { createDevnet, type Devnet, type DevnetOptions } from '../src/index.ts'

/** Test keys: worthless, and known to everybody. */
export const alice: PrivateKeyAccount = privateKeyToAccount(`0x${'a1'.repeat(32)}`)
export const bob: PrivateKeyAccount = privateKeyToAccount(`0x${'b0'.repeat(32)}`)

export const WEI: bigint = 10n ** 18n
export const ALLOC: Readonly<Record<string, bigint>> = { [alice.address]: 100n * WEI, [bob.address]: 100n * WEI }
export const GENESIS_TIMESTAMP = 1_800_000_000

/** A clock that stands still until it is told to move. */
export type TestClock = { nowMs(): number; advance(ms: number): void }

export function createClock(startMs: number = GENESIS_TIMESTAMP * 1000): TestClock {
  let now = startMs
  return {
    nowMs: () => now,
    advance: (ms) => {
      now += ms
    },
  }
}

export const chain: Chain = defineChain({
  id: 985,
  name: 'test',
  nativeCurrency: { name: 'MEMO', symbol: 'MEMO', decimals: 18 },
  rpcUrls: { default: { http: [] } },
})

export type Clients = {
  readonly devnet: Devnet
  readonly reader: PublicClient
  readonly wallet: WalletClient<Transport, Chain, Account>
  readonly control: TestClient
}

/** viem clients on a chain in this process. */
export function clientsOf(devnet: Devnet): Clients {
  const transport = custom({ request: (call) => devnet.request(call) }, { retryCount: 0 })
  return {
    devnet,
    reader: createPublicClient({ chain, transport, pollingInterval: 2, cacheTime: 0 }),
    wallet: createWalletClient({ chain, transport, account: alice }),
    control: createTestClient({ chain, transport, mode: 'hardhat' }),
  }
}

/** A chain that ends with the test. */
export async function startDevnet(t: TestContext, options: Partial<DevnetOptions> = {}): Promise<Clients> {
  const devnet = await createDevnet({ genesisAlloc: ALLOC, genesisTimestamp: GENESIS_TIMESTAMP, ...options })
  t.after(() => devnet.close())
  return clientsOf(devnet)
}

/** A directory that ends with the test. */
export function tempDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'devnet-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A signed transfer of one wei. */
export function signTransfer(
  from: PrivateKeyAccount,
  nonce: number,
  fees: { tip?: bigint; cap?: bigint } = {},
): Promise<Hex> {
  return from.signTransaction({
    type: 'eip1559',
    chainId: chain.id,
    nonce,
    to: bob.address,
    value: 1n,
    gas: 21_000n,
    maxPriorityFeePerGas: fees.tip ?? 10n ** 9n,
    maxFeePerGas: fees.cap ?? 10n ** 11n,
  })
}

/** Sends a signed transaction. */
export function send(devnet: Devnet, raw: Hex): Promise<Hex> {
  return devnet.request({ method: 'eth_sendRawTransaction', params: [raw] }) as Promise<Hex>
}
