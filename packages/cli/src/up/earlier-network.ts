import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ChainClient,
  ContractsVersionMismatch,
  createChainClient,
  type DeployPlan,
  findDeployConflict,
  getBlock,
  readAddresses,
} from '@memo/chain'
import { MemoError } from '@memo/core'
import { createDevnet, DirectoryInUseError } from '@memo/devnet'
import { LOCAL_BANK_WEI, LOCAL_CHAIN_ID, localBankAddress } from '../local-chain.ts'
import { subdirectoriesOf } from '../money/account.ts'
import { findProfile, quotedPath } from '../settings.ts'

/** A data directory holds a network whose contracts are not those that this program brings. */
export class EarlierNetworkError extends MemoError {
  override readonly name: string = 'EarlierNetworkError'
}

/** Whom the error tells what to do, as long as nobody has taken these names. */
const MAX_NAMES = 1_000

/**
 * Refuses a data directory whose chain holds the contracts of another version, before anything is started or written. The chain
 * is only opened where its contracts were not recorded as these. Errors: {@link EarlierNetworkError}; those of the chain.
 */
export async function assertOwnNetwork(dataDir: string, plan: DeployPlan): Promise<void> {
  const chainDir = join(dataDir, 'chain')
  if (!existsSync(chainDir)) return
  try {
    const devnet = await createDevnet({
      dataDir: chainDir,
      chainId: LOCAL_CHAIN_ID,
      genesisAlloc: { [localBankAddress()]: LOCAL_BANK_WEI },
    })
    try {
      await assertPlanOn(createChainClient({ rpcUrl: 'http://127.0.0.1', provider: devnet }), dataDir, plan)
    } finally {
      await devnet.close()
    }
  } catch (thrown) {
    // A chain of the last run that still stops: it is started again, and waited for, by whoever serves it.
    if (!(thrown instanceof DirectoryInUseError)) throw thrown
  }
}

async function assertPlanOn(client: ChainClient, dataDir: string, plan: DeployPlan): Promise<void> {
  const conflict = await findDeployConflict(client, plan)
  if (!conflict) return
  const [versions, { number, timestamp }] = await Promise.all([versionsOf(client, dataDir), getBlock(client)])
  const last = new Date(timestamp * 1_000).toISOString().slice(0, 16).replace('T', ' ')
  const names = subdirectoriesOf(dataDir)
  const count = (role: string) => {
    const { length } = names.filter((name) => name.startsWith(`${role}-`))
    return `${length} ${role}${length === 1 ? '' : 's'}`
  }
  const did = findProfile(dataDir)?.did
  const what = [
    `${count('keeper')}, ${count('provider')} and what they store`,
    ...(did === undefined ? [] : [did]),
    `a chain of ${number} blocks, the last of ${last} UTC`,
  ]
  throw new EarlierNetworkError(`${dataDir} holds a network that another version of memo made${versions}`, {
    blame: 'user',
    retry: 'never',
    cause: conflict,
    fix: [
      `For a new network: memo up --data ${quotedPath(freshNameBeside(dataDir))}`,
      `For what is in the old one (${what.join(', ')}): start it with the version of memo that made it.`,
      'Nothing was started or changed.',
    ].join('\n'),
    details: { dataDir, blocks: number, ...(did === undefined ? {} : { did }) },
  })
}

/** Which versions meet, where the old network says so. */
async function versionsOf(client: ChainClient, dataDir: string): Promise<string> {
  const registry = findProfile(dataDir)?.registry
  if (registry === undefined) return ''
  try {
    await readAddresses(client, { registry, chainId: LOCAL_CHAIN_ID })
  } catch (thrown) {
    if (thrown instanceof ContractsVersionMismatch) {
      const { expected, actual } = thrown.details
      return `: its contracts have version ${actual}, this memo brings version ${expected}`
    }
    if (!(thrown instanceof MemoError)) throw thrown
  }
  return '' // the same number, or a registry that does not say one
}

/** A directory that is not there yet. */
function freshNameBeside(dataDir: string): string {
  for (let number = 2; number < MAX_NAMES; number++) {
    if (!existsSync(`${dataDir}-${number}`)) return `${dataDir}-${number}`
  }
  return `${dataDir}-new`
}
