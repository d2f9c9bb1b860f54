export {
  addressFromPublicKey,
  compressPublicKey,
  createKeySigner,
  findSignerAddress,
  findSignerKey,
  isPublicKey,
  keccak256,
  PUBLIC_KEY_BYTES,
  SECRET_KEY_BYTES,
  SIGNATURE_BYTES,
  type Signer,
} from './keys.ts'
export { type Network, type TypedStruct, type TypedValue, typedDigest, typeString } from './typed-data.ts'
export { unwrapKey, wrapKey } from './wrap.ts'
