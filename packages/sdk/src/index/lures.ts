import { encodeManifest, hexFromBytes, keccak256, type Manifest } from '@memo/core'

/** Manifests in clear that show a CID which their bytes do not have, as far as they were read here. */
export type Lures = {
  add(manifest: Manifest): void
  has(manifest: Manifest): boolean
}

/** Lures that are remembered; of more, the oldest are forgotten. */
const MAX_LURES = 4_096

export function createLures(): Lures {
  const known = new Set<string>()
  return {
    add(manifest) {
      known.add(nameOf(manifest))
      const [oldest] = known
      if (known.size > MAX_LURES && oldest !== undefined) known.delete(oldest)
    },
    has: (manifest) => known.size > 0 && known.has(nameOf(manifest)),
  }
}

/** What the bytes follow from, whatever else is said of them. */
function nameOf(manifest: Manifest): string {
  return hexFromBytes(keccak256(encodeManifest({ ...manifest, name: '', contentType: '', createdAt: 0 })))
}
