import { encode } from '@ipld/dag-cbor'

/** dag-cbor of `value`, in memory of its own. Throws a plain Error for what is no IPLD data, such as NaN. */
export function encodeCbor(value: unknown): Uint8Array {
  return new Uint8Array(encode(value)) // on Node the encoder gives a Buffer, whose slice would share memory
}
