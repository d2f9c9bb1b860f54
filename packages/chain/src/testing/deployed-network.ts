import { accountFromSecretKey, createChainClient, type RpcProvider } from '../client/chain-client.ts'
import { connectNetwork } from '../connect.ts'
import { ATTOMEMO_PER_MEMO, devnetParams, type NetworkParams } from '../deploy/params.ts'
import { runDeploy } from '../deploy/run.ts'
import type { MemoChain } from '../memo-chain.ts'
import { ensureFunds } from '../write/transfer.ts'

/** MEMO's contracts on a chain in this process. */
export type DeployedNetwork = {
  /** Connected as who deployed them, who governs and has all tokens. */
  readonly owner: MemoChain
  /** The same network with another sender. */
  connect(secretKey: Uint8Array): Promise<MemoChain>
  /** The same, of an account that is given coin and MEMO first. */
  join(secretKey: Uint8Array): Promise<MemoChain>
}

const POLLING_INTERVAL_MS = 5
const JOIN_ATTO = 1_000n * ATTOMEMO_PER_MEMO
const JOIN_WEI = 10n ** 19n

/** Epochs of four blocks that count an hour, beyond dispute after one block: orders whose money moves while a test waits. */
export const quickOrderParams: NetworkParams = {
  ...devnetParams,
  orders: {
    epochBlocks: 4n,
    epochSeconds: 3_600n,
    disputeBlocks: 1n,
    disputeSeconds: 0n,
    readClosing: { waitSeconds: 0n, waitBlocks: 50n },
  },
}

/** Deploys a network for tests; the account of `deployerKey` has coin on the chain. */
export async function deployNetwork(
  provider: RpcProvider,
  { deployerKey, params = devnetParams }: { readonly deployerKey: Uint8Array; readonly params?: NetworkParams },
): Promise<DeployedNetwork> {
  const base = { rpcUrl: 'in-process', provider, pollingIntervalMs: POLLING_INTERVAL_MS }
  const client = createChainClient({ ...base, account: accountFromSecretKey(deployerKey) })
  const { registry } = await runDeploy(client, { params })
  const connect = async (secretKey: Uint8Array) =>
    await connectNetwork({ ...base, registry, account: accountFromSecretKey(secretKey) })
  const owner = await connect(deployerKey)
  return {
    owner,
    connect,
    async join(secretKey) {
      const { addresses } = owner
      const { address: to } = accountFromSecretKey(secretKey)
      await ensureFunds(owner.client, { addresses, to, memoAtto: JOIN_ATTO, gasWei: JOIN_WEI })
      return await connect(secretKey)
    },
  }
}
