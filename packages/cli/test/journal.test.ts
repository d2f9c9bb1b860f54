import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ATTOMEMO_PER_MEMO, accountFromSecretKey, connectNetwork, type RpcProvider } from '@memo/chain'
import { type IndexStore, textFromUtf8 } from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness, createSystemTimers } from '@memo/platform'
import { createIdentity } from '../src/user/identity.ts'
import { openUserOrders, type UserOrders } from '../src/user/open-orders.ts'
import { startNetwork } from './support/local-network.ts'
import { joinProvider, placeOrder } from './support/order.ts'

const MIB = 1_048_576

test('what a user’s orders sign for a purpose is on disk before it leaves, so that a killed command does not lock money twice', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'memo-journal-'))
  const network = await startNetwork()
  const { transport, close } = createHttpTransport()
  const { signal } = new AbortController()
  let book: UserOrders | undefined
  try {
    const { rpcUrl, registry } = network
    const { signer, secretKey, chain } = await createIdentity({ dataDir, rpcUrl, registry, signal })
    const provider = await joinProvider(network, 0x21, 10n ** 9n)
    const terms = { sizeBytes: 2n ** 30n, priceAtto: 10n ** 9n, epochs: 1_000n, depositAtto: 100n * ATTOMEMO_PER_MEMO }
    const orderId = await placeOrder(chain, provider, terms)
    let store: IndexStore | undefined
    const seen: { readonly key: string; readonly hasIt: boolean }[] = []
    const watching: RpcProvider = {
      async request({ method, params }) {
        if (method === 'eth_sendRawTransaction' && store) {
          const [raw] = params as readonly string[]
          for (const { key, value } of await store.list({ prefix: 'sent/', limit: 10 })) {
            seen.push({ key, hasIt: (textFromUtf8(value) ?? '').includes(raw ?? 'none') })
          }
        }
        return await network.devnet.request({ method, params })
      },
    }
    const account = accountFromSecretKey(secretKey)
    const watched = await connectNetwork({ rpcUrl, registry, provider: watching, account, pollingIntervalMs: 20 })
    const ports = {
      network: watched.network,
      transport,
      signer,
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandomness(),
    }
    book = await openUserOrders('must', { dataDir, chain: watched, ports, onEvent: () => undefined, signal })
    assert.ok(book)
    store = book.store
    await book.orders.findExpiry([Number(orderId)])
    const payment = book.orders.reads(10 * MIB).find(provider.address, Number(orderId))
    assert.equal(await payment?.payMore(undefined, AbortSignal.timeout(20_000)), true)
    assert.deepEqual(
      seen.map(({ hasIt }) => hasIt),
      [true],
      'the journal had it when it left',
    )
    assert.match(seen[0]?.key ?? '', /^sent\/985\/0x[0-9a-f]{40}\/reads\//)
  } finally {
    await book?.close()
    await close()
    await network.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
})
