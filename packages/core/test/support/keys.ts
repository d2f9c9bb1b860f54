import { createKeySigner, findBytesFromHex, type Signer } from '@memo/core'

/** Published test keys: no value may ever be sent to them. */
export const V1_TEST_KEY: Uint8Array = bytes('0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4')
export const V2_TEST_KEY: Uint8Array = bytes('0x9b4fc2a14cbc63a0d338377413ca72949cbb2fd5be1b08844b4b5e332597d91e')

/** Test signer number `n`: its secret key is the number itself. */
export function testSigner(n: number): Signer {
  return createKeySigner(testSecret(n))
}

export function testSecret(n: number): Uint8Array {
  const key = new Uint8Array(32)
  new DataView(key.buffer).setUint32(28, n)
  return key
}

export function bytes(hex: string): Uint8Array {
  const found = findBytesFromHex(hex)
  if (!found) throw new TypeError(`not hex: ${hex}`)
  return found
}
