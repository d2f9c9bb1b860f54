import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createKeeperClient } from '@memo/core'
import { createMemoryDisk } from '@memo/core/testing'
import { createSystemClock, createSystemRandomness, createSystemTimers } from '@memo/platform'
import { startReadyGateway, until } from './support/gateway.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'

describe('a gateway that ends while too few keepers have an entry', () => {
  let network: TestNetwork
  const disk = createMemoryDisk()

  before(async () => {
    network = await startNetwork()
  })
  after(async () => {
    await network.close()
  })

  /** Hashes of the entries that each keeper has of a DID's logs. */
  const entriesOf = async (did: string): Promise<string[][]> => {
    const accounts = await network.chain.listKeepers()
    const ports = {
      network: network.chain.network,
      transport: network.http.transport,
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandomness(),
    }
    const read = accounts.map(async ({ address, endpoint }) => {
      const keeper = createKeeperClient(ports, { address, endpoint })
      const heads = await keeper.listHeads(did)
      const logs = heads.map(async ({ writer }) => await keeper.listEntries(did, writer, 1))
      return (await Promise.all(logs)).flat().map(({ hash }) => Buffer.from(hash).toString('hex'))
    })
    return await Promise.all(read)
  }

  test('hands the same entry over when it begins again, also to keepers that never saw it', async (t) => {
    const [first, ...others] = network.keepers
    const dying = await startReadyGateway(network, { store: disk.openIndexStore() })
    const caller = await dying.join()
    assert.equal((await caller.upload(Buffer.from('before'), { name: 'before' })).status, 200)
    for (const keeper of others) keeper.isDown = true
    const refused = await caller.upload(Buffer.from('cut off'), { name: 'cut off' })
    assert.equal(refused.status, 503, 'one keeper of three is too few')
    disk.crash()
    await dying.close().catch((thrown: unknown) => assert.match(String(thrown), /crashed/))

    first!.isDown = true
    for (const keeper of others) keeper.isDown = false
    const again = await startReadyGateway(network, { store: disk.openIndexStore() })
    t.after(async () => await again.close())
    caller.baseUrl = again.url
    assert.equal((await caller.upload(Buffer.from('after'), { name: 'after' })).status, 200)
    const listed = (await (await caller.get('/mefs/listobjects')).json()) as { Objects: { Name: string }[] }
    assert.deepEqual(
      listed.Objects.map(({ Name }) => Name),
      ['before', 'cut off', 'after'],
    )
    first!.isDown = false
    assert.equal((await caller.upload(Buffer.from('last'), { name: 'last' })).status, 200)
    // Who was away reads from the others what he lacks; had he another entry under a number, he never would.
    const logs = async () => (await entriesOf(caller.did)).map((entries) => entries.join())
    await until('all keepers have the same four entries', async () => {
      const [known, ...same] = await logs()
      return known?.split(',').length === 4 && same.every((log) => log === known)
    })
  })
})
