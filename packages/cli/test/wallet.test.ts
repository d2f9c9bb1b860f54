import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ATTOMEMO_PER_MEMO, accountFromSecretKey, connectNetwork, depositEscrow } from '@memo/chain'
import { LOCAL_USER_ATTO } from '../src/local-chain.ts'
import { wallet } from '../src/money/wallet.ts'
import { createIdentity } from '../src/user/identity.ts'
import { startNetwork } from './support/local-network.ts'
import { createTestContext } from './support/test-context.ts'
import { startEndpoint } from './support/tricky-endpoint.ts'

test('a wallet adds up to what an account has while its money moves, and is that of the block that it names', async () => {
  const data = mkdtempSync(join(tmpdir(), 'memo-wallet-'))
  const network = await startNetwork()
  const endpoint = await startEndpoint(network.devnet)
  try {
    const { registry } = network
    const { signal } = new AbortController()
    const { secretKey } = await createIdentity({ dataDir: data, rpcUrl: endpoint.url, registry, signal })
    const account = accountFromSecretKey(secretKey)
    const chain = await connectNetwork({ rpcUrl: network.rpcUrl, registry, account, pollingIntervalMs: 20 })
    const { number } = await chain.getBlock()
    // As soon as the block is read, and again with each question after it, MEMO goes from the account into its escrow.
    let moved = 0
    let moving = Promise.resolve()
    endpoint.play(async (method, params) => {
      const isAsked = method === 'eth_getBlockByNumber' || (moved > 0 && method === 'eth_call')
      const answer = isAsked ? { answer: { result: await network.devnet.request({ method, params }) } } : 'pass'
      if (isAsked && moved++ < 5) {
        const { client, addresses } = chain
        moving = moving.then(
          async () => void (await depositEscrow(client, { addresses, amountAtto: ATTOMEMO_PER_MEMO })),
        )
        await moving
      }
      return answer
    })
    const said = createTestContext()
    await wallet(said.context, { data }, [])
    const shown = said.json.find(({ event }) => event === 'account') as Record<string, bigint | number>
    assert.ok(moved >= 5, `${moved} moves`)
    assert.deepEqual([shown.block, shown.memoAtto, shown.escrowFreeAtto], [number, LOCAL_USER_ATTO, 0n])
  } finally {
    await endpoint.close()
    await network.close()
    rmSync(data, { recursive: true, force: true })
  }
})
