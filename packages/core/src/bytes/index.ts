export { maxOf, minOf } from './bigint.ts'
export {
  concatBytes,
  equalBytes,
  hex32,
  isCount,
  isTime,
  textFromUtf8,
  uint64be,
  uint64le,
  utf8,
  uvarint,
} from './bytes.ts'
export { decodeCbor, encodeCbor } from './cbor.ts'
export { type Address, findAddress, findBytesFromHex, type Hex, hexFromBytes, NOBODY } from './hex.ts'
export { type ByteSource, type ByteStream, blocksFromStream, collectBytes } from './streams.ts'
