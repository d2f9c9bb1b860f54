import { ATTOMEMO_PER_MEMO, connectNetwork, getMemoBalance } from '@memo/chain'
import type { Account } from '@memo/core'
import { formatBytes, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile, networkOf, saveProfile } from '../settings.ts'
import { createIdentity, openIdentity } from './identity.ts'
import type { UserOptions } from './open-storage.ts'

/** `memo info`: the network as the chain records it. */
export const info: Verb<UserOptions> = async ({ output }, options) => {
  const profile = findProfile(dataDirOf(options))
  const chain = await connectNetwork(networkOf(options, profile))
  const [block, providers, keepers] = await Promise.all([chain.getBlock(), chain.listProviders(), chain.listKeepers()])
  const { chainId, registry } = chain.network
  const plain = (accounts: readonly Account[]) =>
    accounts.map(({ address, state, endpoint, operator, region, capacityBytes }) => {
      return { address, state, endpoint, operator, region, capacityBytes }
    })
  const rows = (accounts: readonly Account[]) =>
    formatTable(accounts.map((a) => [`  ${a.address}`, a.state, formatBytes(a.capacityBytes), a.region, a.endpoint]))
  const text = [
    `chain      ${chainId}, block ${block.number}`,
    `registry   ${registry}`,
    ...(profile?.gateway ? [`gateway    ${profile.gateway}`] : []),
    ...(profile?.did ? [`you are    ${profile.did}`] : []),
    `keepers    ${keepers.length}`,
    rows(keepers),
    `providers  ${providers.length}`,
    rows(providers),
  ]
  output.data(text.filter((line) => line !== '').join('\n'), {
    event: 'info',
    chainId,
    registry,
    block: block.number,
    timestamp: block.timestamp,
    addresses: chain.addresses,
    ...(profile?.gateway ? { gateway: profile.gateway } : {}),
    ...(profile?.did ? { did: profile.did } : {}),
    keepers: plain(keepers),
    providers: plain(providers),
  })
  return undefined
}

/** `memo did create`: key, account and DID, each where it is not there yet. */
export const createDid: Verb<UserOptions> = async ({ runtime, output }, options) => {
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findProfile(dataDir))
  const identity = await createIdentity({ ...options, ...network, dataDir, signal: runtime.signal })
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
    client.rpc.getBalance({ address: signer.address }),
  ])
  const keys = record?.authenticationKeys.map(({ id, type, address }) => ({ id, type, address })) ?? []
  const text = [
    did,
    `state    ${record ? (record.deactivated ? 'deactivated' : 'active') : 'not on this chain'}`,
    `account  ${signer.address}  ${memoAtto / ATTOMEMO_PER_MEMO} MEMO`,
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
