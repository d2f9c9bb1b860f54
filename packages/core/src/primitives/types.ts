/** An incremental hash. */
export type Hasher = {
  update(data: Uint8Array): void
  /** Ends the hash; the hasher must not be used again. */
  digest(): Uint8Array
}

/** A key as bytes, or as `prepareGcmKey` made it. */
export type GcmKey = Uint8Array | { readonly type: string }

/** The fast operations that differ between Node and browsers; both modules behind `#primitives` have this type. */
export type Primitives = {
  sha256(data: Uint8Array): Uint8Array
  /** Writes the hash of `data` to `out` at `at`: for very many short messages, cheaper than an array for each hash. */
  sha256Into(data: Uint8Array, out: Uint8Array, at: number): void
  createSha256(): Hasher
  /** The key in the form in which many messages in a row cost least: its own cost can be that of sealing 64 KiB. */
  prepareGcmKey(key: Uint8Array): GcmKey
  /** AES-256-GCM: writes ciphertext and 16-byte tag to `out` (plaintext length + 16). `iv` is 12 bytes. */
  gcmSeal(key: GcmKey, iv: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, out: Uint8Array): void
  /** Opens what `gcmSeal` wrote into `out` (sealed length − 16); false when the tag does not match. */
  gcmOpen(key: GcmKey, iv: Uint8Array, sealed: Uint8Array, aad: Uint8Array, out: Uint8Array): boolean
  /** Signature r‖s‖v (v is 0 or 1, s in the lower half) of a 32-byte digest. */
  secp256k1Sign(digest: Uint8Array, secretKey: Uint8Array): Uint8Array
  /** The uncompressed (65-byte) public key that made a signature r‖s‖v (v 0 or 1), or undefined when there is none. */
  secp256k1Recover(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined
  /** The uncompressed (65-byte) public key of a secret key, or undefined when it is none. */
  secp256k1PublicKey(secretKey: Uint8Array): Uint8Array | undefined
  /** Whether `publicKey` is a point of the curve, in 33 or 65 bytes. */
  secp256k1IsPublicKey(publicKey: Uint8Array): boolean
  /** `secretKey` times the point `publicKey` (33 or 65 bytes), uncompressed; undefined when one of them is none. */
  secp256k1SharedPoint(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
}
