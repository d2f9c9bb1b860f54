import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { getMemoBalance, registerUser, transferGas } from '@memo/chain'
import { createKeySigner, findBytesFromHex, hexFromBytes, keccak256 } from '@memo/core'
import { createMemoDid } from '@memo/did'
import { parseTransaction } from 'viem'
import { createBuyer, SELLER } from './support/buyer.ts'
import { cidOf, createCaller, queryOf } from './support/caller.ts'
import { startReadyGateway, type TestGateway, until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { bytesOf, errorOf, fresh, list } from './support/objects.ts'

const TRIAL = 1_000
const N = 2n ** 255n // larger than any order of the curve is halved
let network: TestNetwork
let gateway: TestGateway

before(async () => {
  network = await startNetwork()
  gateway = await startReadyGateway(network, {
    quota: { trialSpaceBytes: TRIAL, trialTrafficBytes: TRIAL, cashBytes: 1_000_000, cashPollMs: 60_000 },
  })
})
after(async () => {
  await gateway.close()
  await network.close()
})

async function is518(answer: Response, text: RegExp): Promise<Response> {
  const { Code, Description, HTTPStatusCode } = await errorOf(answer)
  assert.deepEqual([answer.status, Code, HTTPStatusCode], [518, 'Storage', 518], Description)
  assert.match(Description, /^Storage Error \(/)
  assert.match(Description, text)
  return answer
}

async function is200(answer: Response): Promise<Response> {
  assert.equal(answer.status, 200, answer.ok ? '' : await answer.text())
  return answer
}

type Space = Record<'Nonce' | 'Balance' | 'SizeByte' | 'FreeByte' | 'Expire' | 'Used' | 'Signed' | 'TrialUsed', number>

describe('the trial', () => {
  test('is used first, without any word of the chain, and comes back with a deletion', async () => {
    const buyer = await createBuyer(network, gateway)
    await is200(await buyer.upload(fresh(600)))
    const refused = await is518(await buyer.upload(fresh(500)), /100 bytes of space are missing.*`memo buy space 100`/)
    assert.equal(refused.headers.get('x-memo-missing-bytes'), '100')
    assert.equal(refused.headers.get('x-memo-voucher-kind'), 'space')
    assert.equal(refused.headers.get('x-memo-voucher-size'), '100')
    await is200(await buyer.upload(fresh(400)))
    const [first] = await list(buyer.caller)
    await is200(await buyer.caller.get(`/mefs/delete?id=${first?.ID}`))
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as Space).TrialUsed, 400)
    await is200(await buyer.upload(fresh(600)))
  })

  test('is one for all DIDs of a master key', async () => {
    const buyer = await createBuyer(network, gateway)
    await is200(await buyer.upload(fresh(900)))
    const did = await createMemoDid(network.chain, buyer.caller.signer, 1)
    assert.notEqual(did, buyer.caller.did)
    const second = createCaller(gateway.url, did, buyer.caller.signer)
    await second.login()
    await is518(await second.upload(fresh(200)), /100 bytes of space are missing/)
  })

  test('is used though a voucher comes that is worth nothing: older clients send one with every call', async () => {
    const buyer = await createBuyer(network, gateway)
    await is200(await buyer.upload(fresh(600), await buyer.voucher({ size: 600n, form: 'original', v: 0 })))
    await is518(await buyer.upload(fresh(600), await buyer.voucher({ size: 600n })), /has expired|has 0/)
  })

  test('is not charged again for the same bytes, nor for what was refused or broken off', async () => {
    const buyer = await createBuyer(network, gateway)
    const content = fresh(450)
    await is200(await buyer.upload(content))
    await is200(await buyer.upload(content))
    const wrong = await buyer.caller.upload(fresh(300), { payload: fresh(32) })
    assert.equal(wrong.status, 516)
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as Space).TrialUsed, 450)
  })
})

describe('an upload beyond the trial', () => {
  for (const [form, v] of [
    ['original', 0],
    ['original', 27],
    ['typed', 0],
    ['typed', 27],
  ] as const) {
    test(`is taken with a voucher in the ${form} form with v from ${v}, and one voucher covers the next`, async () => {
      const buyer = await createBuyer(network, gateway)
      await buyer.buy('space', 10_000n)
      await is200(await buyer.upload(fresh(3_000), await buyer.voucher({ size: 4_000n, form, v })))
      await is200(await buyer.upload(fresh(2_000)))
      await is518(await buyer.upload(fresh(1)), /sign a voucher over 4001 bytes under nonce 0/)
      const { Used, Signed } = JSON.parse(await buyer.ask('/mefs/space')) as Space
      assert.deepEqual([Used, Signed], [4_000, 4_000])
    })
  }

  test('is taken with a voucher for traffic as well', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.grant('traffic', 5_000n)
    await is200(await buyer.upload(fresh(3_000), await buyer.voucher({ size: 2_000n, kind: 'traffic' })))
    assert.equal((JSON.parse(await buyer.ask('/mefs/traffic')) as Space).Used, 2_000)
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as Space).Used, 0)
  })

  test('gives its bytes back when it is deleted under the same nonce', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.grant('space', 5_000n)
    await is200(await buyer.upload(fresh(4_000), await buyer.voucher({ size: 3_000n })))
    const [object] = await list(buyer.caller)
    const ids = [object?.ID, object?.ID]
    await Promise.all(ids.map(async (id) => await buyer.caller.get(`/mefs/delete?id=${id}`)))
    const { Used, TrialUsed } = JSON.parse(await buyer.ask('/mefs/space')) as Space
    assert.deepEqual([Used, TrialUsed], [0, 0])
  })

  test('is refused before its body is read where its length is announced', async () => {
    const buyer = await createBuyer(network, gateway)
    const content = fresh(300_000)
    const headers = { 'x-memo-length': `${content.length}` }
    await is518(await buyer.upload(content, undefined, headers), /299000 bytes of space are missing/)
    // Without the announcement the length of the request tells, less what a form may have beside its file.
    await is518(await buyer.upload(content), /bytes of space are missing/)
    assert.deepEqual(await list(buyer.caller), [])
    // Who announces less than he sends is stopped where his quota ends.
    await is518(await buyer.upload(content, undefined, { 'x-memo-length': '10' }), /bytes of space are missing/)
    for (const bad of ['-1', 'NaN', '1e3', '9'.repeat(30)]) {
      assert.equal((await buyer.upload(fresh(10), undefined, { 'x-memo-length': bad })).status, 516, bad)
    }
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as Space).TrialUsed, 0)
  })

  test('asks the chain nothing, where it was asked a moment ago', async () => {
    let asked = 0
    const { client } = network.gatewayChain
    const rpc = new Proxy(client.rpc, {
      get(target, name, receiver) {
        if (name === 'readContract') asked += 1
        return Reflect.get(target, name, receiver) as unknown
      },
    })
    const contracts = { ...network.gatewayChain, client: { ...client, rpc } }
    const counted = await startReadyGateway(network, {
      other: { secretKey: GATEWAY_KEY, contracts },
      quota: { trialSpaceBytes: 100, trialTrafficBytes: 0 },
    })
    try {
      const buyer = await createBuyer(network, counted)
      await buyer.grant('space', 50_000n)
      await is200(await buyer.upload(fresh(100)))
      assert.equal(asked, 0)
      const vouchers = [await buyer.voucher({ size: 10_000n }), await buyer.voucher({ size: 20_000n })]
      await is200(await buyer.upload(fresh(2_000), vouchers[0]))
      const first = asked
      assert.ok(first <= 3, `${first} questions`)
      const startedMs = Date.now()
      await is200(await buyer.upload(fresh(2_000)))
      await is200(await buyer.upload(fresh(9_000), vouchers[1]))
      if (Date.now() - startedMs < 1_500) assert.equal(asked, first)
    } finally {
      await counted.close()
    }
  })
})

describe('a voucher is refused', () => {
  let other: Buyer
  before(async () => {
    other = await createBuyer(network, gateway)
  })
  const cases = {
    'of another buyer': async (buyer: Buyer) => await buyer.voucher({ size: 2_000n, signer: other }),
    'under a nonce that is not the one of now': async (buyer: Buyer) =>
      await buyer.voucher({ size: 2_000n, nonce: 1n }),
    'for another pay contract': async (buyer: Buyer) => await buyer.voucher({ size: 2_000n, payAddress: SELLER }),
    'for another seller': async (buyer: Buyer) => await buyer.voucher({ size: 2_000n, seller: other.address }),
    'over more than was bought': async (buyer: Buyer) => await buyer.voucher({ size: 5_001n }),
    'with a signature whose s is in the upper half': async (buyer: Buyer) => {
      const { size, sign } = await buyer.voucher({ size: 2_000n })
      return { size, sign: mirrored(sign) }
    },
    'over another size than it says': async (buyer: Buyer) => ({
      ...(await buyer.voucher({ size: 2_000n })),
      size: '2001',
    }),
  }
  for (const [what, make] of Object.entries(cases)) {
    test(what, async () => {
      const buyer = await createBuyer(network, gateway)
      await buyer.grant('space', 5_000n)
      await is518(await buyer.upload(fresh(1_500), await make(buyer)), /voucher/)
      assert.deepEqual(await list(buyer.caller), [])
      await is200(await buyer.upload(fresh(1_500), await buyer.voucher({ size: 500n })))
    })
  }

  test('whose size or signature is no number or no signature', async () => {
    const buyer = await createBuyer(network, gateway)
    const { sign } = await buyer.voucher({ size: 1n })
    for (const size of ['-1', 'NaN', '1e3', '1.5', '0x10', ' 1', `${2n ** 64n}`, '9'.repeat(400), '01', 'Infinity']) {
      await is518(await buyer.upload(fresh(1_500), { size, sign }), /the size of a voucher is/)
    }
    for (const bad of ['0x', '0x00', `${sign}00`, sign.slice(2), 'x', `${sign.slice(0, -2)}1d`]) {
      await is518(await buyer.upload(fresh(1_500), { size: '600', sign: bad }), /voucher/)
    }
  })

  test('that covers less than was used already', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.grant('space', 5_000n)
    await is200(await buyer.upload(fresh(3_000), await buyer.voucher({ size: 2_500n })))
    const refused = await is518(await buyer.upload(fresh(501), await buyer.voucher({ size: 1_999n })), /2000 are used/)
    assert.equal(refused.headers.get('x-memo-voucher-size'), '2000')
    // A smaller one than the best, which covers what was used, changes nothing.
    await is200(await buyer.upload(fresh(500), await buyer.voucher({ size: 2_100n })))
  })

  test('by a gateway that is not the seller, which says so where it says whether it is ready', async () => {
    const secretKey = testKey(700)
    const contracts = await network.connect(secretKey)
    const { address } = createKeySigner(secretKey)
    await transferGas(network.chain.client, { to: address, amountWei: 10n ** 18n })
    await registerUser(contracts.client, { addresses: contracts.addresses })
    const other = await startReadyGateway(network, {
      other: { secretKey, contracts },
      quota: { trialSpaceBytes: TRIAL },
    })
    try {
      const buyer = await createBuyer(network, other)
      await buyer.grant('space', 5_000n)
      const voucher = await buyer.voucher({ size: 2_000n, seller: address })
      await is518(await buyer.upload(fresh(1_500), voucher), /takes no vouchers: the market's seller is 0x/)
      await is518(await buyer.upload(fresh(1_500)), /takes no vouchers/)
      await is200(await buyer.upload(fresh(500)))
      const ready = (await (await fetch(`${other.url}/readyz`)).json()) as { warnings?: string[] }
      assert.match(String(ready.warnings), /^vouchers: the market's seller is/)
    } finally {
      await other.close()
    }
  })
})

describe('many uploads at a time', () => {
  test('never store more bytes than were signed for', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.grant('space', 100_000n)
    const { size, sign } = await buyer.voucher({ size: 9_000n })
    const callers = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const did = await createMemoDid(network.chain, buyer.caller.signer, index + 1)
        const caller = createCaller(gateway.url, did, buyer.caller.signer)
        await caller.login()
        return caller
      }),
    )
    const answers = await Promise.all(
      callers.map(async (caller) => {
        const content = fresh(2_500)
        const query = queryOf({ ...(await caller.sign(keccak256(content))), size, sign })
        const form = new FormData()
        form.set('file', new Blob([content as Uint8Array<ArrayBuffer>]), 'file.bin')
        return (await fetch(`${gateway.url}/mefs/?${query}`, { method: 'POST', body: form })).status
      }),
    )
    assert.deepEqual(answers.sort(), [200, 200, 200, 200, 518, 518, 518, 518])
    const { Used, TrialUsed } = JSON.parse(await buyer.ask('/mefs/space')) as Space
    assert.deepEqual([Used, TrialUsed], [9_000, 1_000])
  })
})

describe('a download', () => {
  test('of a private object is counted by what was sent, and refused beyond the trial', async () => {
    const buyer = await createBuyer(network, gateway)
    const content = fresh(900)
    await is200(await buyer.upload(content))
    const cid = cidOf(content)
    assert.deepEqual(await bytesOf(await is200(await buyer.download(cid))), content)
    const refused = await is518(await buyer.download(cid), /800 bytes of traffic are missing.*`memo buy traffic 800`/)
    assert.equal(refused.headers.get('x-memo-voucher-kind'), 'traffic')
    const part = await buyer.download(cid, undefined, { headers: { range: 'bytes=0-99' } })
    assert.equal(part.status, 206)
    await part.arrayBuffer()
    await is518(await buyer.download(cid, undefined, { headers: { range: 'bytes=0-0' } }), /1 bytes of traffic/)
    await buyer.buy('traffic', 1_000n)
    await is200(await buyer.download(cid, await buyer.voucher({ size: 900n, kind: 'traffic', form: 'original', v: 0 })))
    assert.equal((await buyer.caller.get(`/mefs/${cid}`, { method: 'HEAD' })).status, 200)
  })

  test('that ends early costs what was sent', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.grant('space', 20_000_000n)
    await buyer.grant('traffic', 20_000_000n)
    const content = fresh(10_000_000)
    await is200(await buyer.upload(content, await buyer.voucher({ size: 10_000_000n })))
    const stop = new AbortController()
    const voucher = await buyer.voucher({ size: 10_000_000n, kind: 'traffic' })
    const answer = await buyer.download(cidOf(content), voucher, { signal: stop.signal })
    await answer.body?.getReader().read()
    stop.abort()
    await until('the rest is given back', async () => {
      const { Used } = JSON.parse(await buyer.ask('/mefs/traffic')) as Space
      return Used > 0 && Used < 9_900_000
    })
  })

  test('of a public object is free', async () => {
    const buyer = await createBuyer(network, gateway)
    const content = fresh(800)
    await is200(await buyer.caller.upload(content, { isPublic: true }))
    for (let time = 0; time < 3; time++) await is200(await fetch(`${gateway.url}/mefs/${cidOf(content)}`))
    assert.equal((JSON.parse(await buyer.ask('/mefs/traffic')) as Space).TrialUsed, 0)
  })
})

describe('the routes of the original', () => {
  test('say what is left in bare integers, however large', async () => {
    const buyer = await createBuyer(network, gateway)
    await buyer.buy('space', 2n ** 40n)
    const text = await buyer.ask('/mefs/space')
    const { balanceAtto, expire } = await buyer.info('space')
    assert.ok(balanceAtto > BigInt(Number.MAX_SAFE_INTEGER))
    const keys = `"Nonce":0,"Balance":${balanceAtto},"SizeByte":${2n ** 40n},"FreeByte":0,"Expire":${expire}`
    assert.ok(text.startsWith(`{${keys},`), text)
    assert.equal(JSON.parse(await buyer.ask('/mefs/getSpacePrice')), 25_000)
    assert.equal(await (await fetch(`${gateway.url}/mefs/getTrafficPrice`)).text(), '10000')
  })

  test('sell: the transactions that they make are signed by the buyer, and the chain takes them', async () => {
    const buyer = await createBuyer(network, gateway)
    const run = async (path: string) => {
      const { tx, unsigned } = JSON.parse(await buyer.ask(path)) as { tx: `0x${string}`; unsigned: boolean }
      assert.equal(unsigned, true)
      const account = buyer.chain.client.account
      const signed = await account?.signTransaction(parseTransaction(tx) as never)
      return await buyer.chain.client.rpc.sendRawTransaction({ serializedTransaction: signed as `0x${string}` })
    }
    await buyer.fund()
    const size = 5_000n
    const { cost } = JSON.parse(await buyer.ask(`/mefs/buyspace?size=${size}`)) as { cost: string }
    assert.equal(BigInt(cost), 25_000n * size)
    await run(`/mefs/approve?type=store&size=${cost}`)
    await until('the approval is there', async () => (await buyer.ask('/mefs/allowance?type=store')) === cost)
    const hash = await run(`/mefs/buyspace?size=${size}`)
    await until('the block is there', async () => (await buyer.info('space')).sizeByte === size)
    assert.equal((JSON.parse(await buyer.ask('/mefs/space')) as Space).SizeByte, 5_000)
    const receipt = await fetch(`${gateway.url}/mefs/receipt?receipt=${hash}`)
    assert.equal(await receipt.text(), '"success"')
    const { client, addresses } = buyer.chain
    const balance = await getMemoBalance(client, { addresses, address: buyer.address })
    assert.equal(await buyer.ask('/mefs/balance'), `{"Address":"${buyer.address}","Balance":"${balance}"}`)
  })

  test('read their fields from the body of a GET, as the original’s clients send them', async () => {
    const buyer = await createBuyer(network, gateway)
    const get = async (path: string, more: object = {}): Promise<Record<string, unknown>> => {
      const body = JSON.stringify({ ...(await buyer.caller.sign()), ...more })
      const sent = request(`${gateway.url}${path}`, { method: 'GET', headers: { 'content-length': body.length } })
      sent.end(body)
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return (await json(answer)) as Record<string, unknown>
    }
    assert.equal((await get('/mefs/space')).Nonce, 0)
    assert.equal((await get('/traffichash', { size: 12 })).SizeByte, 12)
    assert.match(String((await get('/mefs/buytraffic', { size: '12' })).tx), /^0xf8/)
    assert.equal((await get('/mefs/balance')).Balance, '0')
  })

  test('give hashes to sign, for traffic at the root as well', async () => {
    const buyer = await createBuyer(network, gateway)
    for (const [path, kind] of [
      ['/mefs/spacehash', 'space'],
      ['/mefs/traffichash', 'traffic'],
      ['/traffichash', 'traffic'],
    ] as const) {
      const answer = JSON.parse(await buyer.ask(`${path}?size=700`)) as Record<string, unknown>
      const { sign } = await buyer.voucher({ size: 700n, kind, form: 'original' })
      const own = await buyer.caller.signer.signDigest(findBytesFromHex(answer.hash) ?? new Uint8Array())
      assert.equal(hexFromBytes(own), sign)
      assert.deepEqual([answer.Seller, answer.Buyer, answer.Nonce], [SELLER, buyer.address, 0])
    }
  })

  test('refuse what makes no sense', async () => {
    const buyer = await createBuyer(network, gateway)
    for (const path of ['spacehash', 'traffichash?size=-1', 'buyspace', 'buyspace?size=0', 'buytraffic?size=1e9']) {
      assert.equal((await buyer.caller.get(`/mefs/${path}`)).status, 518, path)
    }
    for (const path of ['allowance', 'allowance?type=x', 'allowance?type=__proto__', 'approve?type=read&size=-1']) {
      assert.equal((await buyer.caller.get(`/mefs/${path}`)).status, 518, path)
    }
    for (const receipt of ['', 'x', `0x${'1'.repeat(64)}`]) {
      assert.equal((await fetch(`${gateway.url}/mefs/receipt?receipt=${receipt}`)).status, 519, receipt)
    }
    for (const path of ['space', 'buyspace?size=1', 'balance', 'approve?type=store&size=1', 'traffichash?size=1']) {
      assert.equal((await fetch(`${gateway.url}/mefs/${path}`)).status, 401, path)
    }
    assert.equal((await fetch(`${gateway.url}/ipfs/space`)).status, 518)
  })
})

type Buyer = Awaited<ReturnType<typeof createBuyer>>

/** The other signature over the same digest: n − s, and the other v. */
function mirrored(sign: string): string {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = order - BigInt(`0x${sign.slice(66, 130)}`)
  assert.ok(s > N / 2n)
  return `${sign.slice(0, 66)}${s.toString(16).padStart(64, '0')}${sign.slice(130) === '1b' ? '1c' : '1b'}`
}
