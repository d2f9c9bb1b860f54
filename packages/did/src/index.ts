/**
 * Memo DIDs: what they are called (`id.ts`), how their keys change them (`operations.ts`, `create.ts`), and what they
 * look like to the world (`document.ts`, `resolver.ts`). The contract and the messages are `spec/did.md`.
 */
export { addAuthenticationKey, createMemoDid, DidTakenError, removeAuthenticationKey } from './create.ts'
export { type DidDocument, documentFromData } from './document.ts'
export { BadDidError, deriveMemoDid, didId, findMemoDid, type MemoDid, parseDidUrl, parseMemoDid } from './id.ts'
export {
  type DidOperation,
  type MethodType,
  type OperationDomain,
  operationDigest,
  operationMessage,
  type RelationKind,
  signOperation,
  typedOperationDigest,
} from './operations.ts'
export { dereferenceDidUrl, getResolver, resolveDid } from './resolver.ts'
export type { OriginalVerificationMethod, Secp256k1Jwk, VerificationMethod } from './verification-method.ts'
