import type { Address } from '@memo/core'

/** One MEMO in attomemo. */
export const ATTOMEMO_PER_MEMO: bigint = 10n ** 18n

/** A wait that needs both its seconds and its blocks. */
export type LockParams = { readonly waitSeconds: bigint; readonly waitBlocks: bigint }

/** Everything that a network fixes when it is deployed. */
export type NetworkParams = {
  readonly supplyAtto: bigint
  /** How many active keepers a group needs to serve. */
  readonly level: number
  readonly exitLock: LockParams
  readonly pledge: {
    readonly providerBaseAtto: bigint
    readonly providerRateAttoPerGiB: bigint
    readonly keeperAtto: bigint
    readonly withdrawal: LockParams
  }
  /** Epochs, dispute window, and how long a read allowance takes to close (`spec/orders.md` 4). */
  readonly orders: {
    readonly epochBlocks: bigint
    /** How long an epoch is for prices, which are per second. */
    readonly epochSeconds: bigint
    readonly disputeBlocks: bigint
    readonly disputeSeconds: bigint
    readonly readClosing: LockParams
  }
  /** Who governs; default the deployer. `spec/governance.md` 1 to 4 */
  readonly governance: {
    /** How long what governance decides waits; with 0 the governor needs no timelock. */
    readonly timelockSeconds: bigint
    readonly governor?: Address | undefined
    /** May pause new orders at once; default the governor. */
    readonly pauser?: Address | undefined
    /** May grant space and traffic at once; default the governor. */
    readonly granter?: Address | undefined
  }
  /** Space and traffic of the gateway. `spec/space-market.md` */
  readonly market: {
    readonly spacePriceAttoPerByte: bigint
    readonly trafficPriceAttoPerByte: bigint
    /** Whose vouchers are cashed; default the deployer. */
    readonly seller?: Address | undefined
    /** How long a change of prices and seller is announced. */
    readonly delay: LockParams
    readonly validityDays: bigint
  }
  /** Sales of read rights. `spec/file-did.md` 8 */
  readonly files: {
    /** How long a sealed sale waits for its key. */
    readonly refund: LockParams
    /** Says that keys were released; undefined means nobody, and that keys are not sold sealed. */
    readonly releaser?: Address | undefined
  }
  /** Receives its 1 % of what orders cost; default the deployer. */
  readonly foundation?: Address | undefined
  /** May fail epochs; undefined means nobody. */
  readonly judge?: Address | undefined
  /** May slash; undefined means nobody. */
  readonly slasher?: Address | undefined
}

/** Small sums and short locks, for networks on one machine. */
export const devnetParams: NetworkParams = {
  supplyAtto: 1_000_000_000n * ATTOMEMO_PER_MEMO,
  level: 3,
  exitLock: { waitSeconds: 60n, waitBlocks: 5n },
  pledge: {
    providerBaseAtto: 10n * ATTOMEMO_PER_MEMO,
    providerRateAttoPerGiB: ATTOMEMO_PER_MEMO / 10n,
    keeperAtto: 100n * ATTOMEMO_PER_MEMO,
    withdrawal: { waitSeconds: 60n, waitBlocks: 5n },
  },
  orders: {
    epochBlocks: 10n,
    epochSeconds: 60n,
    disputeBlocks: 10n,
    disputeSeconds: 60n,
    readClosing: { waitSeconds: 60n, waitBlocks: 5n },
  },
  governance: { timelockSeconds: 0n },
  market: {
    spacePriceAttoPerByte: 25_000n,
    trafficPriceAttoPerByte: 10_000n,
    delay: { waitSeconds: 60n, waitBlocks: 5n },
    validityDays: 1_095n,
  },
  files: { refund: { waitSeconds: 60n, waitBlocks: 5n } },
}
