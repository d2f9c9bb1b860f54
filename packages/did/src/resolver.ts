import { findDidDocumentData, type MemoChain } from '@memo/chain'
import { type Clock, NotFoundError } from '@memo/core'
import type { DIDResolutionResult, DIDResolver } from 'did-resolver'
import { type DidDocument, documentFromData } from './document.ts'
import { BadDidError, findMemoDid, parseDidUrl, parseMemoDid } from './id.ts'
import type { VerificationMethod } from './verification-method.ts'

/** The document of `did`. Errors: {@link BadDidError}, {@link NotFoundError} where it was never created. */
export async function resolveDid(chain: MemoChain, clock: Clock, did: string): Promise<DidDocument> {
  const data = await findDidDocumentData(chain.client, { addresses: chain.addresses, did: parseMemoDid(did) })
  if (!data) throw new NotFoundError(`${did} was never created`, { fix: 'memo did create makes one.' })
  return documentFromData(data, chain.network.chainId, Math.floor(clock.nowMs() / 1000))
}

/**
 * The verification methods that a DID URL names: one for a key written in one way, all of a relation for its name.
 * Errors: {@link BadDidError}, {@link NotFoundError}.
 */
export async function dereferenceDidUrl(
  chain: MemoChain,
  clock: Clock,
  url: string,
): Promise<readonly VerificationMethod[]> {
  const { did, fragment } = parseDidUrl(url)
  const document = await resolveDid(chain, clock, did)
  const relations: Readonly<Record<string, readonly string[]>> = {
    authentication: document.authentication,
    assertion: document.assertionMethod,
    delegation: document.capabilityDelegation,
    recovery: document.recovery,
  }
  const wanted = relations[fragment] ?? [`${did}#${fragment}`]
  const found = document.verificationMethod.filter((method) => wanted.includes(method.id))
  if (found.length === 0 && !relations[fragment]) throw new NotFoundError(`${url} is no active key`)
  return found
}

/** A driver for `did-resolver`: `new Resolver(getResolver(chain, clock))` resolves `did:memo:…`. */
export function getResolver(chain: MemoChain, clock: Clock): { readonly memo: DIDResolver } {
  return {
    memo: async (did): Promise<DIDResolutionResult> => {
      const canonical = findMemoDid(did)
      if (!canonical) return failed('invalidDid')
      try {
        const data = await findDidDocumentData(chain.client, { addresses: chain.addresses, did: canonical })
        if (!data) return failed('notFound')
        const document = documentFromData(data, chain.network.chainId, Math.floor(clock.nowMs() / 1000))
        return {
          didResolutionMetadata: { contentType: 'application/did+ld+json' },
          didDocument: document as unknown as DIDResolutionResult['didDocument'],
          didDocumentMetadata: data.deactivated ? { deactivated: true } : {},
        }
      } catch (thrown) {
        if (thrown instanceof BadDidError) return failed('invalidDid')
        return failed('internalError', thrown instanceof Error ? thrown.message : String(thrown))
      }
    },
  }
}

function failed(error: string, message?: string): DIDResolutionResult {
  return {
    didResolutionMetadata: message === undefined ? { error } : { error, message },
    didDocument: null,
    didDocumentMetadata: {},
  }
}
