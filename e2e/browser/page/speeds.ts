import {
  createCidBuilder,
  createKeySigner,
  DEFAULT_CID_PROFILE,
  encodeStripe,
  findSignerAddress,
  hashUnits,
  isErasureVariantSupported,
  openChunks,
  sealChunks,
  sealedBytesOf,
  stripePlainBytesOf,
} from '@memo/core'
import { createWebCryptoEncoder } from '@memo/sdk/browser'

const MIB = 1_048_576
const POLICY = { dataShards: 4, parityShards: 2 }

export type Speeds = {
  readonly erasureKernel: string
  /** By work, in MB of input a second. */
  readonly megabytesPerSecond: Readonly<Record<string, number>>
  /** By work, how often a second. */
  readonly perSecond: Readonly<Record<string, number>>
}

/** How fast the engine runs in this page, on one thread. */
export async function measureSpeeds(): Promise<Speeds> {
  const key = new Uint8Array(32).fill(7) // a test key
  const plaintext = patterned(stripePlainBytesOf(POLICY.dataShards, true))
  const clear = patterned(POLICY.dataShards * MIB)
  const sealed = new Uint8Array(sealedBytesOf(plaintext.length))
  const stripe = { ...POLICY, firstChunk: 0, endsObject: true }
  const signer = createKeySigner(key)
  const digest = patterned(32)
  const signature = await signer.signDigest(digest)
  const encodeByWebCrypto = createWebCryptoEncoder()
  sealChunks(key, 0, plaintext, true, sealed)
  return {
    erasureKernel: (['relaxed', 'strict', 'scalar'] as const).find(isErasureVariantSupported) ?? 'none',
    megabytesPerSecond: {
      seal: await rateOf(plaintext.length, () => sealChunks(key, 0, plaintext, true, sealed)),
      open: await rateOf(plaintext.length, () => openChunks(key, 0, sealed, true)),
      'hash of a piece': await rateOf(clear.length, () => hashUnits(clear)),
      CID: await rateOf(clear.length, () => {
        const builder = createCidBuilder(DEFAULT_CID_PROFILE)
        builder.update(clear)
        builder.finish()
      }),
      'stripe in clear, rs:4+2': await rateOf(clear.length, () =>
        encodeStripe({ ...stripe, plaintext: clear, contentKey: undefined }),
      ),
      'stripe sealed, rs:4+2': await rateOf(plaintext.length, () =>
        encodeStripe({ ...stripe, plaintext, contentKey: key }),
      ),
      'stripe sealed by WebCrypto, rs:4+2': await rateOf(plaintext.length, () =>
        encodeByWebCrypto({ ...stripe, plaintext, contentKey: key }),
      ),
    },
    perSecond: {
      signatures: await countOf(async () => void (await signer.signDigest(digest))),
      recoveries: await countOf(async () => void findSignerAddress(digest, signature)),
    },
  }
}

function patterned(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) & 255)
}

/** Megabytes a second, after one run to warm up; the best of three counts. */
async function rateOf(sizeBytes: number, work: () => unknown): Promise<number> {
  await work()
  let bestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3; i++) {
    const startedMs = performance.now()
    await work()
    bestMs = Math.min(bestMs, performance.now() - startedMs)
  }
  return Math.round(sizeBytes / 1_000 / bestMs)
}

async function countOf(work: () => Promise<void>): Promise<number> {
  const times = 20
  await work()
  const startedMs = performance.now()
  for (let i = 0; i < times; i++) await work()
  return Math.round((times * 1_000) / (performance.now() - startedMs))
}
