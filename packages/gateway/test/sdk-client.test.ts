import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { collectBytes, createKeySigner } from '@memo/core'
import { addAuthenticationKey } from '@memo/did'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient, createStorage, type GatewayClient } from '@memo/sdk'
import { cidOf, createCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { fresh } from './support/objects.ts'

const MAX_BYTES = 2 ** 24
let network: TestNetwork
let gateway: TestGateway

before(async () => {
  network = await startNetwork()
  gateway = await startReadyGateway(network)
})
after(async () => {
  await gateway.close()
  await network.close()
})

async function clientOf(
  who: Pick<Awaited<ReturnType<TestNetwork['newDid']>>, 'did' | 'master'>,
): Promise<GatewayClient> {
  return createGatewayClient({
    endpoint: gateway.url,
    transport: network.http.transport,
    did: who.did,
    signer: who.master,
    clock: createSystemClock(),
    random: createSystemRandomness(),
  })
}

describe('the client of the SDK at this gateway', () => {
  test('stores, lists, reads, looks after and deletes', async () => {
    const client = await clientOf(await network.newDid())
    const content = fresh(200_000)
    const { cid } = await client.upload(content, { name: '存储 "1".txt' })
    assert.equal(cid, cidOf(content))
    const [object] = await client.list()
    assert.deepEqual(
      [object?.name, object?.sizeBytes, object?.cid, object?.isPublic],
      ['存储 "1".txt', 200_000, cid, false],
    )
    const whole = await client.download(cid)
    assert.equal(whole.contentType, 'text/plain')
    assert.deepEqual(await collectBytes(whole.body, MAX_BYTES), content)
    const part = await client.download(cid, { range: { offset: 65_000, length: 1_000 } })
    assert.deepEqual(await collectBytes(part.body, MAX_BYTES), content.slice(65_000, 66_000))
    assert.equal(((await client.status(cid)) as { parts: unknown[] }).parts.length, 3)
    await client.remove(object?.id ?? 0)
    assert.deepEqual(await client.list(), [])
    await assert.rejects(client.download(cid), { name: 'GatewayError' })
  })

  test('asks many things at a time, and comes back after somebody else’s login took its session', async () => {
    const who = await network.newDid()
    const client = await clientOf(who)
    const contents = [fresh(), fresh(), fresh(), fresh()]
    await Promise.all(contents.map(async (content) => await client.upload(content, { name: 'x', isPublic: true })))
    assert.equal((await client.list()).length, 4)
    const other = createCaller(gateway.url, who.did, who.master)
    assert.equal((await other.login(Date.now() + 1_000)).status, 200)
    // A login is newer than the last one, by whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    assert.equal((await client.list()).length, 4)
    const bytes = await client.download(cidOf(contents[0] ?? fresh()), { isPublic: true })
    assert.deepEqual(await collectBytes(bytes.body, MAX_BYTES), contents[0])
  })

  test('logs in by a second key of the DID, and the owner needs no gateway to read what that key stored', async () => {
    const { did, master } = await network.newDid()
    const secretKey = testKey(5_000)
    const second = createKeySigner(secretKey)
    await addAuthenticationKey(network.chain, did, master, second.publicKey)
    const client = await clientOf({ did, master: second })
    const content = fresh(10_000)
    const { cid } = await client.upload(content, { name: 'mine.bin' })

    const ports = {
      network: network.chain.network,
      transport: network.http.transport,
      clock: createSystemClock(),
      timers: { sleep: async (ms: number) => await new Promise<void>((resolve) => setTimeout(resolve, ms).unref()) },
      random: createSystemRandomness(),
      signer: second,
    }
    const storage = createStorage({ ports, chain: network.chain, reader: { publicKey: second.publicKey, secretKey } })
    const object = await storage.findObject(did, cid)
    assert.equal(object?.name, 'mine.bin')
    assert.ok(object?.manifest)
    assert.deepEqual(await collectBytes(storage.read(object.manifest), MAX_BYTES), content)
    await storage.close()
  })
})
