import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collectBytes, jsonResponse, NotFoundError, streamResponse, UnreachableError, utf8 } from '@memo/core'
import {
  createMemoryDisk,
  createMemoryNetwork,
  createScriptedChain,
  createSeededRandomness,
  createTrace,
  createVirtualTime,
  describeIndexStore,
  didRecordOf,
  InjectedFaultError,
  NonconformantError,
  StalledError,
} from '@memo/core/testing'
import { testSigner } from './support/keys.ts'

describe('virtual time', () => {
  test('moves only when told, and wakes each sleep at its own time', async () => {
    const time = createVirtualTime(1_000)
    const woken: [string, number][] = []
    const nap = async (name: string, ms: number) => {
      await time.timers.sleep(ms)
      woken.push([name, time.clock.nowMs()])
    }
    const naps = [nap('b', 20), nap('a', 10), nap('c', 20), nap('later', 31)]
    await time.settle()
    assert.deepEqual(woken, [])
    await time.advance(30)
    assert.deepEqual(woken, [
      ['a', 1_010],
      ['b', 1_020],
      ['c', 1_020],
    ])
    assert.equal(time.clock.nowMs(), 1_030)
    assert.equal(time.sleeping(), 1)
    await time.run(Promise.all(naps))
    assert.equal(time.skewedClock(-5).nowMs(), 1_026)
  })

  test('says so when the work waits for what never comes', async () => {
    const time = createVirtualTime(0, 20)
    await assert.rejects(time.run(new Promise(() => undefined)), StalledError)
  })
})

describe('seeded randomness', () => {
  test('is the same for one seed and another for another', () => {
    const draw = (seed: string) => Buffer.from(createSeededRandomness(seed).bytes(100)).toString('hex')
    assert.equal(draw('a'), draw('a'))
    assert.notEqual(draw('a'), draw('b'))
  })

  test('of a fork does not depend on what else was drawn', () => {
    const one = createSeededRandomness('seed')
    const two = createSeededRandomness('seed')
    two.bytes(77)
    assert.deepEqual(one.fork('x').bytes(40), two.fork('x').bytes(40))
    assert.notDeepEqual(one.fork('x').bytes(40), one.fork('y').bytes(40))
  })

  test('draws every whole number below a bound, and shuffles without losing any', () => {
    const random = createSeededRandomness('whole')
    const seen = new Set(Array.from({ length: 500 }, () => random.int(7)))
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6])
    assert.deepEqual(random.shuffle([3, 1, 2, 5, 4]).sort(), [1, 2, 3, 4, 5])
    assert.equal(random.chance(0), false)
    assert.equal(random.chance(1), true)
    assert.throws(() => random.pick([]), { name: 'AssertionError' })
  })
})

describe('a memory disk', () => {
  test('loses in a crash what had not been synced', async () => {
    const time = createVirtualTime()
    const disk = createMemoryDisk({ sync: { timers: time.timers, ms: 10 } })
    const index = disk.openIndexStore()
    const pieces = disk.openPieceStore()
    await time.run(index.apply([{ key: 'kept', value: utf8('1') }]))
    const writer = await pieces.create()
    await writer.write(utf8('bytes'))
    const lost = [index.apply([{ key: 'lost', value: utf8('2') }]), writer.commit('0'.repeat(64), utf8('units'))]
    const outcomes = Promise.allSettled(lost)
    await time.advance(5)
    disk.crash()
    await time.advance(20)
    assert.ok((await outcomes).every(({ status }) => status === 'rejected'))
    await assert.rejects(index.get('kept'), InjectedFaultError)
    const again = disk.openIndexStore()
    assert.deepEqual(await again.get('kept'), utf8('1'))
    assert.equal(await again.get('lost'), undefined)
    assert.deepEqual(disk.pieceRoots(), [])
    assert.deepEqual(await disk.openPieceStore().recover(), { removed: 1 })
  })

  test('fails as ordered, is full when it is full, and rots behind its store’s back', async () => {
    const disk = createMemoryDisk({ capacityBytes: 10 })
    const pieces = disk.openPieceStore()
    disk.setFault((operation) => (operation === 'read' ? new NotFoundError('unreadable') : undefined))
    await assert.rejects(pieces.find('0'), { message: 'unreadable' })
    disk.setFault(undefined)
    const writer = await pieces.create()
    await assert.rejects(writer.write(new Uint8Array(11)), { message: /full/ })
    await writer.abort()
    const next = await pieces.create()
    await next.write(new Uint8Array(4))
    await next.commit('ab', utf8('u'))
    assert.equal(await pieces.freeBytes(), 6)
    assert.equal(disk.corruptPiece('ab', 2), true)
    assert.equal(disk.corruptPiece('ab', 4), false)
    assert.deepEqual(await collectBytes((await pieces.read('ab', 0, 4))!, 9), Uint8Array.of(0, 0, 1, 0))
    assert.equal(disk.losePiece('ab'), true)
    assert.equal(await pieces.find('ab'), undefined)
  })
})

describe('a memory network', () => {
  const request = { method: 'GET', url: 'http://b.test/x', headers: {} }

  function setUp(seed: string) {
    const time = createVirtualTime()
    const trace = createTrace()
    const random = createSeededRandomness(seed)
    const network = createMemoryNetwork({ timers: time.timers, random, trace, link: { delayMs: 5, jitterMs: 10 } })
    const listening = network.listen('http://b.test', async () => streamResponse(200, [new Uint8Array(100)], {}))
    return { time, trace, network, listening }
  }

  const fetchOnce = async ({ time, network }: ReturnType<typeof setUp>, from = 'a') => {
    const fetching = async () => await collectBytes((await network.transport(from)(request)).body, 1_000)
    return await time.run(fetching().catch((error: unknown) => error))
  }

  test('takes time, as much as its links say', async () => {
    const world = setUp('delay')
    const beganMs = world.time.clock.nowMs()
    assert.ok((await fetchOnce(world)) instanceof Uint8Array)
    const tookMs = world.time.clock.nowMs() - beganMs
    assert.ok(tookMs >= 10 && tookMs <= 30, `${tookMs} ms`)
    world.network.setLink('a', '*', { bytesPerMs: 1 })
    const slowMs = world.time.clock.nowMs()
    await fetchOnce(world)
    assert.ok(world.time.clock.nowMs() - slowMs >= 100)
  })

  test('cuts off one pair of nodes and not another', async () => {
    const world = setUp('cut')
    world.network.setLink('a', 'http://b.test', { state: 'refused' })
    assert.ok((await fetchOnce(world, 'a')) instanceof UnreachableError)
    assert.ok((await fetchOnce(world, 'c')) instanceof Uint8Array)
    world.network.clearLinks()
    assert.ok((await fetchOnce(world, 'a')) instanceof Uint8Array)
  })

  test('breaks and corrupts as often as ordered', async () => {
    const world = setUp('faults')
    world.network.setLink('*', '*', { breakRate: 0.5 })
    const outcomes = []
    for (let i = 0; i < 40; i++) outcomes.push((await fetchOnce(world)) instanceof UnreachableError)
    const broken = outcomes.filter(Boolean).length
    assert.ok(broken > 5 && broken < 35, `${broken} of 40 broke`)
    world.network.setLink('*', '*', { corruptRate: 1 })
    const altered = (await fetchOnce(world)) as Uint8Array
    assert.equal(altered.filter((byte) => byte !== 0).length, 1)
  })

  test('a node that goes down breaks what is under way', async () => {
    const world = setUp('down')
    const answer = world.time.run(world.network.transport('a')(request))
    const { body } = await answer
    world.listening.close()
    await assert.rejects(collectBytes(body, 1_000), UnreachableError)
    assert.ok((await fetchOnce(world)) instanceof UnreachableError)
  })

  test('has the same trace for the same seed', async () => {
    const run = async (seed: string) => {
      const world = setUp(seed)
      world.network.setLink('*', '*', { breakRate: 0.3 })
      for (let i = 0; i < 20; i++) await fetchOnce(world)
      return world.trace.digest()
    }
    assert.equal(await run('one'), await run('one'))
    assert.notEqual(await run('one'), await run('two'))
  })

  test('finds the longest endpoint that a URL is under', async () => {
    const world = setUp('prefix')
    world.network.listen('http://b.test/deep', async ({ url }) => jsonResponse(200, url))
    const response = await world.time.run(world.network.transport()({ ...request, url: 'http://b.test/deep/x?y' }))
    assert.deepEqual(await collectBytes(response.body, 100), utf8('"/x?y"\n'))
  })
})

describe('a scripted chain', () => {
  test('says what it was told, lists who is active, and fails when ordered', async () => {
    const time = createVirtualTime()
    const chain = createScriptedChain({ clock: time.clock })
    const [one, two] = [testSigner(1), testSigner(2)]
    chain.setAccount({ address: one.address, role: 'provider', endpoint: 'http://one' })
    chain.setAccount({ address: two.address, role: 'keeper' })
    chain.setDid(didRecordOf('did:memo:1', one))
    assert.deepEqual(
      (await chain.listProviders()).map((account) => account.endpoint),
      ['http://one'],
    )
    chain.setAccount({ address: one.address, role: 'provider', state: 'suspended' })
    assert.deepEqual(await chain.listProviders(), [])
    assert.equal((await chain.findAccount(one.address))?.endpoint, 'http://one')
    assert.equal((await chain.listKeepers())[0]?.index, 1)
    assert.equal((await chain.findDid('did:memo:1'))?.masterAddress, one.address)
    const { number } = await chain.getBlock()
    await time.advance(5_000)
    assert.equal((await chain.getBlock()).number, number + 5)
    chain.setFault(new InjectedFaultError('no chain', { blame: 'chain' }))
    await assert.rejects(chain.listKeepers(), { blame: 'chain' })
  })
})

describe('the suites', () => {
  test('catch a store that forgets', async () => {
    const forgetful = describeIndexStore('forgetful', async () => {
      const disk = createMemoryDisk()
      return {
        subject: { ...disk.openIndexStore(), apply: async () => undefined },
        reopen: async () => disk.openIndexStore(),
      }
    })
    const outcomes = await Promise.allSettled(forgetful.map(({ run }) => run()))
    const caught = outcomes.filter((o) => o.status === 'rejected' && o.reason instanceof NonconformantError)
    assert.ok(caught.length >= 5, `${caught.length} cases noticed`)
  })
})
