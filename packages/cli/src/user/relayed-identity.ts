import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectNetwork, createChainClient, getBlock } from '@memo/chain'
import { createKeySigner, hexFromBytes } from '@memo/core'
import { DidTakenError, deriveMemoDid, type MemoDid, signOperation } from '@memo/did'
import { BadGatewayAnswerError } from '@memo/sdk'
import { isLocalNetwork } from '../local-chain.ts'
import { callGateway } from '../money/gateway.ts'
import { createStamp } from '../money/stamp.ts'
import { openKeys } from '../password.ts'
import type { Context } from '../program.ts'
import { findProfile, saveProfile } from '../settings.ts'
import { type Identity, type IdentityOptions, keyFileOf, USER_KEY } from './identity.ts'

const METHOD = 'EcdsaSecp256k1VerificationKey2019'
const LOOK_MS = 500
/** The gateway has said that it is on the chain; ours may be a little behind. */
const MAX_LOOKS = 60

/**
 * The identity of a data directory, made where there is none, at the expense of a gateway: its key signs the creation, a
 * stamp of work shows that it is meant, and the gateway pays the gas. What is there is kept. The account is no User of the
 * contracts: it stores through gateways. Errors: GatewayError, DidTakenError; those of the chain and the key store.
 */
export async function createRelayedIdentity(
  context: Context,
  options: IdentityOptions & { readonly gateway: string },
): Promise<Identity> {
  const { dataDir, rpcUrl, registry, gateway, signal } = options
  await getBlock(createChainClient({ rpcUrl }))
  const chain = await connectNetwork({ rpcUrl, registry })
  const keys = await openKeys(dataDir, { ...options, isLocal: await isLocalNetwork(rpcUrl) })
  if (!(await keys.list()).includes(USER_KEY)) await keys.save(USER_KEY, new Uint8Array(randomBytes(32)))
  const secretKey = await keys.load(USER_KEY)
  const signer = createKeySigner(secretKey)
  const did = deriveMemoDid(signer.address, 0)
  const isOwn = async () => {
    const record = await chain.findDid(did)
    if (record && record.masterAddress !== signer.address) throw new DidTakenError(did, 'has another master key')
    return record !== undefined
  }
  if (!(await isOwn())) {
    const { chainId } = chain.network
    const operation = { kind: 'createDid', did, methodType: METHOD, key: signer.publicKey } as const
    const signature = await signOperation(operation, signer, { chainId, didProxy: chain.addresses.didProxy })
    const stamp = await createStamp(context, gateway, { purpose: 'did', subject: did })
    const publicKey = hexFromBytes(signer.publicKey)
    const body = { did, methodType: METHOD, publicKey, signature: hexFromBytes(signature), stamp }
    await callGateway(gateway, { method: 'POST', path: '/did', body, signal })
    await untilSeen(did, isOwn, signal)
  }
  const { chainId } = chain.network
  await saveProfile(dataDir, { ...findProfile(dataDir), rpc: rpcUrl, registry, chainId, gateway, did, key: USER_KEY })
  return { did, secretKey, signer, keyFile: keyFileOf(dataDir), chain }
}

/** A gateway is believed when the chain says the same. Errors: BadGatewayAnswerError. */
async function untilSeen(did: MemoDid, isThere: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    if (await isThere()) return
    await sleep(LOOK_MS, undefined, { signal })
  }
  throw new BadGatewayAnswerError(`that ${did} is made, and the chain does not have it`)
}
