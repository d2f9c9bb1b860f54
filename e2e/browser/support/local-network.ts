import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { accountFromSecretKey, connectNetwork, ensureFunds } from '@memo/chain'
import { type Address, findAddress } from '@memo/core'
import { LOCAL_BANK_KEY, LOCAL_GAS_WEI } from '../../../packages/cli/src/local-chain.ts'
import type { Ready } from '../../support/memo.ts'

/** Coins for gas, from the bank of local networks. */
export async function fund({ rpc, registry }: Ready, to: string): Promise<void> {
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const { client, addresses } = await connectNetwork({ rpcUrl: rpc, registry: registry as Address, account })
  await ensureFunds(client, { addresses, to: findAddress(to) as Address, memoAtto: 0n, gasWei: LOCAL_GAS_WEI })
}

/** Changes a byte of a piece on the disk of the provider that holds it. */
export async function tamper(
  ready: Ready,
  piece: { readonly provider: string; readonly root: string },
  at: number,
): Promise<void> {
  const node = ready.nodes.find(({ address }) => address === piece.provider)
  const path = join(ready.dataDir, node?.name ?? '', 'pieces', piece.root.slice(0, 2), piece.root)
  const file: FileHandle = await open(path, 'r+')
  try {
    const byte = new Uint8Array(1)
    await file.read(byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ 0xff
    await file.write(byte, 0, 1, at)
  } finally {
    await file.close()
  }
}

/** Pieces that each provider holds, by name of its node. */
export async function countPieces(ready: Ready): Promise<Record<string, number>> {
  const providers = ready.nodes.filter(({ role }) => role === 'provider')
  const counts = providers.map(async ({ name, url }) => {
    const { pieces } = (await (await fetch(`${url}/info`)).json()) as { pieces: number }
    return [name, pieces] as const
  })
  return Object.fromEntries(await Promise.all(counts))
}
