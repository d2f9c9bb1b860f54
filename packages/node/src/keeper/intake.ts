import {
  assert,
  continuesLog,
  createTurns,
  equalBytes,
  findBytesFromHex,
  type Hex,
  hexFromBytes,
  type IndexBundle,
  IndexConflictError,
  ZERO_HASH,
} from '@memo/core'
import { type AdmissionOptions, admitBundle, type BundleOrigin } from './admission.ts'

/** The one way in which entries enter a keeper's records, whoever brings them. */
export type Intake = {
  /**
   * Takes a bundle; it is durable when this resolves. `'known'`: this very entry had been taken before. Errors:
   * {@link IndexConflictError}, and those of {@link admitBundle}.
   */
  take(bundle: IndexBundle, origin: BundleOrigin): Promise<'taken' | 'known'>
}

/**
 * An intake over `store`. Entries of one DID go one after another: then no number is given twice, and what one entry
 * deletes another does not publish at the same moment.
 */
export function createIntake(options: AdmissionOptions): Intake {
  const { store } = options
  const inTurn = createTurns()

  const takeNext = async (bundle: IndexBundle, origin: BundleOrigin): Promise<'taken' | 'known'> => {
    const { signed } = bundle
    const { entry } = signed
    const head = await store.findHead(entry)
    if (head && entry.seq <= head.seq) {
      const taken = await store.findEntry(entry, entry.seq)
      if (taken && equalBytes(taken.signed.hash, signed.hash)) return 'known'
    }
    const seq = head?.seq ?? 0
    const hash = head?.hash ?? hexFromBytes(ZERO_HASH)
    if (!continuesLog({ seq, hash: getHash(hash) }, entry)) {
      throw new IndexConflictError(`entry ${entry.seq} does not follow entry ${seq} of its log`, { seq, hash })
    }
    const { parts, loginDigest } = await admitBundle(options, bundle, origin)
    await store.take({ signed, parts, loginDigest })
    return 'taken'
  }
  return { take: (bundle, origin) => inTurn(bundle.signed.entry.did, () => takeNext(bundle, origin)) }
}

function getHash(hash: Hex): Uint8Array {
  const bytes = findBytesFromHex(hash, 32)
  assert(bytes, 'a head keeps a hash')
  return bytes
}
