import { createDevnet, type Devnet, type DevnetOptions } from '@memo/devnet'
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

export const pollingIntervalMs = 5
const coin = 10n ** 18n

/** A test key: 32 bytes of one number. */
export function testAccount(number: number): LocalAccount {
  return privateKeyToAccount(`0x${number.toString(16).padStart(64, '0')}`)
}

export const deployer: LocalAccount = testAccount(0xd0)

export async function startDevnet(options: Partial<DevnetOptions> = {}): Promise<Devnet> {
  return createDevnet({ genesisAlloc: { [deployer.address]: 1_000_000n * coin }, ...options })
}

export function clientOf(devnet: Pick<Devnet, 'request'>, account?: LocalAccount): ChainClient {
  return createChainClient({ rpcUrl: 'in-process', provider: devnet, account, pollingIntervalMs })
}

/** A deployed network in this process. */
export type TestNetwork = {
  readonly devnet: Devnet
  readonly owner: MemoChain
  /** The network as seen by a new account that has coin and MEMO. */
  join(number: number): Promise<MemoChain>
}

export async function startNetwork(params: NetworkParams = devnetParams): Promise<TestNetwork> {
  const devnet = await startDevnet()
  const { registry } = await runDeploy(clientOf(devnet, deployer), { params })
  const connect = (account: LocalAccount): Promise<MemoChain> =>
    connectNetwork({ rpcUrl: 'in-process', provider: devnet, registry, account, pollingIntervalMs })
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
