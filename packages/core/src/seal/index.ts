export { openBox, sealBox } from './box.ts'
export {
  CHUNK_BYTES,
  CONTENT_KEY_BYTES,
  chunkNonce,
  openChunks,
  SEAL_AAD,
  SEALED_CHUNK_BYTES,
  SealBrokenError,
  sealChunks,
  sealedBytesOf,
  TAG_BYTES,
} from './seal.ts'
