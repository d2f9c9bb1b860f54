import {
  connectNetwork,
  createCheckpointChain,
  getBlock,
  getGasBalance,
  getMemoBalance,
  getPledge,
  type MemoChain,
} from '@memo/chain'
import type { Account } from '@memo/core'
import { type KnownAccount, listKnownAccounts } from '../money/account.ts'
import { webAddress } from '../money/apply.ts'
import { formatMemo, formatPerGiBMonth } from '../money/units.ts'
import { formatBytes, formatMinute, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile, networkOf, saveProfile } from '../settings.ts'
import { createIdentity, openIdentity } from './identity.ts'
import type { UserOptions } from './open-storage.ts'
import { createRelayedIdentity } from './relayed-identity.ts'

/** `memo info`: the network as the chain records it. */
export const info: Verb<UserOptions> = async ({ output }, options) => {
  const profile = findProfile(dataDirOf(options))
  const chain = await connectNetwork(networkOf(options, profile))
  const [block, epochs, providers, keepers] = await Promise.all([
    chain.getBlock(),
    chain.getEpochs(),
    chain.listProviders().then((accounts) => Promise.all(accounts.map((account) => withMoney(chain, account)))),
    chain.listKeepers().then((accounts) => Promise.all(accounts.map((account) => withMoney(chain, account)))),
  ])
  const { chainId, registry } = chain.network
  const checkpoints = profile?.did === undefined ? [] : await findCheckpoints(chain, dataDirOf(options), profile.did)
  const text = [
    `chain       ${chainId}, block ${block.number}, epoch ${epochs.current}`,
    `registry    ${registry}`,
    ...(profile?.gateway ? [`gateway     ${profile.gateway}`] : []),
    ...(profile?.did ? [`you are     ${profile.did}`] : []),
    ...describeCheckpoints(checkpoints),
    '',
    `${keepers.length} keeper${keepers.length === 1 ? '' : 's'}`,
    tableOf(keepers, []),
    '',
    `${providers.length} provider${providers.length === 1 ? '' : 's'}, ${describeRoom(providers)}`,
    tableOf(providers, ['in orders', 'offered', 'price']),
  ]
  output.data(
    text
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trimEnd(),
    {
      event: 'info',
      chainId,
      registry,
      block: block.number,
      timestamp: block.timestamp,
      epoch: Number(epochs.current),
      epochSeconds: Number(epochs.epochSeconds),
      addresses: chain.addresses,
      ...(profile?.gateway ? { gateway: profile.gateway } : {}),
      ...(profile?.did ? { did: profile.did } : {}),
      checkpoints: checkpoints.map(({ name, address, seq, blockNumber, timestamp }) => {
        return { name, address, seq: seq ?? 0, block: blockNumber ?? null, timestamp: timestamp ?? null }
      }),
      keepers: keepers.map(plain),
      providers: providers.map(plain),
    },
  )
  return undefined
}

/** Since when the chain remembers the DID's files that an account of this directory has stored. */
type KnownCheckpoint = KnownAccount & Partial<{ readonly seq: number; blockNumber: number; timestamp: number }>

/** Of the user, and of the gateway where it is of this directory: others write what they are asked to. */
async function findCheckpoints(chain: MemoChain, dataDir: string, did: string): Promise<KnownCheckpoint[]> {
  const checkpoints = createCheckpointChain(chain)
  const writers = listKnownAccounts(dataDir).filter(({ name }) => name === 'you' || name === 'gateway')
  return await Promise.all(
    writers.map(async (account): Promise<KnownCheckpoint> => {
      const found = await checkpoints.find(did, account.address)
      if (!found) return account
      const { seq, blockNumber } = found
      return { ...account, seq, blockNumber, timestamp: (await getBlock(chain.client, blockNumber)).timestamp }
    }),
  )
}

function describeCheckpoints(checkpoints: readonly KnownCheckpoint[]): string[] {
  return checkpoints.map(({ name, timestamp, blockNumber }, i) => {
    const whose = name === 'you' ? 'what you put' : 'what your gateway put for you'
    const until = timestamp === undefined ? 'none yet' : `up to ${formatMinute(timestamp)} UTC, block ${blockNumber}`
    return `${i === 0 ? 'checkpoint' : '          '}  ${whose}: ${until}`
  })
}

/** What all providers offer together, and what of it is in orders. */
function describeRoom(providers: readonly MoneyedAccount[]): string {
  const offered = providers.reduce((sum, account) => sum + (account.role === 'provider' ? account.capacityBytes : 0), 0)
  const ordered = providers.reduce((sum, { orderedBytes }) => sum + Number(orderedBytes), 0)
  return `${formatBytes(ordered)} of ${formatBytes(offered)} in orders`
}

/** A node with what it has pledged, and the bytes for which it is liable in orders. */
type MoneyedAccount = Account & {
  readonly pledgedAtto: bigint
  readonly requiredPledgeAtto: bigint
  readonly orderedBytes: bigint
}

async function withMoney(chain: MemoChain, account: Account): Promise<MoneyedAccount> {
  const { client, addresses } = chain
  const [{ pledgedAtto, requiredAtto }, orderedBytes] = await Promise.all([
    getPledge(client, { addresses, address: account.address }),
    account.role === 'provider' ? chain.getLiableBytes(account.address) : 0n,
  ])
  return { ...account, pledgedAtto, requiredPledgeAtto: requiredAtto, orderedBytes }
}

function plain(account: MoneyedAccount) {
  const { address, state, endpoint, operator, region, pledgedAtto, requiredPledgeAtto } = account
  const common = { address, state, endpoint, operator, region, pledgedAtto, requiredPledgeAtto }
  if (account.role !== 'provider') return common
  const { capacityBytes, orderedBytes, storagePriceAttoPerGiBSecond, retrievalPriceAttoPerByte } = account
  return { ...common, capacityBytes, orderedBytes, storagePriceAttoPerGiBSecond, retrievalPriceAttoPerByte }
}

function tableOf(accounts: readonly MoneyedAccount[], more: readonly ('in orders' | 'offered' | 'price')[]): string {
  if (accounts.length === 0) return ''
  const cells: Readonly<Record<(typeof more)[number], (account: MoneyedAccount) => string>> = {
    'in orders': ({ orderedBytes }) => formatBytes(Number(orderedBytes)),
    offered: ({ capacityBytes }) => formatBytes(capacityBytes),
    price: ({ storagePriceAttoPerGiBSecond: price }) => formatPerGiBMonth(price),
  }
  const rows = accounts.map((account) => [
    `  ${account.address}`,
    account.state,
    formatMemo(account.pledgedAtto),
    ...more.map((name) => cells[name](account)),
    account.region,
    account.endpoint,
  ])
  return formatTable([['', 'state', 'pledge', ...more, 'region', 'endpoint'], ...rows])
}

export type CreateDidOptions = UserOptions & { readonly relay?: string }

/** `memo did create`: key, account and DID, each where it is not there yet; with `--relay` a gateway pays the gas. */
export const createDid: Verb<CreateDidOptions> = async (context, options) => {
  const { runtime, output } = context
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findProfile(dataDir))
  const common = { ...options, ...network, dataDir, signal: runtime.signal }
  const identity =
    options.relay === undefined
      ? await createIdentity(common)
      : await createRelayedIdentity(context, { ...common, gateway: webAddress('--relay', options.relay) })
  const { did, keyFile, signer } = identity
  await saveProfile(dataDir, { ...findProfile(dataDir), ...profileOf(network, identity.chain.network.chainId), did })
  output.data(`${did}\nkey  ${keyFile}`, { event: 'did', did, keyFile, address: signer.address, dataDir })
  return undefined
}

/** `memo did show`. */
export const showDid: Verb<UserOptions> = async ({ runtime, output }, options) => {
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findProfile(dataDir))
  const { did, keyFile, signer, chain } = await openIdentity({
    ...options,
    ...network,
    dataDir,
    signal: runtime.signal,
  })
  const record = await chain.findDid(did)
  const { client, addresses } = chain
  const [memoAtto, wei] = await Promise.all([
    getMemoBalance(client, { addresses, address: signer.address }),
    getGasBalance(client, { address: signer.address }),
  ])
  const keys = record?.authenticationKeys.map(({ id, type, address }) => ({ id, type, address })) ?? []
  const text = [
    did,
    `state    ${record ? (record.deactivated ? 'deactivated' : 'active') : 'not on this chain'}`,
    `account  ${signer.address}  ${formatMemo(memoAtto)}`,
    `key      ${keyFile}`,
    ...keys.map((key) => `signs    ${key.id}  ${key.address}`),
  ]
  const state = { deactivated: record?.deactivated ?? null, onChain: record !== undefined }
  output.data(text.join('\n'), { event: 'did', did, keyFile, address: signer.address, memoAtto, wei, ...state, keys })
  return undefined
}

function profileOf({ rpcUrl, registry }: ReturnType<typeof networkOf>, chainId: number) {
  return { rpc: rpcUrl, registry, chainId }
}
