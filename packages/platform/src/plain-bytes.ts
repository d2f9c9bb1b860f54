/**
 * The same bytes as a plain Uint8Array: a Buffer shares its memory on `slice()` where a Uint8Array copies, and code
 * above may rely on the copy.
 */
export function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
