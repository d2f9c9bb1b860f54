import {
  accountFromSecretKey,
  connectNetwork,
  createChainClient,
  devnetParams,
  type MemoChain,
  runDeploy,
} from '@memo/chain'
import { createDevnet, type Devnet } from '@memo/devnet'

/** Pays for everything in tests. A test key. */
const DEPLOYER = new Uint8Array(32).fill(0x11)
const GENESIS_WEI = 10n ** 24n

/** MEMO's contracts on a chain in this process. */
export async function startNetwork(): Promise<{ readonly chain: MemoChain; readonly devnet: Devnet }> {
  const account = accountFromSecretKey(DEPLOYER)
  const devnet = await createDevnet({ genesisAlloc: { [account.address]: GENESIS_WEI } })
  const options = { rpcUrl: 'devnet', provider: devnet, account, pollingIntervalMs: 5 }
  const { registry } = await runDeploy(createChainClient(options), { params: devnetParams })
  return { chain: await connectNetwork({ ...options, registry }), devnet }
}
