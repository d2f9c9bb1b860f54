import { decode, encode } from '@ipld/dag-cbor'

/** Items that any record may have; further ones take so many bytes each on average: those of our records take nine and more. */
const FREE_ITEMS = 1_024
const LEAST_BYTES_PER_ITEM = 8

const BYTES_TYPE = 2
const TEXT_TYPE = 3
/** From here on the low five bits of an item's head say how many bytes its number takes. */
const LONG_NUMBER = 24
const INDEFINITE = 28

/** dag-cbor of `value`, in memory of its own. Throws a plain Error for what is no IPLD data, such as NaN. */
export function encodeCbor(value: unknown): Uint8Array {
  return new Uint8Array(encode(value)) // on Node the encoder gives a Buffer, whose slice would share memory
}

/**
 * What dag-cbor `bytes` say. Throws a plain Error for what is none, and for what would be far larger in memory than it is here:
 * an empty map takes one byte, and a hundred times that once it is an object (`spec/objects.md` 9).
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const most = FREE_ITEMS + Math.floor(bytes.length / LEAST_BYTES_PER_ITEM)
  if (countItems(bytes, most) > most) throw new RangeError(`more than ${most} items in ${bytes.length} bytes`)
  return decode(bytes)
}

/** Items in `bytes`, counted until there are more than `most`; what is malformed is the decoder's to refuse. */
function countItems(bytes: Uint8Array, most: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let items = 0
  for (let at = 0; at < bytes.length && items <= most; items++) {
    const head = bytes[at++]!
    const type = head >> 5
    const low = head & 31
    if (low >= INDEFINITE) return items
    const numberBytes = low < LONG_NUMBER ? 0 : 2 ** (low - LONG_NUMBER)
    if (at + numberBytes > bytes.length) return items
    const number = numberBytes === 0 ? low : numberAt(view, at, numberBytes)
    at += numberBytes + (type === BYTES_TYPE || type === TEXT_TYPE ? number : 0)
  }
  return items
}

function numberAt(view: DataView, at: number, numberBytes: number): number {
  if (numberBytes === 1) return view.getUint8(at)
  if (numberBytes === 2) return view.getUint16(at)
  return numberBytes === 4 ? view.getUint32(at) : Number(view.getBigUint64(at))
}
