import { accountFromSecretKey, type MemoChain } from '@memo/chain'
import { deployNetwork } from '@memo/chain/testing'
import { createDevnet, type Devnet } from '@memo/devnet'

/** Pays for everything in tests. A test key. */
const DEPLOYER = new Uint8Array(32).fill(0x11)
const GENESIS_WEI = 10n ** 24n

/** MEMO's contracts on a chain in this process. */
export async function startNetwork(): Promise<{ readonly chain: MemoChain; readonly devnet: Devnet }> {
  const devnet = await createDevnet({ genesisAlloc: { [accountFromSecretKey(DEPLOYER).address]: GENESIS_WEI } })
  const { owner: chain } = await deployNetwork(devnet, { deployerKey: DEPLOYER })
  return { chain, devnet }
}
