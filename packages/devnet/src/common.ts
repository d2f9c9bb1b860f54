import { Common, Hardfork, Mainnet, type ParamsDict } from '@ethereumjs/common'
import { fastCrypto } from './crypto.ts'

/** Forks that were activated by block number; all of them stand at block 0 here. */
const FORKS_BY_BLOCK: readonly Hardfork[] = [
  Hardfork.Chainstart,
  Hardfork.Homestead,
  Hardfork.TangerineWhistle,
  Hardfork.SpuriousDragon,
  Hardfork.Byzantium,
  Hardfork.Constantinople,
  Hardfork.Petersburg,
  Hardfork.Istanbul,
  Hardfork.Berlin,
  Hardfork.London,
  Hardfork.Paris,
]

const FORKS_BY_TIME: readonly Hardfork[] = [Hardfork.Shanghai, Hardfork.Cancun, Hardfork.Prague]

/**
 * Chain parameters that never change after construction. The library copies them, and rebuilds their cache, for
 * every header and transaction, which costs a third of the CPU; with one fixed hard fork a copy is the original and
 * the same parameter set needs to be merged only once (`spec/devnet.md` 8).
 */
class FixedCommon extends Common {
  readonly #merged: Set<ParamsDict> = new Set()

  override copy(): Common {
    return this
  }

  override updateParams(params: ParamsDict): void {
    if (this.#merged.has(params)) return
    super.updateParams(params)
    this.#merged.add(params)
  }
}

/** The parameters of a chain at the Prague hard fork from its first block. */
export function createCommon(chainId: number): Common {
  return new FixedCommon({
    chain: {
      ...Mainnet,
      name: 'devnet',
      chainId,
      defaultHardfork: Hardfork.Prague,
      hardforks: [
        ...FORKS_BY_BLOCK.map((name) => ({ name, block: 0 })),
        ...FORKS_BY_TIME.map((name) => ({ name, block: null, timestamp: '0' })),
      ],
      bootstrapNodes: [],
      dnsNetworks: [],
    },
    hardfork: Hardfork.Prague,
    customCrypto: fastCrypto,
  })
}
