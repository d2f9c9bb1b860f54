import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loginDigest, type ManifestEnvelope, signEntry, ZERO_HASH } from '@memo/core'
import { TEST_NETWORK } from '@memo/core/testing'
import { collect, createWorld, listAll, putOptions, testBytes, testKey, type World } from './support/world.ts'

const INVENTED_LOGS = 2_000

async function names(world: World): Promise<(string | undefined)[]> {
  const objects = await world.run(listAll(world.open().list(world.did, { reader: world.owner })))
  return objects.map((object) => object.name)
}

describe('a keeper that invents logs', () => {
  test('is reported, asked no more, and hides nothing', async () => {
    const world = createWorld()
    await world.put(testBytes(10))
    const [liar] = world.keepers
    liar!.faults.inventLogs = Array.from({ length: INVENTED_LOGS }, (_, i) => ({
      writer: `0x${(i + 1).toString(16).padStart(40, '0')}`,
      seq: 1 + i,
    }))
    assert.deepEqual(await names(world), ['a.bin'])
    assert.deepEqual(new Set(world.faults.map(({ address }) => address)), new Set([liar!.address]))
    const asked = liar!.requests.filter((request) => /^GET \/index\/[^/]+\/0x/.test(request))
    assert.ok(asked.length <= 2, `${asked.length} logs were asked for`)
  })

  test('keeps nobody from putting, into a new log or an old one', async () => {
    const world = createWorld()
    const { writer } = await world.put(testBytes(10))
    world.keepers[0]!.faults.inventLogs = [{ writer, seq: 99 }]
    const options = putOptions(`did:memo:${'33'.repeat(32)}`, world.owner)
    assert.equal((await world.run(world.open().put(testBytes(11), options))).seq, 1)
    assert.equal((await world.put(testBytes(12), { name: 'b.bin' })).seq, 2)
    assert.equal((await world.run(world.storage.remove(world.did, { writer, seq: 2 }))).seq, 3)
  })

  test('is believed to have one where too few others answer to say that nothing durable is there', async () => {
    const world = createWorld()
    const { writer } = await world.put(testBytes(10))
    world.keepers[0]!.faults.inventLogs = [{ writer: testKey('nobody').signer.address, seq: 1 }]
    for (const keeper of world.keepers.slice(1)) world.kill(keeper.endpoint)
    await assert.rejects(names(world), { name: 'KeepersUnreachableError' })
    assert.ok(writer)
  })
})

describe('a writer whose manifest nobody can open', () => {
  const badly: [string, (reader: Uint8Array) => ManifestEnvelope][] = [
    [
      'wraps its key with no key',
      (reader) => ({ kind: 'sealed', box: testBytes(100), keys: [{ reader, wrapped: new Uint8Array(130) }] }),
    ],
    [
      'wraps too little',
      (reader) => ({ kind: 'sealed', box: testBytes(100), keys: [{ reader, wrapped: testBytes(3) }] }),
    ],
  ]
  for (const [what, envelope] of badly) {
    test(`and ${what} hides its own object and no other`, async () => {
      const world = createWorld()
      await world.put(testBytes(10))
      const gateway = testKey('gateway').signer
      const token = testBytes(16)
      const timestamp = Math.floor(world.time.clock.nowMs() / 1000)
      const signature = await world.owner.signer.signDigest(loginDigest(world.did, token, timestamp))
      const entry = {
        did: world.did,
        writer: gateway.address,
        seq: 1,
        previous: ZERO_HASH,
        time: timestamp + 1,
        evidence: { token, timestamp, signature },
        action: {
          kind: 'put' as const,
          isPublic: false,
          cid: undefined,
          sizeBytes: 0,
          partIds: [],
          manifest: envelope(world.owner.publicKey),
        },
      }
      const signed = await signEntry(TEST_NETWORK, entry, gateway)
      for (const keeper of world.keepers) keeper.logs.set(`${world.did}/${gateway.address}`, [signed])
      assert.deepEqual(await names(world), ['a.bin', undefined])
      const restored: number[] = []
      const restore = async () => {
        for await (const { open } of world.open().restore(world.did, { reader: world.owner })) {
          restored.push((await collect(open())).length)
        }
      }
      await world.run(restore())
      assert.deepEqual(restored, [10])
    })
  }
})
