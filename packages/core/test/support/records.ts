import {
  geometryOf,
  type LogEntry,
  type Manifest,
  type Network,
  type PlacedPart,
  type Placement,
  partIdOf,
  type Receipt,
  type SignedEntry,
  type Signer,
  sealManifest,
  signEntry,
  signReceipt,
  ZERO_HASH,
} from '@memo/core'
import { createSeededRandomness, TEST_NETWORK } from '@memo/core/testing'
import { dataOf } from './data.ts'
import { testSigner } from './keys.ts'

export const network: Network = TEST_NETWORK
export const OWNER = 'did:memo:1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8'
export const CID = 'bafkreia2l7lm225zmhky7cjyat6bnvn7dfq6yxcbkc5r76idhn4dv7khfm'

/** Providers of {@link placement} are test signers 101, 102, …; the owner's key is signer 1. */
export const writer: Signer = testSigner(1)
export const providers: readonly Signer[] = Array.from({ length: 6 }, (_, i) => testSigner(101 + i))

export const placement: Placement = makePlacement()

function makePlacement(): Placement {
  const head = { dataShards: 4, parityShards: 2, sizeBytes: 5_000_000 }
  const pieces = providers.map(({ address }, i) => ({ root: dataOf(`root ${i}`, 32), provider: address, orderId: i }))
  const partId = partIdOf(
    head,
    pieces.map((piece) => piece.root),
  )
  return { ...head, partId, pieces, owner: OWNER, expiry: 1_900_000_000 }
}

export const manifest: Manifest = {
  name: 'photos/2026/猫.jpg',
  contentType: 'image/jpeg',
  cid: CID,
  sizeBytes: 4_998_000,
  createdAt: 1_770_000_000,
  isPublic: false,
  contentKey: dataOf('content key', 32),
  parts: [{ partId: placement.partId, offset: 0, length: 5_000_000 }],
  metadata: { camera: 'α7', empty: '' },
}

export const putEntry: LogEntry = {
  did: OWNER,
  writer: writer.address,
  seq: 1,
  previous: ZERO_HASH,
  time: 1_770_000_001,
  evidence: { token: dataOf('token', 32), timestamp: 1_770_000_000, signature: dataOf('login', 65) },
  action: {
    kind: 'put',
    isPublic: false,
    cid: undefined,
    sizeBytes: manifest.sizeBytes,
    partIds: [placement.partId],
    manifest: sealManifest(manifest, [writer.publicKey], createSeededRandomness('manifest').bytes),
  },
}

export async function makeReceipts(): Promise<Receipt[]> {
  const sizeBytes = geometryOf(placement).pieceBytes
  return await Promise.all(
    placement.pieces.map(({ root, orderId }, i) =>
      signReceipt(network, { orderId, root, sizeBytes, expiry: placement.expiry }, providers[i]!),
    ),
  )
}

export async function makePart(): Promise<PlacedPart> {
  return { placement, receipts: await makeReceipts() }
}

/** A log of `length` entries: a put, then deletions of it. */
export async function makeLog(length: number): Promise<SignedEntry[]> {
  const log: SignedEntry[] = [await signEntry(network, putEntry, writer)]
  for (let seq = 2; seq <= length; seq++) {
    const action = { kind: 'delete', writer: writer.address, seq: 1 } as const
    const entry = { ...putEntry, seq, previous: log.at(-1)!.hash, evidence: undefined, action }
    log.push(await signEntry(network, entry, writer))
  }
  return log
}
