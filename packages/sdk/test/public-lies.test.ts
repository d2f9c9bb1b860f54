import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clearEnvelope, hexFromBytes, type LogAction, type Manifest, signEntry, ZERO_HASH } from '@memo/core'
import { TEST_NETWORK } from '@memo/core/testing'
import { createWorld, putOptions, sha256Hex, testBytes, testKey, type World } from './support/world.ts'

type PublicPut = Extract<LogAction, { kind: 'put' }>

/** Publishes what `lie` makes of a true object's action and manifest, as a stranger with a DID of its own. */
async function publish(
  world: World,
  cid: string,
  manifest: Manifest,
  lie: { readonly action?: Partial<PublicPut>; readonly manifest?: Partial<Manifest> },
): Promise<void> {
  const stranger = testKey('stranger').signer
  const did = `did:memo:${'44'.repeat(32)}`
  const time = Math.floor(world.time.clock.nowMs() / 1000) + 1_000
  const action: PublicPut = {
    kind: 'put',
    isPublic: true,
    cid,
    sizeBytes: manifest.sizeBytes,
    partIds: manifest.parts.map((part) => part.partId),
    manifest: clearEnvelope({ ...manifest, createdAt: time, ...lie.manifest }),
    ...lie.action,
  }
  const base = { did, writer: stranger.address, seq: 1, previous: ZERO_HASH, time, evidence: undefined }
  const signed = await signEntry(TEST_NETWORK, { ...base, action }, stranger)
  for (const keeper of world.keepers) keeper.logs.set(`${did}/${stranger.address}`, [signed])
}

describe('a stranger who publishes under somebody else’s CID', () => {
  const decoyBytes = testBytes(2_000, 7)
  const lies: [string, (decoy: Manifest) => Parameters<typeof publish>[3]][] = [
    ['other bytes with their own CID', () => ({})],
    ['a CID in another form', ({ cid }) => ({ manifest: { cid: `${cid} ` } })],
    ['nothing', () => ({ manifest: { parts: [], sizeBytes: 0 }, action: { partIds: [], sizeBytes: 5 } })],
    ['parts that the entry does not name', () => ({ action: { partIds: [] } })],
    ['more bytes than there are', ({ sizeBytes }) => ({ manifest: { sizeBytes: sizeBytes + 1 } })],
    ['a key, as if it were sealed', () => ({ manifest: { contentKey: testBytes(32) } })],
  ]
  for (const [what, lie] of lies) {
    test(`as ${what} is passed over`, async () => {
      const world = createWorld()
      const bytes = testBytes(3_000)
      const honest = await world.put(bytes, { isPublic: true })
      const decoy = await world.put(decoyBytes, { isPublic: true, name: 'decoy' })
      const isOfOwnCid = what.startsWith('other')
      const manifest = isOfOwnCid ? decoy.manifest : { ...decoy.manifest, cid: honest.cid }
      await publish(world, honest.cid, manifest, lie(manifest))
      const found = await world.run(world.storage.findPublicObject(honest.cid))
      assert.deepEqual([found?.did, hexFromBytes(found!.entryHash)], [world.did, hexFromBytes(honest.entryHash)])
      assert.equal(sha256Hex(await world.read(found!.manifest!)), sha256Hex(bytes))
      await world.run(world.storage.remove(world.did, honest))
      assert.equal(await world.run(world.storage.findPublicObject(honest.cid)), undefined)
    })
  }

  test('as bytes that nobody could check does not get them read', async () => {
    const world = createWorld()
    const honest = await world.put(testBytes(3_000), { isPublic: true })
    const decoy = await world.put(decoyBytes, { isPublic: true, name: 'decoy' })
    const forged: Manifest = { ...decoy.manifest, cid: honest.cid, metadata: { 'memo-cid-profile': 'unheard-of' } }
    await assert.rejects(world.read(forged), { name: 'BadInputError' })
    await assert.rejects(world.read({ ...forged, metadata: {} }), { name: 'CidMismatchError' })
  })

  test('before its owner, as bytes that have another CID, is read once and passed over from then on', async () => {
    const world = createWorld()
    const honest = await world.put(testBytes(3_000), { isPublic: true })
    const decoy = await world.put(decoyBytes, { isPublic: true, name: 'decoy' })
    await publish(world, honest.cid, { ...decoy.manifest, cid: honest.cid }, {})
    for (const keeper of world.keepers) {
      const [own, ...others] = [...keeper.logs]
        .toSorted(([a], [b]) => Number(a.includes('4444')) - Number(b.includes('4444')))
        .reverse()
      keeper.logs.clear()
      for (const [name, log] of [own!, ...others]) keeper.logs.set(name, log)
    }
    const find = async () => (await world.run(world.storage.findPublicObject(honest.cid)))!
    const lure = await find()
    assert.notEqual(lure.did, world.did)
    await assert.rejects(world.read(lure.manifest!), { name: 'CidMismatchError' })
    const found = await find()
    assert.equal(found.did, world.did)
    assert.equal(sha256Hex(await world.read(found.manifest!)), sha256Hex(testBytes(3_000)))
  })

  test('while what is sealed is authenticated in whatever way its CID was built', async () => {
    const world = createWorld()
    const { manifest } = await world.put(decoyBytes, putOptions(world.did, world.owner))
    const newer = { ...manifest, metadata: { 'memo-cid-profile': 'of-tomorrow' } }
    assert.equal(sha256Hex(await world.read(newer)), sha256Hex(decoyBytes))
  })
})
