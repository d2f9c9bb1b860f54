import type { Address } from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import type { LocalAccount } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  ATTOMEMO_PER_MEMO,
  type ChainClient,
  connectNetwork,
  createChainClient,
  devnetParams,
  ensureFunds,
  type MemoChain,
  type NetworkParams,
  runDeploy,
} from '../../src/index.ts'
import { startAnvil } from './anvil.ts'

export const pollingIntervalMs = 5
/** Chains of tests are as quick to catch up as they ever will be. */
export const lagPatienceMs = 100
const coin = 10n ** 18n

/** A test key: 32 bytes of one number. */
export function testAccount(number: number): LocalAccount {
  return privateKeyToAccount(`0x${number.toString(16).padStart(64, '0')}`)
}

export const deployer: LocalAccount = testAccount(0xd0)

/** Another chain than ours, on which the same tests must pass: `MEMO_TEST_CHAIN=anvil`. */
const isAnvil = process.env.MEMO_TEST_CHAIN === 'anvil'

/** What tests ask of a chain of their own. */
export type TestChain = Pick<Devnet, 'request' | 'mine' | 'increaseTime' | 'close'> & {
  /** The address under which other processes reach it. */
  listen(options: { readonly port: number }): Promise<{ readonly url: string }>
}

export type TestChainOptions = {
  readonly genesisTimestamp?: number
  /** No block but those that the test asks for. */
  readonly isStill?: boolean
}

/** A chain on which {@link deployer} is rich: each transaction comes into a block at once. */
export async function startChain({ genesisTimestamp, isStill = false }: TestChainOptions = {}): Promise<TestChain> {
  const timestamp = genesisTimestamp === undefined ? {} : { genesisTimestamp }
  if (isAnvil) {
    return await startAnvil({ rich: [deployer.address], mining: isStill ? 'none' : 'each', ...timestamp })
  }
  return await createDevnet({
    genesisAlloc: { [deployer.address]: 1_000_000n * coin },
    ...(isStill ? { mining: { mode: 'interval', ms: 3_600_000 } } : {}),
    ...timestamp,
  })
}

export function clientOf(chain: Pick<TestChain, 'request'>, account?: LocalAccount): ChainClient {
  return createChainClient({ rpcUrl: 'in-process', provider: chain, account, pollingIntervalMs, lagPatienceMs })
}

/** The network on a chain in reach of this process, as `account` sees it. */
export function connectTo(
  chain: Pick<TestChain, 'request'>,
  registry: Address,
  account: LocalAccount,
): Promise<MemoChain> {
  return connectNetwork({ rpcUrl: 'in-process', provider: chain, registry, account, pollingIntervalMs, lagPatienceMs })
}

/** A deployed network in this process. */
export type TestNetwork = {
  readonly devnet: TestChain
  readonly owner: MemoChain
  /** The network as seen by a new account that has coin and MEMO. */
  join(number: number): Promise<MemoChain>
}

export async function startNetwork(params: NetworkParams = devnetParams): Promise<TestNetwork> {
  const devnet = await startChain()
  const { registry } = await runDeploy(clientOf(devnet, deployer), { params })
  const connect = (account: LocalAccount): Promise<MemoChain> => connectTo(devnet, registry, account)
  const owner = await connect(deployer)
  return {
    devnet,
    owner,
    async join(number) {
      const account = testAccount(number)
      const funds = { memoAtto: 1_000n * ATTOMEMO_PER_MEMO, gasWei: 10n * coin }
      await ensureFunds(owner.client, { addresses: owner.addresses, to: account.address, ...funds })
      return connect(account)
    },
  }
}
