import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe } from 'node:test'
import type { Page as BrowserPage } from 'playwright-core'
import { bundleForBrowser } from '../../examples/browser/bundle.ts'
import { eventually, freshDir, type Ready, startNetwork } from '../support/memo.ts'
import type { Page } from './page/main.ts'
import { browserTest, executable, launchChromium } from './support/chromium.ts'
import { countPieces, fund, tamper } from './support/local-network.ts'
import { servePage, serveSite } from './support/site.ts'

/** A page keeps no book of orders: its providers store without one. */
const NETWORK = ['--keepers', '3', '--providers', '4', '--policy', 'rs:2+1', '--unpaid-bytes', '10GiB']
const MIB = 1_048_576
const SIZES = { empty: 0, 'one byte': 1, 'seventy KiB': 70 * 1_024, 'five MiB': 5 * MIB }
const GONE_MS = 60_000

/** A page, or a worker of one. */
type Evaluating = Pick<BrowserPage, 'evaluate'>

/** One network, one page, one story: each test goes on where the one before ended. */
describe('MEMO in a browser page', () => {
  let ready: Ready
  let tab: BrowserPage
  const complaints: string[] = []
  const cids = new Map<string, string>()

  /** Runs a function of the page in the page, or in a worker of it. */
  const call = async <K extends keyof Page>(name: K, ...args: Parameters<Page[K]>) => await callIn(tab, name, ...args)
  const callIn = async <K extends keyof Page>(place: Evaluating, name: K, ...args: Parameters<Page[K]>) =>
    (await place.evaluate(
      async ([name, args]) => {
        const { memo } = globalThis as unknown as { memo: Record<string, (...args: unknown[]) => unknown> }
        return await memo[name]?.(...args)
      },
      [name, args] as [string, unknown[]],
    )) as Awaited<ReturnType<Page[K]>>
  const cidOf = (label: string, isPublic: boolean) => cids.get(`${label} ${isPublic}`) ?? ''

  before(async () => {
    if (executable === undefined) return
    const { code } = await bundleForBrowser(join(import.meta.dirname, 'page', 'main.ts'))
    const url = await servePage(code)
    ;({ ready } = await startNetwork(await freshDir(), NETWORK))
    const browser = await launchChromium()
    tab = await browser.newPage()
    tab.on('pageerror', (error) => complaints.push(String(error)))
    await tab.goto(url)
    await tab.waitForFunction('globalThis.memo !== undefined')
  })

  browserTest('nothing of Node is there, and the ports of the page keep every claim of theirs', async () => {
    assert.deepEqual(await call('nodeGlobals'), [])
    const { held, broken } = await call('runPortSuites')
    assert.deepEqual(broken, [])
    assert.ok(held > 5)
  })

  browserTest('the page makes a key, and becomes a user with a DID by itself', async () => {
    const { address } = await call('create', { rpcUrl: ready.rpc, registry: ready.registry as `0x${string}` })
    await fund(ready, address)
    const { did, state } = await call('register')
    assert.equal(state, 'user active')
    assert.match(did, /^did:memo:[0-9a-f]{64}$/)
  })

  for (const isPublic of [false, true]) {
    for (const [label, sizeBytes] of Object.entries(SIZES)) {
      browserTest(`${label}, ${isPublic ? 'public' : 'sealed'}: put to providers, got back the same`, async () => {
        await call('makeFile', `${label} ${isPublic}`, sizeBytes)
        const put = await call('put', `${label} ${isPublic}`, isPublic)
        assert.equal(put.isOwnCid, true)
        assert.equal(put.sizeBytes, sizeBytes)
        assert.ok(put.acks >= 2, `${put.acks} keepers`)
        assert.equal(put.stages.at(-1), 'durable')
        const isStored = sizeBytes > 0 || !isPublic
        assert.equal(put.providers.length, isStored ? 3 : 0)
        cids.set(`${label} ${isPublic}`, put.cid)
        const got = await call('get', `${label} ${isPublic}`, put.cid)
        assert.deepEqual(got, { isSame: true, sizeBytes, faults: [] })
        const seenByOthers = await call('getAsStranger', `${label} ${isPublic}`, put.cid)
        assert.equal(seenByOthers, isPublic ? 'same' : 'not found')
      })
    }
  }

  browserTest('ranges over chunks, strips and stripes come out as they are', async () => {
    const ranges = [
      { offset: 0, length: 1 },
      { offset: 65_519, length: 2 },
      { offset: 1_048_500, length: 200 },
      { offset: 2 * MIB - 1_000, length: 3_000 },
      { offset: 5 * MIB - 10, length: 100 },
    ]
    for (const isPublic of [false, true]) {
      for (const range of ranges) {
        const got = await call('get', `five MiB ${isPublic}`, cidOf('five MiB', isPublic), range)
        const sizeBytes = Math.min(range.length, 5 * MIB - range.offset)
        assert.deepEqual(got, { isSame: true, sizeBytes, faults: [] }, JSON.stringify(range))
      }
    }
  })

  browserTest('a strip that a provider has damaged is found out and replaced', async () => {
    const cid = cidOf('five MiB', false)
    const victim = (await call('pieces', cid)).find(({ index }) => index === 0)
    assert.ok(victim?.alive)
    await tamper(ready, victim, 1_500_000)
    const got = await call('get', 'five MiB false', cid)
    assert.deepEqual([got.isSame, got.sizeBytes], [true, 5 * MIB])
    assert.deepEqual(got.faults, [`PieceCorruptError of ${victim.provider}`])
  })

  browserTest('a put that is aborted leaves nothing, in its middle or at the last moment', async () => {
    const [listed, held] = [await call('list'), await countPieces(ready)]
    for (const when of [{ afterBytes: 1 }, { afterBytes: 3 * MIB }, 'commit'] as const) {
      assert.equal(await call('abortedPut', when, 5 * MIB), 'the page changed its mind')
      assert.deepEqual(await call('list'), listed)
      await eventually('providers hold what they held before', GONE_MS, async () => {
        return JSON.stringify(await countPieces(ready)) === JSON.stringify(held)
      })
    }
  })

  browserTest('the page is told what becomes of its requests', async () => {
    const site = await serveSite((request, response) => {
      response.setHeader('access-control-allow-origin', '*')
      if (request.url === '/whole') response.end(Buffer.alloc(300_000))
      if (request.url === '/away') response.writeHead(302, { location: '/whole' }).end()
      if (request.url !== '/cut' && request.url !== '/silent') return
      response.writeHead(200, { 'content-length': 300_000 }).write(Buffer.alloc(1_000))
      if (request.url === '/cut') setTimeout(() => response.destroy(), 100)
    })
    const closed = await serveSite((_request, response) => response.end('without a word on origins'))
    assert.equal(await call('ask', `${site}/whole`), '200 with 300000 bytes')
    assert.equal(await call('ask', `${site}/cut`), 'UnreachableError keeper now', 'never a short body')
    assert.equal(await call('ask', `${site}/away`), 'UnreachableError keeper now', 'no redirect is followed')
    assert.equal(await call('ask', closed), 'UnreachableError keeper now', 'a server that does not let pages ask')
    assert.equal(await call('ask', 'http://127.0.0.1:1/'), 'UnreachableError keeper now', 'nobody is there')
    assert.equal(await call('ask', `${site}/silent`, { abortAfterMs: 200 }), 'TypeError: enough')
  })

  browserTest('a deleted object is gone from the index and from the providers', async () => {
    const held = await countPieces(ready)
    await call('remove', cidOf('seventy KiB', false))
    assert.ok(!(await call('list')).some((line) => line.includes(cidOf('seventy KiB', false))))
    const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0)
    await eventually('three pieces are gone', GONE_MS, async () => total(await countPieces(ready)) === total(held) - 3)
  })

  browserTest('the same page speaks to a gateway, which lets it read answers and refusals', async () => {
    await call('makeFile', 'gateway', 3 * MIB)
    assert.deepEqual(await call('throughGateway', ready.gateway, 'gateway'), {
      isOwnCid: true,
      isSame: true,
      isSameRange: true,
      listed: 1,
      left: 0,
      refusal: 'GatewayError',
    })
  })

  browserTest('the same code runs in a worker, which leaves the page to its person', async () => {
    const starting = tab.waitForEvent('worker')
    await tab.evaluate(`void new Worker('page.js', { type: 'module' })`)
    const worker = await starting
    await eventually(
      'the worker has run its script',
      GONE_MS,
      async () => await worker.evaluate(`'memo' in globalThis`),
    )
    const network = { rpcUrl: ready.rpc, registry: ready.registry as `0x${string}` }
    await fund(ready, (await callIn(worker, 'create', network)).address)
    await callIn(worker, 'register')
    await callIn(worker, 'makeFile', 'work', 70 * 1_024)
    const { cid, isOwnCid } = await callIn(worker, 'put', 'work', false)
    assert.equal(isOwnCid, true)
    const got = await callIn(worker, 'get', 'work', cid)
    assert.deepEqual(got, { isSame: true, sizeBytes: 70 * 1_024, faults: [] })
  })

  browserTest('nothing went wrong in the page unseen', async (t) => {
    assert.deepEqual(complaints, [])
    const speeds = await call('measureSpeeds')
    t.diagnostic(`one thread of the page: ${JSON.stringify(speeds)}`)
    assert.equal(speeds.erasureKernel === 'scalar', false, 'WebAssembly runs')
  })
})
