import { randomBytes } from 'node:crypto'
import { connectNetwork, type MemoChain } from '@memo/chain'
import { type Address, createKeySigner, type Signer } from '@memo/core'
import {
  createHttpTransport,
  createStripePool,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
} from '@memo/platform'
import { createStorage, type ReaderKeys, type Storage } from '@memo/sdk'
import type { Context } from '../program.ts'
import { type CommonOptions, dataDirOf, findProfile, type NetworkOptions, networkOf } from '../settings.ts'
import { type Identity, openIdentity } from './identity.ts'

export type UserOptions = CommonOptions & NetworkOptions & { readonly passwordFile?: string }

/** What a user's verb works with. */
export type Session = {
  readonly identity: Identity
  readonly storage: Storage
  readonly reader: ReaderKeys
}

/** Opens the identity of the data directory and a storage for it, and closes them after `use`. */
export async function withSession<T>(
  { runtime }: Context,
  options: UserOptions,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const dataDir = dataDirOf(options)
  const { signal } = runtime
  const identity = await openIdentity({ ...options, ...networkOf(options, findProfile(dataDir)), dataDir, signal })
  return await withStorage(identity.chain, identity.signer, identity.secretKey, async (storage, reader) => {
    return await use({ identity, storage, reader })
  })
}

/** A storage that anybody may open: it finds and reads what is public. */
export async function withAnonymous<T>(
  network: { readonly rpcUrl: string; readonly registry: Address },
  use: (storage: Storage, chain: MemoChain) => Promise<T>,
): Promise<T> {
  const chain = await connectNetwork(network)
  const secretKey = new Uint8Array(randomBytes(32))
  return await withStorage(chain, createKeySigner(secretKey), secretKey, async (storage) => await use(storage, chain))
}

/** A storage over sockets, closed after `use`. */
export async function withStorage<T>(
  chain: MemoChain,
  signer: Signer,
  secretKey: Uint8Array,
  use: (storage: Storage, reader: ReaderKeys) => Promise<T>,
): Promise<T> {
  const { transport, close } = createHttpTransport()
  const pool = createStripePool()
  const reader = { publicKey: signer.publicKey, secretKey }
  const storage = createStorage({
    chain,
    reader,
    encode: (stripe) => pool.encode(stripe),
    openChunks: (chunks) => pool.openChunks(chunks),
    ports: {
      network: chain.network,
      transport,
      signer,
      hashUnits: (data) => pool.hashUnits(data),
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandomness(),
    },
  })
  try {
    return await use(storage, reader)
  } finally {
    await storage.close()
    await pool.close()
    await close()
  }
}
