import { encode, prepare } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { primitives } from '#primitives'
import { concatBytes, uvarint } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'

/** How a file is cut into UnixFS leaves: equal bytes and equal profile give equal CIDs (`spec/objects.md` 1). */
export type CidProfile = {
  readonly name: CidProfileName
  readonly leafBytes: number
  /** Children of a node at the most. */
  readonly width: number
}

export type CidProfileName = 'unixfs-v1-2025' | 'kubo-legacy' | 'memo-legacy'

const MIB = 1_048_576
const SHA2_256 = 0x12
const DAG_PB = 0x70

/** The profiles by name; the first is the default (IPIP-499). */
export const CID_PROFILES: Readonly<Record<CidProfileName, CidProfile>> = {
  'unixfs-v1-2025': { name: 'unixfs-v1-2025', leafBytes: MIB, width: 1024 },
  'kubo-legacy': { name: 'kubo-legacy', leafBytes: MIB / 4, width: 174 },
  'memo-legacy': { name: 'memo-legacy', leafBytes: 253_952, width: 174 },
}

export const DEFAULT_CID_PROFILE: CidProfileName = 'unixfs-v1-2025'

/** Builds the CID of a file from its bytes in order, keeping only hashes. */
export type CidBuilder = {
  update(bytes: Uint8Array): void
  /** Ends the file; returns its CIDv1 in base32. */
  finish(): string
}

type Child = { readonly cid: CID; readonly fileBytes: number; readonly dagBytes: number }

/**
 * A {@link CidBuilder} for one file, by the name of a profile or by its numbers; memory is bounded by the tree's height
 * times its width. Errors: {@link BadInputError} for an unknown name.
 */
export function createCidBuilder(
  by: CidProfileName | Pick<CidProfile, 'leafBytes' | 'width'> = DEFAULT_CID_PROFILE,
): CidBuilder {
  const profile = typeof by !== 'string' ? by : Object.hasOwn(CID_PROFILES, by) ? CID_PROFILES[by] : undefined
  if (!profile) throw new BadInputError(`unknown CID profile ${String(by)}`)
  const levels: { children: Child[]; total: number }[] = []
  let hasher = primitives.createSha256()
  let filled = 0

  const push = (level: number, child: Child) => {
    levels[level] ??= { children: [], total: 0 }
    const at = levels[level]
    if (at.children.length === profile.width) flush(level)
    at.children.push(child)
    at.total++
  }
  const flush = (level: number) => {
    const at = levels[level]
    if (!at) return
    const children = at.children
    at.children = []
    push(level + 1, fileNode(children))
  }
  const endLeaf = () => {
    const cid = CID.createV1(raw.code, createMultihash(SHA2_256, hasher.digest()))
    push(0, { cid, fileBytes: filled, dagBytes: filled })
    hasher = primitives.createSha256()
    filled = 0
  }

  return {
    update(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (filled === profile.leafBytes) endLeaf()
        const take = Math.min(profile.leafBytes - filled, bytes.length - at)
        hasher.update(bytes.subarray(at, at + take))
        filled += take
        at += take
      }
    },
    finish() {
      if (filled > 0 || levels.length === 0) endLeaf()
      for (let level = 0; ; level++) {
        const at = levels[level]
        if (at?.total === 1 && at.children[0]) return at.children[0].cid.toString()
        flush(level)
      }
    },
  }
}

/** A balanced UnixFS file node over `children` (dag-pb; data = type file, size, block sizes). */
function fileNode(children: readonly Child[]): Child {
  const fileBytes = children.reduce((sum, child) => sum + child.fileBytes, 0)
  const data = concatBytes(
    Uint8Array.of(0x08, 0x02, 0x18),
    uvarint(fileBytes),
    ...children.map((child) => concatBytes(Uint8Array.of(0x20), uvarint(child.fileBytes))),
  )
  const links = children.map((child) => ({ Name: '', Tsize: child.dagBytes, Hash: child.cid }))
  const block = encode(prepare({ Data: data, Links: links }))
  const cid = CID.createV1(DAG_PB, createMultihash(SHA2_256, primitives.sha256(block)))
  return { cid, fileBytes, dagBytes: block.length + children.reduce((sum, child) => sum + child.dagBytes, 0) }
}
