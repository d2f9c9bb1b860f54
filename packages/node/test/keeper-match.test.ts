import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Account } from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import { planMatch } from '../src/keeper/plan-match.ts'
import type { ProviderView } from '../src/keeper/prober.ts'
import { createWorld, type ProviderNode, type ProviderNodeOptions, store } from './support/world.ts'

const GIB = 2 ** 30

async function startedWorld(providers: Readonly<Record<string, ProviderNodeOptions>>) {
  const world = createWorld()
  const nodes: Record<string, ProviderNode> = {}
  for (const [name, options] of Object.entries(providers)) {
    nodes[name] = world.provider(name, options)
    await nodes[name].start()
  }
  const keeper = world.keeper('k')
  await keeper.start()
  await world.time.settle()
  const client = keeper.client()
  const match = async (count: number, pieceBytes = 1_000, exclude: readonly ProviderNode[] = []) => {
    const wanted = { count, pieceBytes, exclude: exclude.map((node) => node.signer.address) }
    const found = await world.time.run(client.match(wanted))
    return found.map(({ address }) => Object.keys(nodes).find((name) => nodes[name]?.signer.address === address))
  }
  return { world, nodes, keeper, match }
}

describe('a match', () => {
  test('names each provider once, with its endpoint', async () => {
    const { keeper, nodes, match } = await startedWorld({ a: {}, b: {}, c: {} })
    assert.deepEqual((await match(10)).sort(), ['a', 'b', 'c'])
    const [one] = await keeper.client().match({ count: 1, pieceBytes: 1, exclude: [] })
    assert.ok(
      Object.values(nodes).some(({ endpoint, signer }) => endpoint === one?.endpoint && signer.address === one.address),
    )
  })

  test('names no provider that is silent, excluded, not active, or has no room', async () => {
    const { world, nodes, match } = await startedWorld({ a: {}, b: {}, c: {}, d: { capacityBytes: 500 }, e: {} })
    await nodes.b!.stop()
    world.chain.setAccount({ address: nodes.e!.signer.address, role: 'provider', state: 'exiting' })
    await world.time.advance(11_000)
    assert.deepEqual(await match(10, 1_000, [nodes.c!]), ['a'])
    assert.deepEqual((await match(10, 400)).sort(), ['a', 'c', 'd'])
  })

  test('names a provider that takes requests and never answers no more after a probe', async () => {
    const { world, keeper, nodes, match } = await startedWorld({ a: {}, b: {} })
    world.net.setLink('*', nodes.a!.endpoint, { state: 'silent' })
    await world.time.advance(14_000)
    assert.deepEqual(await match(1), ['b'])
    const silent = keeper.events.find(({ type }) => type === 'provider-silent')
    assert.equal(silent?.provider, nodes.a!.signer.address)
    world.net.clearLinks()
    await world.time.advance(14_000)
    assert.deepEqual((await match(2)).sort(), ['a', 'b'])
    assert.ok(keeper.events.some(({ type }) => type === 'provider-back'))
  })

  test('believes no provider that answers as another', async () => {
    const { world, nodes, match } = await startedWorld({ a: {}, b: {} })
    world.chain.setAccount({ address: nodes.a!.signer.address, role: 'provider', endpoint: nodes.b!.endpoint })
    await world.time.advance(11_000)
    assert.deepEqual(await match(2), ['b'])
  })

  test('knows of room that was taken a probe later', async () => {
    const { world, nodes, match } = await startedWorld({ a: { capacityBytes: 1_000 } })
    assert.deepEqual(await match(1, 1_000), ['a'])
    await store(nodes.a!.client(world.user('alice')), world, world.random.bytes(100))
    await world.time.advance(11_000)
    assert.deepEqual(await match(1, 1_000), [])
  })

  test('that finds too few looks again at once: a network that has just begun need not wait for a probe', async () => {
    const { world, match } = await startedWorld({})
    const late = world.provider('late')
    await late.start()
    assert.equal((await match(1)).length, 1)
  })

  test('sees within seconds of its own start who starts after it', async () => {
    const world = createWorld()
    const late = world.provider('late')
    const keeper = world.keeper('k')
    await keeper.start()
    const seen = async () => JSON.parse(Buffer.from((await keeper.raw({ url: '/info' })).body).toString()).providersSeen
    await world.time.advance(4_500)
    assert.equal(await seen(), 0)
    await late.start()
    await world.time.advance(1_000)
    assert.equal(await seen(), 1)
    await keeper.stop()
  })

  test('asks silent providers every second only at first', async () => {
    const world = createWorld()
    const silent = world.provider('silent')
    let asked = 0
    const answer = async () => {
      asked++
      return await Promise.reject(new TypeError('silent'))
    }
    world.net.listen(silent.endpoint, answer)
    const keeper = world.keeper('k')
    await keeper.start()
    await world.time.advance(60_000)
    assert.ok(asked >= 50 && asked <= 62, `${asked} probes`)
    asked = 0
    await world.time.advance(60_000)
    assert.ok(asked <= 7, `${asked} probes`)
    await keeper.stop()
  })

  test('goes on with the last view while the chain does not answer', async () => {
    const { world, keeper, match } = await startedWorld({ a: {} })
    world.chain.setFault(new TypeError('no chain'))
    await world.time.advance(30_000)
    assert.deepEqual(await match(1), ['a'])
    assert.ok(keeper.events.some(({ type }) => type === 'chain-unreachable'))
  })

  test('is refused when it makes no sense', async () => {
    const { keeper } = await startedWorld({ a: {} })
    const good = { count: 1, pieceBytes: 1, exclude: [] }
    const bad = [
      { count: 0 },
      { count: 513 },
      { count: 1.5 },
      { pieceBytes: -1 },
      { pieceBytes: '1' },
      { exclude: 'x' },
      { exclude: ['0x12'] },
      { exclude: Array(1_025).fill(`0x${'11'.repeat(20)}`) },
    ]
    const post = (body: string) => keeper.raw({ method: 'POST', url: '/match', body: Buffer.from(body) })
    for (const wrong of bad) {
      assert.equal((await post(JSON.stringify({ ...good, ...wrong }))).status, 400, JSON.stringify(wrong).slice(0, 50))
    }
    assert.equal((await post('null')).status, 400)
    assert.equal((await post('{')).status, 400)
    assert.equal((await post(`"${'x'.repeat(70_000)}"`)).status, 413)
    assert.equal((await post(JSON.stringify(good))).status, 200)
  })
})

describe('the order of a match', () => {
  const random = createSeededRandomness('match')
  const view = (name: string, freeBytes: number, operator = ''): ProviderView => ({
    account: { address: `0x${Buffer.from(name.padEnd(20, '.')).toString('hex')}`, endpoint: name, operator } as Account,
    isAlive: true,
    lastSeenMs: 0,
    freeBytes,
  })
  const draw = (views: readonly ProviderView[], count: number) =>
    planMatch(views, { count, pieceBytes: 1, exclude: [] }, random).map(({ endpoint }) => endpoint)

  test('has one provider of each operator before a second of any', () => {
    const views = [
      view('a1', 9 * GIB, 'a'),
      view('a2', 9 * GIB, 'a'),
      view('a3', 9 * GIB, 'a'),
      view('b1', GIB, 'b'),
      view('c1', GIB),
    ]
    for (let i = 0; i < 100; i++) {
      const names = draw(views, 5).map((name) => name[0])
      assert.deepEqual(names.slice(0, 3).sort(), ['a', 'b', 'c'])
      assert.deepEqual(names.slice(3), ['a', 'a'])
    }
  })

  test('counts providers without a label as operators of their own', () => {
    const views = [view('x', GIB), view('y', GIB), view('a1', GIB, 'a'), view('a2', GIB, 'a')]
    for (let i = 0; i < 50; i++) assert.match(draw(views, 4)[3] ?? '', /^a/)
  })

  test('gives three times the room three times the chance, up to a cap', () => {
    const share = (large: number, small: number) => {
      let first = 0
      for (let i = 0; i < 4_000; i++) if (draw([view('large', large), view('small', small)], 1)[0] === 'large') first++
      return first / 4_000
    }
    assert.ok(Math.abs(share(3 * GIB, GIB) - 0.75) < 0.03)
    assert.ok(Math.abs(share(2 ** 50, 2 ** 40) - 0.5) < 0.03)
  })
})
