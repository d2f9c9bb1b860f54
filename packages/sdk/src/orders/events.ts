import type { Address } from '@memo/core'

/** Something that whoever pays may want to know; whole numbers of money as decimal strings. */
export type OrderEvent =
  | ({ readonly type: 'order-opened' | 'order-grown' | 'order-renewed' } & OrderFacts & { readonly costAtto?: string })
  /** An order ends soon, and was not renewed so far. */
  | ({ readonly type: 'order-ending' } & OrderFacts & { readonly secondsLeft: number })
  /** An order is over, and what it holds has not come under another one so far. */
  | ({ readonly type: 'order-lapsed' } & OrderFacts)
  /** What an order held that was over came under another one (0: nothing was left of it). */
  | {
      readonly type: 'order-followed'
      readonly orderId: number
      readonly provider: Address
      readonly nextOrderId: number
      readonly usedBytes: number
      readonly lostBytes: number
    }
  /** The chain has rewound and shows an order no more: what it held comes under another one. */
  | ({ readonly type: 'order-forgotten' } & OrderFacts & { readonly heldBytes: number })
  /** What such orders held came under this one. */
  | {
      readonly type: 'pieces-covered'
      readonly orderId: number
      readonly provider: Address
      readonly usedBytes: number
      readonly lostBytes: number
    }
  /** A change that nobody waits for did not come about; it is tried again. */
  | { readonly type: 'order-waits'; readonly provider: Address; readonly error: string; readonly message: string }
  /** The free escrow does not cover what is to be renewed. */
  | { readonly type: 'escrow-low'; readonly freeAtto: string; readonly neededAtto: string }
  | { readonly type: 'reads-allowed'; readonly orderId: number; readonly provider: Address; readonly sizeBytes: number }
  | { readonly type: 'set-committed'; readonly orderId: number; readonly provider: Address; readonly usedBytes: number }

type OrderFacts = {
  readonly orderId: number
  readonly provider: Address
  readonly sizeBytes: number
  readonly endEpoch: number
}
