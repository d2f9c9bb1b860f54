/** An incremental hash. */
export type Hasher = {
  update(data: Uint8Array): void
  /** Ends the hash; the hasher must not be used again. */
  digest(): Uint8Array
}

/** The fast operations that differ between Node and browsers; both modules behind `#primitives` have this type. */
export type Primitives = {
  sha256(data: Uint8Array): Uint8Array
  createSha256(): Hasher
  /** AES-256-GCM: writes ciphertext and 16-byte tag to `out` (plaintext length + 16). `iv` is 12 bytes. */
  gcmSeal(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, out: Uint8Array): void
  /** Opens what `gcmSeal` wrote into `out` (sealed length − 16); false when the tag does not match. */
  gcmOpen(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, aad: Uint8Array, out: Uint8Array): boolean
  /** Signature r‖s‖v (v is 0 or 1, s in the lower half) of a 32-byte digest. */
  secp256k1Sign(digest: Uint8Array, secretKey: Uint8Array): Uint8Array
  /** The uncompressed (65-byte) public key that made a signature r‖s‖v (v 0 or 1), or undefined when there is none. */
  secp256k1Recover(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined
}
