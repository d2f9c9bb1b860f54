import { accountFromSecretKey, createChainClient, runDeploy } from '@memo/chain'
import type { Address } from '@memo/core'
import { createDevnet, type Devnet } from '@memo/devnet'
import { LOCAL_BANK_KEY, LOCAL_BANK_WEI, LOCAL_CHAIN_ID, localBankAddress, localParams } from '../../src/local-chain.ts'

export type TestNetwork = {
  readonly devnet: Devnet
  readonly rpcUrl: string
  readonly registry: Address
  /** `--rpc` and `--registry`. */
  readonly args: readonly string[]
  close(): Promise<void>
}

/** A chain with MEMO’s contracts on it, in this process, at a free port of this machine. */
export async function startNetwork(): Promise<TestNetwork> {
  const devnet = await createDevnet({
    chainId: LOCAL_CHAIN_ID,
    genesisAlloc: { [localBankAddress()]: LOCAL_BANK_WEI },
  })
  const { url: rpcUrl } = await devnet.listen({ port: 0 })
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const bank = createChainClient({ rpcUrl, account, pollingIntervalMs: 20 })
  const { addresses } = await runDeploy(bank, { params: localParams(1) })
  const { registry } = addresses
  return {
    devnet,
    rpcUrl,
    registry,
    args: ['--rpc', rpcUrl, '--registry', registry],
    close: async () => await devnet.close(),
  }
}
