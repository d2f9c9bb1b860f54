import type { CustomCrypto } from '@ethereumjs/common'

/** Faster primitives than the library's defaults. */
export const fastCrypto: CustomCrypto = {}
