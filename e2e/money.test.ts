import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connectNetwork, getEscrow, listOpenedOrders, type MemoChain } from '@memo/chain'
import { type Address, collectBytes, createKeySigner, MemoError } from '@memo/core'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  LIGHT_SCRYPT_N,
  openKeyStore,
} from '@memo/platform'
import { createGatewayClient, type GatewayClient } from '@memo/sdk'
import { eventually, freshDir, killHard, type Ready, type Server, startNetwork } from './support/memo.ts'

const NETWORK = ['--keepers', '1', '--providers', '4', '--policy', 'rs:2+1']
const SIZE = 400_000
const POLL_MS = 3
const UP_MS = 180_000
const QUIET_MS = 60_000

describe('money between real processes', () => {
  const http = createHttpTransport()
  after(async () => await http.close())

  test('a gateway that is killed while it opens its first orders pays for one with each provider', async () => {
    const { server, ready } = await startNetwork(await freshDir(), NETWORK)
    const chain = await connectNetwork({ rpcUrl: ready.rpc, registry: ready.registry as Address })
    const gateway = ready.nodes.find(({ role }) => role === 'gateway')
    const account = gateway?.address as Address
    const depositAtto = await freeOf(chain, account)
    assert.ok(depositAtto > 0n, 'its escrow was filled')
    const client = await clientOf(ready)

    const file = new Uint8Array(randomBytes(SIZE))
    let isOver = false
    const first = client
      .upload(file, { name: 'first.bin' })
      .catch((thrown: unknown) => thrown)
      .finally(() => {
        isOver = true
      })
    while (!isOver && (await freeOf(chain, account)) === depositAtto) await wait(POLL_MS)
    killHard(gateway?.pid ?? 0)
    assert.ok((await first) instanceof MemoError, 'it ended in the middle')
    await isUpAgain(server, ready.gateway)

    const stored = await (await clientOf(ready)).upload(file, { name: 'first.bin' })
    const { body } = await (await clientOf(ready)).download(stored.cid)
    assert.deepEqual(await collectBytes(body, SIZE + 1), file)
    const opened = await listOpenedOrders(chain.client, { addresses: chain.addresses, user: account })
    assert.ok(opened.length >= 3)
    assert.equal(new Set(opened.map(({ provider }) => provider)).size, opened.length, 'one order for each provider')
    const lockedAtto = async () => {
      let sum = 0n
      for (const { orderId } of opened) {
        const order = await chain.findOrder(orderId)
        const reads = await chain.getReadAllowance(orderId, account)
        sum += (order?.lockedAtto ?? 0n) + (reads.bytesAllowed - reads.bytesPaid) * reads.priceAttoPerByte
      }
      return sum
    }
    await eventually('nothing but locks left the escrow', QUIET_MS, async () => {
      return (await freeOf(chain, account)) + (await lockedAtto()) === depositAtto
    })
    assert.equal(await server.stop(), 0)
  })

  async function clientOf(ready: Ready): Promise<GatewayClient> {
    const keysDir = join(ready.dataDir, 'keys')
    const password = (await readFile(join(keysDir, 'password'), 'utf8')).trimEnd()
    const keys = await openKeyStore(keysDir, password, { scryptN: LIGHT_SCRYPT_N })
    const signer = createKeySigner(await keys.load(basename(ready.keyFile, '.json')))
    const ports = { transport: http.transport, clock: createSystemClock(), random: createSystemRandomness() }
    const client = createGatewayClient({ endpoint: ready.gateway, did: ready.did, signer, ...ports })
    await client.login()
    return client
  }
})

async function freeOf(chain: MemoChain, account: Address): Promise<bigint> {
  return (await getEscrow(chain.client, { addresses: chain.addresses, account })).freeAtto
}

async function isUpAgain(server: Server, gateway: string): Promise<void> {
  await eventually('the gateway is up again', UP_MS, async () => {
    if (server.seen('node-up').filter(({ name }) => name === 'gateway').length < 2) return false
    return await fetch(`${gateway}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
}
