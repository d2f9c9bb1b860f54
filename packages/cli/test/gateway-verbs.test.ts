import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { accountFromSecretKey, createChainClient } from '@memo/chain'
import { findBytesFromHex, hexFromBytes, isHashcash, keccak256, utf8 } from '@memo/core'
import { runGatewayDaemon } from '@memo/gateway'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient } from '@memo/sdk'
import { LOCAL_BANK_KEY, LOCAL_USER_ATTO, localBankAddress } from '../src/local-chain.ts'
import { type ApplicationsOptions, applications, grant, refuse } from '../src/money/applications.ts'
import { apply } from '../src/money/apply.ts'
import { balance } from '../src/money/balance.ts'
import { free } from '../src/money/free.ts'
import { createStamp, findCounter } from '../src/money/stamp.ts'
import { wallet } from '../src/money/wallet.ts'
import { initNode } from '../src/nodes/init-node.ts'
import type { Verb } from '../src/program.ts'
import { findProfile, saveProfile } from '../src/settings.ts'
import { createIdentity, type Identity } from '../src/user/identity.ts'
import { createDid } from '../src/user/network-verbs.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { createTestContext, type TestContext } from './support/test-context.ts'

const GIB = 2 ** 30
const home = mkdtempSync(join(tmpdir(), 'memo-gateway-verbs-'))
const data = join(home, 'network')
const stop = new AbortController()
let network: TestNetwork
let gateway: string
let serving: Promise<void>
let user: Identity

before(async () => {
  network = await startNetwork()
  const { rpcUrl, registry } = network
  const signal = new AbortController().signal
  const dataDir = join(home, 'gateway')
  const { secretKey } = await initNode({ kind: 'gateway', dataDir, rpcUrl, registry, signal })
  const ready = Promise.withResolvers<string>()
  serving = runGatewayDaemon({
    dataDir,
    rpcUrl,
    registry,
    secretKey,
    host: '127.0.0.1',
    port: 0,
    policy: 'rs:1+1',
    orders: false,
    apply: { hashcashBits: 8 },
    drainMs: 100,
    signal: stop.signal,
    onEvent: (event) => event.type === 'ready' && ready.resolve(`${event.url}`),
  })
  gateway = await Promise.race([ready.promise, serving.then(() => 'it ended')])
  user = await createIdentity({ dataDir: data, rpcUrl, registry, signal })
  await saveProfile(data, { ...(findProfile(data) as NonNullable<ReturnType<typeof findProfile>>), gateway })
})
after(async () => {
  stop.abort()
  await serving
  await network?.close()
  rmSync(home, { recursive: true, force: true })
})

async function run<O>(verb: Verb<O>, options: O, args: readonly string[] = []): Promise<TestContext> {
  const said = createTestContext()
  await verb(said.context, options, args)
  return said
}

const chainOf = () => ({ rpc: network.rpcUrl, registry: network.registry })
const wish = { data, type: 'space', size: '10GiB', evidence: 'https://example.org/a-post' }
const admin = { data, yes: true, reason: 'a good post' }
const idsOf = (said: TestContext) => said.json.filter(({ event }) => event === 'application').map(({ id }) => id)

/** Another account that may grant: the bank, which governs here, gives it the role. */
async function secondAdmin() {
  const dir = join(home, 'helper')
  const { rpcUrl, registry } = network
  const { signal } = new AbortController()
  const { signer, chain } = await createIdentity({ dataDir: dir, rpcUrl, registry, signal })
  const word = (hex: string) => hex.replace(/^0x/, '').padStart(64, '0')
  const selector = hexFromBytes(keccak256(utf8('grantRole(uint64,address,uint32)'))).slice(0, 10)
  const data = `${selector}${word('2')}${word(signer.address)}${word('0')}` as `0x${string}`
  const bank = createChainClient({ rpcUrl, account: accountFromSecretKey(LOCAL_BANK_KEY), pollingIntervalMs: 20 })
  await bank.sender?.send({ to: chain.addresses.governance, data })
  return { ...admin, data: dir, gateway, key: join(dir, 'keys', 'user.json') }
}

describe('whoever has nothing yet', () => {
  test('gets a DID at a gateway’s expense, once, and no coin', async () => {
    const dir = join(home, 'newcomer')
    const options = { data: dir, rpc: network.rpcUrl, registry: network.registry, relay: `${gateway}/` }
    const first = (await run(createDid, options)).last()
    const record = await user.chain.findDid(first.did as string)
    assert.equal(record?.masterAddress, first.address)
    const again = await run(createDid, options)
    assert.deepEqual([again.last().did, again.json.some(({ event }) => event === 'stamp')], [first.did, false])
    const account = (await run(wallet, { data: dir })).json.find(({ event }) => event === 'account')
    assert.deepEqual([account?.gasWei, account?.memoAtto], [0n, 0n])
    assert.equal(findProfile(dir)?.gateway, gateway)
    await run(apply, { ...wish, data: dir })
  })

  test('is refused a gateway that is none', async () => {
    const options = { data: join(home, 'nowhere'), rpc: network.rpcUrl, registry: network.registry }
    await assert.rejects(run(createDid, { ...options, relay: 'gateway' }), { name: 'UsageError' })
    await assert.rejects(run(createDid, { ...options, relay: 'http://127.0.0.1:9' }), { name: 'UnreachableError' })
  })
})

describe('an application', () => {
  test('waits, is granted on chain by an administrator, recorded with its transaction, and granted once', async () => {
    const { id } = (await run(apply, wish)).last()
    assert.ok(idsOf(await run(applications, { data })).includes(id))
    await assert.rejects(run(apply, wish), { name: 'GatewayError', message: /not decided yet/ })
    const granted = (await run(grant, { ...admin, size: '2GiB' }, [`${id}`])).last()
    assert.deepEqual([granted.to, granted.sizeByte], [user.signer.address, 2 * GIB])
    const { space } = (await run(balance, { data })).last() as { space: Record<string, bigint> }
    assert.equal(space.grantedBytes, BigInt(2 * GIB))
    const all = await run(applications, { data, all: true } as ApplicationsOptions)
    assert.equal(all.json.find((line) => line.id === id)?.tx, granted.tx)
    await assert.rejects(run(grant, admin, [`${id}`]), { name: 'UsageError', message: /is granted/ })
  })

  test('whose grant was sent and not recorded is recorded, and not granted again', async () => {
    const { id } = (await run(apply, wish)).last()
    // What an administrator’s command that was cut off left behind; the next one may say another reason.
    const { account } = (await (await fetch(`${gateway}/info`)).json()) as { account: string }
    const reason = `something else (application ${id} of ${account})`
    const before = (await run(balance, { data })).last() as { space: Record<string, bigint> }
    const sent = (await run(free, { ...admin, type: 'space', to: user.did, size: '1GiB', reason })).last()
    const recorded = (await run(grant, admin, [`${id}`])).last()
    assert.deepEqual([recorded.tx, recorded.sizeByte], [sent.tx, GIB])
    const after = (await run(balance, { data })).last() as { space: Record<string, bigint> }
    assert.equal((after.space.grantedBytes ?? 0n) - (before.space.grantedBytes ?? 0n), BigInt(GIB))
  })

  test('that two administrators grant at once, or one after the other, is granted once', async () => {
    const helper = await secondAdmin()
    const grantedBytes = async () =>
      ((await run(balance, { data })).last() as { space: { grantedBytes: bigint } }).space.grantedBytes
    // What another administrator sent and did not record is found by its mark and recorded.
    const { account } = (await (await fetch(`${gateway}/info`)).json()) as { account: string }
    const { id } = (await run(apply, wish)).last()
    const reason = `something (application ${id} of ${account})`
    const sent = (await run(free, { ...admin, type: 'space', to: user.did, size: '1GiB', reason })).last()
    const before = await grantedBytes()
    const recorded = (await run(grant, helper, [`${id}`])).last()
    assert.deepEqual([recorded.tx, await grantedBytes()], [sent.tx, before])
    // Both at once: one of them is told who grants it, or records what the other has sent.
    const second = (await run(apply, wish)).last().id
    const results = await Promise.allSettled([run(grant, admin, [`${second}`]), run(grant, helper, [`${second}`])])
    const done = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value.last().tx] : []))
    const refused = results.flatMap((one) => (one.status === 'rejected' ? [`${one.reason}`] : []))
    assert.equal(new Set(done).size, 1, refused.join('; '))
    for (const text of refused) assert.match(text, /is being granted by|has been granted by|is granted/)
    assert.equal(await grantedBytes(), before + BigInt(10 * GIB))
  })

  test('is refused with a reason, and decided by nobody who may not', async () => {
    const { id } = (await run(apply, { ...wish, type: 'traffic' })).last()
    const key = join(data, 'keys', 'user.json')
    for (const verb of [grant, refuse]) {
      await assert.rejects(run(verb, { ...admin, key }, [`${id}`]), { name: 'GatewayError', message: /526/ })
    }
    assert.equal((await run(refuse, admin, [`${id}`])).last().event, 'refused')
    await assert.rejects(run(refuse, admin, ['9999']), { name: 'GatewayError' })
    await assert.rejects(run(refuse, admin, ['x']), { name: 'UsageError' })
  })

  test('is made with a key file as well, for the first DID of the key', async () => {
    const key = join(data, 'keys', 'user.json')
    const elsewhere = { ...wish, data: join(home, 'nowhere'), ...chainOf(), gateway, key, type: 'traffic' }
    const { did, id } = (await run(apply, elsewhere)).last()
    assert.equal(did, user.did)
    await run(refuse, admin, [`${id}`])
  })

  test('says what it is for', async () => {
    for (const wrong of [
      { type: 'room' },
      { size: '0' },
      { size: 'much' },
      { evidence: 'my word' },
      { evidence: 'file:///etc/passwd' },
    ]) {
      await assert.rejects(run(apply, { ...wish, ...wrong }), { name: 'UsageError' })
    }
  })
})

describe('a balance', () => {
  test('and an application leave the login of the DID’s programs alone', async () => {
    const loginNow = async () => await (await fetch(`${gateway}/login?did=${user.did}`)).json()
    const { transport, close } = createHttpTransport({ blame: 'us' })
    const ports = { transport, clock: createSystemClock(), random: createSystemRandomness() }
    const client = createGatewayClient({ ...ports, endpoint: gateway, did: user.did, signer: user.signer })
    try {
      assert.equal((await client.quota('space')).usedBytes, 0n)
      const login = await loginNow()
      await run(balance, { data })
      const { id } = (await run(apply, { ...wish, type: 'traffic' })).last()
      assert.deepEqual(await loginNow(), login)
      assert.equal((await client.quota('space')).usedBytes, 0n)
      await run(refuse, admin, [`${id}`])
    } finally {
      await close()
    }
  })

  test('says what the gateway warns of, and nothing that would move the cursor', async () => {
    // The gateway itself, whose answers say more on their way.
    const warner = createServer((request, response) => {
      const { host: _, ...headers } = request.headers
      void fetch(`${gateway}${request.url}`, { headers: headers as Record<string, string> }).then(async (answer) => {
        const said = (await answer.json()) as object
        const more = request.url === '/mefs/space' ? { Warning: '5 bytes are \u001b[2Jpaid until 2029-11-19' } : {}
        response.writeHead(answer.status).end(JSON.stringify({ ...said, ...more }))
      })
    })
    await once(warner.listen(0, '127.0.0.1'), 'listening')
    const profile = findProfile(data) as NonNullable<ReturnType<typeof findProfile>>
    const { port } = warner.address() as AddressInfo
    try {
      assert.equal((await run(balance, { data })).last().warning, null)
      await saveProfile(data, { ...profile, gateway: `http://127.0.0.1:${port}` })
      const said = await run(balance, { data })
      assert.match(said.text.join('\n'), /warning: 5 bytes are \?\[2Jpaid until 2029-11-19/)
      assert.match(String(said.last().warning), /^5 bytes are/)
    } finally {
      await saveProfile(data, profile)
      warner.close()
    }
  })

  test('is shown from the chain alone where the gateway does not answer, or no password opens the key', async () => {
    const profile = findProfile(data) as NonNullable<ReturnType<typeof findProfile>>
    const usedBy = async (dir: string) => {
      const said = await run(balance, { data: dir })
      return [(said.last().space as Record<string, unknown>).usedBytes, said.text.join(' ')] as const
    }
    assert.equal((await usedBy(data))[0], 0n)
    await saveProfile(data, { ...profile, gateway: 'http://127.0.0.1:9' })
    const [unknown, why] = await usedBy(data)
    assert.equal(unknown, null)
    assert.match(why, /cannot be said now/)
    await saveProfile(data, profile)
    const locked = join(home, 'locked')
    cpSync(data, locked, { recursive: true })
    rmSync(join(locked, 'keys', 'password'))
    const [sealed, hint] = await usedBy(locked)
    assert.equal(sealed, null)
    assert.match(hint, /--password-file/)
  })
})

describe('a stamp', () => {
  test('is work on what the gateway asked for, and another one each time', async () => {
    const { context, json } = createTestContext()
    const terms = { purpose: 'apply', subject: user.did } as const
    const [first, second] = [await createStamp(context, gateway, terms), await createStamp(context, gateway, terms)]
    assert.equal(first.challenge, second.challenge)
    assert.notEqual(first.counter, second.counter)
    // With 8 bits 10,000 tries fail once in 10^17 times.
    for (const { tries } of json) assert.ok(Number(tries) >= 1 && Number(tries) < 10_000, `${tries} tries`)
    assert.equal(json.length, 2)
    assert.ok(isHashcash(findBytesFromHex(first.challenge) as Uint8Array, first.counter, 8))
  })

  test('that costs hours is not worked on, and one that is stopped stops', async () => {
    const challenge = new Uint8Array(32)
    for (const bits of [41, -1, 0.5, Number.NaN]) {
      await assert.rejects(findCounter(createTestContext().context, { challenge, bits }), {
        name: 'BadGatewayAnswerError',
      })
    }
    const said = createTestContext()
    const working = findCounter(said.context, { challenge, bits: 40 })
    said.interrupt()
    await assert.rejects(working, /interrupted/)
  })
})

test('who grants on a local network is its bank, and what users got from it is what they have', async () => {
  assert.equal(LOCAL_BANK_KEY.length, 32)
  const granted = await run(free, { ...admin, type: 'traffic', to: user.did, size: '1GiB' })
  assert.equal(granted.last().admin, localBankAddress())
  const account = (await run(wallet, { data })).json.find(({ event }) => event === 'account')
  assert.equal(account?.memoAtto, LOCAL_USER_ATTO)
})
