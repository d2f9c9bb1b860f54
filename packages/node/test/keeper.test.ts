import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  encodeBundle,
  hex32,
  hexFromBytes,
  isAckOf,
  MemoError,
  type PlacedPart,
  RECEIPT_LIFE_SECONDS,
  type RemoteError,
  type Signer,
  utf8,
} from '@memo/core'
import { InjectedFaultError, TEST_NETWORK } from '@memo/core/testing'
import { createLogWriter, createPart, createPerson, loginOf, NOBODY, nowOf, putOf } from './support/entries.ts'
import { scriptOrder } from './support/orders.ts'
import { startedKeeper } from './support/started-keeper.ts'
import { errorName } from './support/world.ts'

const refused = (name: string) => (error: Error) => error.name === name

describe('a keeper takes an entry', () => {
  test('by a key of the DID, and gives entry, head, part and acknowledgement back', async () => {
    const { keeper, client, alice, log, part } = await startedKeeper()
    const placed = await part()
    const bundle = await log.next([placed])
    const ack = await client.submit(bundle)
    assert.ok(isAckOf(TEST_NETWORK, bundle.signed, ack))
    assert.equal(ack.keeper, keeper.signer.address)
    const head = { did: alice.did, writer: alice.key.address, seq: 1, hash: hexFromBytes(bundle.signed.hash) }
    assert.deepEqual(await client.listHeads(alice.did), [head])
    assert.deepEqual(await client.listWriterHeads(alice.key.address, ''), [head])
    assert.deepEqual(await client.listWriterHeads(alice.key.address, alice.did), [])
    const [entry] = await client.listEntries(alice.did, alice.key.address, 1)
    assert.deepEqual(entry?.hash, bundle.signed.hash)
    const found = await client.findPart(placed.placement.partId)
    assert.deepEqual(found?.placement, placed.placement)
    assert.deepEqual(await client.findPart(new Uint8Array(32)), undefined)
  })

  test('once: repeating it repeats the acknowledgement, also after a crash', async () => {
    const { keeper, client, log, part } = await startedKeeper()
    const bundle = await log.next([await part()])
    const ack = await client.submit(bundle)
    assert.deepEqual(await client.submit(bundle), ack)
    keeper.crash()
    await keeper.start()
    assert.deepEqual(await client.submit(bundle), ack)
    const info = JSON.parse(Buffer.from((await keeper.raw({ url: '/info' })).body).toString()) as { entries: number }
    assert.equal(info.entries, 1)
  })

  test('by an active user to whom the DID logged in, and each later one of that log', async () => {
    const { world, client, alice, part } = await startedKeeper()
    const log = createLogWriter(world, alice.did, world.user('gateway'), await loginOf(world, alice))
    await client.submit(await log.next([await part()]))
    await client.submit(await log.next([await part()]))
    assert.equal((await client.listHeads(alice.did))[0]?.seq, 2)
  })

  test('whose part it knows already, without the part', async () => {
    const { client, log, part } = await startedKeeper()
    const placed = await part()
    await client.submit(await log.next([placed]))
    const bundle = await log.next([placed])
    await client.submit({ ...bundle, parts: [] })
  })

  test('with pieces that are not placed yet, as long as k + half of m are', async () => {
    const { client, holders, log, part } = await startedKeeper()
    const bundle = await log.next([await part([holders[0], undefined, holders[2], holders[3]])])
    await client.submit(bundle)
  })

  test('and keeps the better placement of a part, whichever comes last', async () => {
    const { world, client, holders, alice, log } = await startedKeeper()
    const roots = holders.map(() => world.random.bytes(32))
    const most = [holders[0], undefined, holders[2], holders[3]]
    const some = await createPart(world, alice.did, most, { roots })
    const whole = await createPart(world, alice.did, holders, { roots })
    await client.submit(await log.next([some]))
    await client.submit(await log.next([whole]))
    await client.submit(await log.next([some]))
    const found = await client.findPart(whole.placement.partId)
    assert.deepEqual(found?.placement.pieces, whole.placement.pieces)
  })

  test('and lists a log in pages without gaps', async () => {
    const { client, alice, log, part } = await startedKeeper()
    const placed = await part()
    for (let i = 0; i < 130; i++) await client.submit(await log.next([placed]))
    const first = await client.listEntries(alice.did, alice.key.address, 1)
    const second = await client.listEntries(alice.did, alice.key.address, 101)
    assert.deepEqual([first.length, second.length], [100, 30])
    assert.equal(second.at(-1)?.entry.seq, 130)
  })
})

describe('a keeper refuses', () => {
  test('a second entry with a number that is taken, and names the head', async () => {
    const { client, log, part } = await startedKeeper()
    const placed = await part()
    const other = { signed: await log.draft(putOf([placed]), { time: 1 }), parts: [placed] }
    const bundle = await log.next([placed])
    await client.submit(bundle)
    await assert.rejects(client.submit(other), (error: RemoteError) => {
      assert.equal(error.name, 'IndexConflictError')
      assert.deepEqual(error.details, { seq: 1, hash: hexFromBytes(bundle.signed.hash) })
      return true
    })
  })

  test('one of two entries with one number that come at once', async () => {
    const { client, log, part } = await startedKeeper()
    const placed = await part()
    const drafts = [await log.draft(putOf([placed]), { time: 1 }), await log.draft(putOf([placed]), { time: 2 })]
    const results = await Promise.allSettled(drafts.map((signed) => client.submit({ signed, parts: [placed] })))
    assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected'])
  })

  test('to acknowledge another entry after a crash before its answer', async () => {
    const { keeper, client, log, part } = await startedKeeper()
    const placed = await part()
    const first = { signed: await log.draft(putOf([placed]), { time: 1 }), parts: [placed] }
    const second = { signed: await log.draft(putOf([placed]), { time: 2 }), parts: [placed] }
    await keeper.raw({ method: 'POST', url: '/index', body: encodeBundle(first) })
    keeper.crash()
    await keeper.start()
    await assert.rejects(client.submit(second), refused('IndexConflictError'))
    assert.ok(await client.submit(first))
  })

  test('to acknowledge what its disk did not take, and takes it when the disk is well', async () => {
    const { keeper, client, log, part } = await startedKeeper()
    const bundle = await log.next([await part()])
    keeper.disk.setFault((operation) => (operation === 'sync' ? new InjectedFaultError('bad sector') : undefined))
    await assert.rejects(client.submit(bundle), refused('NodeFaultError'))
    keeper.disk.setFault(undefined)
    assert.deepEqual(await client.listHeads(bundle.signed.entry.did), [])
    await client.submit(bundle)
  })

  test('a gap in a log, and an entry that links to another one', async () => {
    const { world, client, log, part } = await startedKeeper()
    const placed = await part()
    await client.submit(await log.next([placed]))
    const send = async (changes: object) =>
      client.submit({ signed: await log.draft(putOf([placed]), changes), parts: [] })
    await assert.rejects(send({ seq: 3 }), refused('IndexConflictError'))
    await assert.rejects(send({ previous: world.random.bytes(32) }), refused('IndexConflictError'))
    await send({})
  })

  test('an entry that its writer did not sign', async () => {
    const { keeper, alice, log, part, world } = await startedKeeper()
    const bundle = await log.next([await part()])
    const forged = await createLogWriter(world, alice.did, world.stranger('mallory')).draft(putOf([]), {})
    const send = async (signature: Uint8Array) => {
      const body = encodeBundle({ ...bundle, signed: { ...bundle.signed, signature } })
      return (await keeper.raw({ method: 'POST', url: '/index', body })).status
    }
    assert.equal(await send(forged.signature), 400)
    assert.equal(await send(new Uint8Array(65)), 400)
    assert.equal(await send(new Uint8Array(0)), 400)
  })

  test('another spelling of a DID', async () => {
    const { world, client, alice, part } = await startedKeeper()
    const placed = await part()
    const spelled = alice.did.toUpperCase()
    const findDid = world.chain.findDid
    world.chain.findDid = async (did) => await findDid(did === spelled ? alice.did : did)
    const log = createLogWriter(world, spelled, alice.key)
    await assert.rejects(client.submit(await log.next([placed])), refused('BadInputError'))
  })

  test('unknown and deactivated DIDs', async () => {
    const { world, client, alice, log, part } = await startedKeeper()
    const key = world.stranger('of nobody')
    const unknown = createLogWriter(world, `did:memo:${'77'.repeat(32)}`, key)
    await assert.rejects(client.submit(await unknown.next([])), refused('UnknownDidError'))
    const bundle = await log.next([await part()])
    world.chain.setDid({ did: alice.did, deactivated: true, masterAddress: alice.key.address, authenticationKeys: [] })
    await assert.rejects(client.submit(bundle), refused('DidDeactivatedError'))
  })

  test('writers that are no key of the DID and show no login of it', async () => {
    const { world, client, alice, part } = await startedKeeper()
    const gateway = world.user('gateway')
    const placed = await part()
    const attempt = async (signer: Signer, evidence?: Awaited<ReturnType<typeof loginOf>>) =>
      client.submit(await createLogWriter(world, alice.did, signer, evidence).next([placed]))
    const login = await loginOf(world, alice)
    await assert.rejects(attempt(gateway), refused('ForbiddenError'), 'no evidence')
    await assert.rejects(attempt(world.stranger('x'), login), refused('ForbiddenError'), 'no active user')
    const forged = await loginOf(world, alice, world.stranger('mallory'))
    await assert.rejects(attempt(gateway, forged), refused('ForbiddenError'), 'signed by another key')
    const ofBob = await loginOf(world, createPerson(world, 'bob'), alice.key)
    await assert.rejects(attempt(gateway, ofBob), refused('ForbiddenError'), 'a login of another DID')
    const later = { ...login, timestamp: login.timestamp + 1 }
    await assert.rejects(attempt(gateway, later), refused('ForbiddenError'), 'another time')
    const call = await loginOf(world, alice, alice.key, 7)
    await assert.rejects(attempt(gateway, call), refused('ForbiddenError'), 'a signed call is no login')
    await attempt(gateway, login)
    await assert.rejects(
      attempt(world.user('other'), login),
      refused('ForbiddenError'),
      'a login that stands open in a log',
    )
  })

  test('a log whose login rests on a key that may no longer authenticate', async () => {
    const { world, client, alice, part } = await startedKeeper()
    const log = createLogWriter(world, alice.did, world.user('gateway'), await loginOf(world, alice))
    const placed = await part()
    await client.submit(await log.next([placed]))
    const record = await world.chain.findDid(alice.did)
    world.chain.setDid({ ...record!, authenticationKeys: [] })
    await assert.rejects(client.submit(await log.next([placed])), refused('ForbiddenError'))
  })

  test('parts that are missing, not named, named twice or of another owner', async () => {
    const { world, client, holders, alice, log, part } = await startedKeeper()
    const placed = await part()
    const send = async (named: readonly PlacedPart[], parts: readonly PlacedPart[]) =>
      client.submit({ signed: await log.draft(putOf(named)), parts })
    await assert.rejects(send([placed], []), refused('PartMissingError'))
    await assert.rejects(send([], [placed]), refused('BadInputError'))
    await assert.rejects(send([placed, placed], [placed]), refused('BadInputError'))
    await assert.rejects(send([placed], [placed, placed]), refused('BadInputError'))
    const foreign = await createPart(world, 'did:memo:other', holders)
    await assert.rejects(send([foreign], [foreign]), refused('PartMissingError'))
    const remove = await log.draft({ kind: 'delete', writer: alice.key.address, seq: 1 })
    await assert.rejects(client.submit({ signed: remove, parts: [placed] }), refused('BadInputError'))
  })

  test('to let another DID say where a part lies', async () => {
    const { world, keeper, client, holders, alice, log } = await startedKeeper()
    const mallory = createPerson(world, 'mallory')
    const roots = holders.map(() => world.random.bytes(32))
    const bait = world.stranger('bait')
    world.chain.setAccount({ address: bait.address, role: 'provider' })
    const honest = await createPart(world, alice.did, holders, { roots })
    const bent = await createPart(world, mallory.did, [bait, bait, bait, bait], {
      roots,
      expiry: nowOf(world) + 10 ** 8,
    })
    await client.submit(await log.next([honest]))
    await client.submit(await createLogWriter(world, mallory.did, mallory.key).next([bent]))
    const id = hex32(honest.placement.partId)
    assert.deepEqual((await client.findPart(honest.placement.partId))?.placement.owner, alice.did)
    const own = await keeper.raw({ url: `/placements/${id}?owner=${encodeURIComponent(mallory.did)}` })
    assert.ok(Buffer.from(own.body).includes(mallory.did), 'each owner’s own is there for who asks for it')
  })

  test('receipts that are forged, missing, run out, or by nobody that is an active provider', async () => {
    const { world, client, holders, alice, log, part } = await startedKeeper()
    const [a, b, c, d] = holders as [Signer, Signer, Signer, Signer]
    const send = async (placed: PlacedPart) =>
      client.submit({ signed: await log.draft(putOf([placed])), parts: [placed] })
    const good = await part()
    const swapped = [good.receipts[1], good.receipts[0], good.receipts[2], good.receipts[3]]
    await assert.rejects(send({ ...good, receipts: swapped }), refused('ReceiptRefusedError'), 'of another piece')
    const garbled = good.receipts.map((receipt) => receipt && { ...receipt, signature: new Uint8Array(65) })
    await assert.rejects(send({ ...good, receipts: garbled }), refused('ReceiptRefusedError'), 'no signatures')
    const longer = good.receipts.map((receipt) => receipt && { ...receipt, expiry: receipt.expiry + 1 })
    await assert.rejects(send({ ...good, receipts: longer }), refused('ReceiptRefusedError'), 'other terms')
    await assert.rejects(send(await part([a, b, undefined, undefined])), refused('ReceiptRefusedError'), 'too few')
    await assert.rejects(send(await part(holders, nowOf(world) + 3_600)), refused('ReceiptRefusedError'), 'too short')
    const oldest = nowOf(world) + RECEIPT_LIFE_SECONDS - 2 * 86_400
    await assert.rejects(send(await part(holders, oldest - 1)), refused('ReceiptRefusedError'), 'too old')
    await assert.rejects(send(await part([a, b, c, world.stranger('x')])), refused('ReceiptRefusedError'), 'a stranger')
    await assert.rejects(send(await part([a, b, c, world.user('u')])), refused('ReceiptRefusedError'), 'a user')
    const dropped = [good.receipts[0], good.receipts[1], good.receipts[2], undefined]
    await assert.rejects(
      send({ ...good, receipts: dropped }),
      refused('ReceiptRefusedError'),
      'a name without a receipt',
    )
    world.chain.setAccount({ address: d.address, role: 'provider', state: 'banned' })
    await assert.rejects(send(await part()), refused('ReceiptRefusedError'), 'a banned provider')
    const placement = {
      ...good.placement,
      pieces: good.placement.pieces.map((p, i) => (i === 3 ? { ...p, provider: NOBODY } : p)),
    }
    await send({ placement, receipts: dropped })
    assert.equal((await client.listHeads(alice.did)).length, 1)
  })

  test('receipts under an order that is with another provider, over, or not on the chain', async () => {
    const { world, client, holders, alice, log } = await startedKeeper()
    const [holder, other] = holders as [Signer, Signer]
    const own = [holder, holder, holder, holder]
    const old = nowOf(world) + 2 * 86_400
    const send = async (orderId: number, expiry = old) => {
      const placed = await createPart(world, alice.did, own, { orderId, expiry })
      await client.submit({ signed: await log.draft(putOf([placed])), parts: [placed] })
    }
    const user = world.user('payer')
    scriptOrder(world, 7n, { user: user.address, provider: other.address })
    scriptOrder(world, 8n, { user: user.address, provider: holder.address, end: 3n })
    await assert.rejects(send(6), refused('ReceiptRefusedError'), 'no such order')
    await assert.rejects(send(7), refused('ReceiptRefusedError'), 'of another provider')
    await client.submit(await log.next([await createPart(world, alice.did, own, { orderId: 8, expiry: old })]))
    world.chain.setEpochs({ current: 3n })
    await assert.rejects(send(8), refused('ReceiptRefusedError'), 'over')
    await assert.rejects(send(0), refused('ReceiptRefusedError'), 'without an order, age counts')
    assert.equal((await client.listHeads(alice.did)).length, 1)
  })

  test('CIDs that are not canonical', async () => {
    const { client, log, part } = await startedKeeper()
    const placed = await part()
    for (const cid of ['QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG', 'no-cid', '']) {
      const signed = await log.draft(putOf([placed], cid))
      await assert.rejects(client.submit({ signed, parts: [placed] }), (error: Error) =>
        /Bad(Input|Cid)Error/.test(error.name),
      )
    }
  })

  test('bodies that are no bundle or too large, paths and numbers that are none', async () => {
    const { keeper } = await startedKeeper()
    const post = async (body: Uint8Array) => keeper.raw({ method: 'POST', url: '/index', body })
    assert.equal((await post(new Uint8Array(0))).status, 400)
    assert.equal((await post(utf8('{}'))).status, 400)
    assert.equal((await post(new Uint8Array(67_108_864))).status, 413)
    for (const url of [
      '/index/x/not-an-address',
      `/index/x/${NOBODY}?from=x`,
      '/writers/0x12',
      '/feed?after=-1',
      '/objects/no-cid',
      '/index/%E0%A4%A',
    ]) {
      assert.equal((await keeper.raw({ url })).status, 400, url)
    }
    for (const url of ['/placements/..', '/placements/xyz', '/nothing', '/index/']) {
      assert.equal((await keeper.raw({ url })).status, 404, url)
    }
  })

  test('more entries at once than its memory is to hold, and takes the same ones later', async () => {
    const { client, log, part } = await startedKeeper({ limits: { maxArrivingBytes: 3_000 } })
    const placed = await part()
    const bundle = await log.next([placed])
    const sizeBytes = encodeBundle(bundle).length
    assert.ok(sizeBytes < 3_000 && sizeBytes * 4 > 3_000)
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map(() => client.submit(bundle)))
    const names = results.map((result) => (result.status === 'rejected' ? (result.reason as Error).name : 'taken'))
    assert.ok(names.includes('BusyError') && names.includes('taken'), names.join())
    assert.ok(await client.submit(bundle))
  })

  test('texts that reach for the records of others', async () => {
    const { keeper, client, log, part, alice } = await startedKeeper()
    await client.submit(await log.next([await part()]))
    for (const did of ['', '..', '%2e%2e', alice.did.slice(0, -1), `${alice.did}%2F${alice.key.address}`, 'head%2F']) {
      const answer = await keeper.raw({ url: `/index/${did}` })
      if (answer.status !== 200) assert.equal(answer.status, 404, did)
      else assert.deepEqual(JSON.parse(Buffer.from(answer.body).toString()), { heads: [] }, did)
    }
  })

  test('entries while the chain does not count it as an active keeper, or does not answer', async () => {
    const { world, keeper, client, log, part } = await startedKeeper()
    const bundle = await log.next([await part()])
    world.chain.setAccount({ address: keeper.signer.address, role: 'keeper', state: 'suspended' })
    await assert.rejects(client.submit(bundle), refused('NotServingError'))
    world.chain.setAccount({ address: keeper.signer.address, role: 'keeper', state: 'active' })
    world.chain.setFault(new InjectedFaultError('no chain', { blame: 'chain' }))
    await assert.rejects(client.submit(bundle), (error: RemoteError) => error.blame === 'chain')
    const cause = new TypeError('socket of /secret/path hung up')
    const told = { blame: 'chain', retry: 'later', details: { url: 'http://secret' }, cause } as const
    world.chain.setFault(new MemoError('no chain', told))
    const { status, body } = await keeper.raw({ method: 'POST', url: '/index', body: encodeBundle(bundle) })
    const text = Buffer.from(body).toString()
    assert.deepEqual([status, /no chain/.test(text), /secret/.test(text)], [503, true, false])
    assert.ok(
      keeper.events.some(({ type, ...rest }) => type === 'request-failed' && JSON.stringify(rest).includes('secret')),
    )
    world.chain.setFault(undefined)
    await client.submit(bundle)
  })

  test('everything after it has stopped', async () => {
    const { world, keeper } = await startedKeeper()
    await keeper.stop()
    const answer = await keeper.raw({ url: '/info' })
    assert.equal(answer.status, 503)
    assert.equal(errorName(answer), 'NotServingError')
    assert.equal(world.time.sleeping(), 0)
  })
})
