import { type Address, hex32, type SetPiece } from '@memo/core'
import type { OrderRecord, OrderStore } from './store.ts'

/** Pieces whose order the chain has forgotten, until they have come under another one (`spec/sdk.md` 21). */
export type BarePieces = {
  /** Reads what is kept; resolves with the providers with which there were such orders. */
  load(): Promise<readonly Address[]>
  /** Whether there ever was such an order with this provider. */
  knows(provider: Address): boolean
  list(provider: Address): readonly SetPiece[]
  has(provider: Address, root: Uint8Array): boolean
  /** What was held under `order` is so no more; durable when it resolves. */
  add(order: OrderRecord, pieces: readonly SetPiece[]): Promise<void>
  drop(provider: Address, root: Uint8Array): Promise<void>
}

export function createBarePieces(store: OrderStore): BarePieces {
  const bare = new Map<Address, Map<string, SetPiece>>()
  const note = (provider: Address, piece: SetPiece) => bare.get(provider)?.set(hex32(piece.root), piece)
  const open = (provider: Address) => {
    if (!bare.has(provider)) bare.set(provider, new Map())
  }
  return {
    async load() {
      const providers = await store.listForgetful()
      for (const provider of providers) {
        open(provider)
        for await (const piece of store.listBare(provider)) note(provider, piece)
      }
      return providers
    },
    knows: (provider) => bare.has(provider),
    list: (provider) => [...(bare.get(provider)?.values() ?? [])],
    has: (provider, root) => bare.get(provider)?.has(hex32(root)) ?? false,
    async add(order, pieces) {
      await store.uncover(order, pieces)
      open(order.provider)
      for (const piece of pieces) note(order.provider, piece)
    },
    async drop(provider, root) {
      if (bare.get(provider)?.delete(hex32(root))) await store.dropBare(provider, root)
    },
  }
}
