import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { deactivateDid, getDidNonce, getQuota, grantQuotaToDid, registerUser } from '@memo/chain'
import {
  type Address,
  createKeySigner,
  findBytesFromHex,
  findHashcash,
  hexFromBytes,
  isHashcash,
  type Signer,
  signRequest,
  utf8,
} from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { deriveMemoDid, type MemoDid, signOperation } from '@memo/did'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { SELLER } from './support/buyer.ts'
import { createCaller, type TestCaller } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { errorOf } from './support/objects.ts'

const BITS = 6
const TRIES = 1e6
const EVIDENCE = 'https://example.org/post/1'
const GRANTER = createKeySigner(testKey(1)) // the deployer governs the test network
let network: TestNetwork
let gateway: TestGateway
const offset = { ms: 0 }

before(async () => {
  network = await startNetwork()
  const clock = { nowMs: () => Date.now() + offset.ms }
  gateway = await startReadyGateway(network, { clock, apply: { hashcashBits: BITS, didsPerHour: 8 } })
})
after(async () => {
  await gateway.close()
  await network.close()
})

type Stamp = { readonly challenge: string; readonly counter: number }

async function stamp(purpose: string, subject: string): Promise<Stamp> {
  const answer = await fetch(`${gateway.url}/hashcash?purpose=${purpose}&subject=${subject}`)
  const { challenge, bits } = (await answer.json()) as { challenge: string; bits: number }
  assert.equal(bits, BITS)
  const counter = findHashcash(findBytesFromHex(challenge) ?? new Uint8Array(), bits, 0, TRIES)
  return { challenge, counter: counter ?? -1 }
}

async function post(path: string, body: unknown): Promise<Response> {
  return await fetch(`${gateway.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
}

async function creationOf(signer: Signer, did: MemoDid = deriveMemoDid(signer.address, 0)) {
  const methodType = 'EcdsaSecp256k1VerificationKey2019' as const
  const domain = { chainId: network.chain.network.chainId, didProxy: network.chain.addresses.didProxy }
  const operation = { kind: 'createDid', did, methodType, key: signer.publicKey } as const
  const signature = hexFromBytes(await signOperation(operation, signer, domain))
  return { did, methodType, publicKey: hexFromBytes(signer.publicKey), signature }
}

async function is(answer: Response, status: number, text = /./): Promise<void> {
  const body = answer.status === 401 ? await answer.text() : (await errorOf(answer)).Description
  assert.equal(answer.status, status, body)
  assert.match(body, text)
}

async function applyAs(caller: TestCaller, change: Record<string, unknown> = {}): Promise<Response> {
  const fields = await caller.sign()
  const body = { ...fields, type: 'space', sizeBytes: 5_000, evidence: EVIDENCE, ...change }
  return await post('/applications', { stamp: await stamp('apply', caller.did), ...body })
}

async function applied(caller: TestCaller, change: Record<string, unknown> = {}): Promise<number> {
  const answer = await applyAs(caller, change)
  const { id } = (await answer.json()) as { id: number }
  assert.equal(answer.status, 200)
  return id
}

async function signed(signer: Signer, method: string, path: string, body?: unknown): Promise<Response> {
  const bytes = body === undefined ? new Uint8Array(0) : utf8(JSON.stringify(body))
  const clock = { nowMs: () => createSystemClock().nowMs() + offset.ms }
  const signing = { network: network.chain.network, signer, clock, random: createSystemRandomness() }
  const headers = await signRequest(signing, { method, path, body: bytes }, SELLER)
  return await fetch(`${gateway.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: bytes }),
  } as RequestInit)
}

describe('a DID without coins', () => {
  test('is created at the gateway’s expense, and can log in', async () => {
    const signer = createKeySigner(testKey(2_001))
    const creation = await creationOf(signer)
    const answer = await post('/did', { ...creation, stamp: await stamp('did', creation.did) })
    const { did, tx } = (await answer.json()) as { did: string; tx: string }
    assert.deepEqual([answer.status, did], [200, creation.did])
    assert.match(tx, /^0x[0-9a-f]{64}$/)
    assert.equal((await network.chain.findDid(did))?.masterAddress, signer.address)
    assert.equal((await createCaller(gateway.url, did, signer).login()).status, 200)
    // Once more after a lost answer costs nobody anything.
    const again = await post('/did', { ...creation, stamp: await stamp('did', creation.did) })
    assert.deepEqual(await again.json(), { did, tx: null })
  })

  test('is not created without a stamp for it, nor by a signature that is not its key’s', async () => {
    const signer = createKeySigner(testKey(2_002))
    const creation = await creationOf(signer)
    const { did } = creation
    for (const bad of [
      undefined,
      null,
      'x',
      {},
      { challenge: '0x', counter: 0 },
      { challenge: `0x${'0'.repeat(64)}`, counter: 0 },
    ]) {
      await is(await post('/did', { ...creation, stamp: bad }), 401, /stamp/)
    }
    await is(await post('/did', { ...creation, stamp: await stamp('apply', did) }), 401, /another purpose/)
    const other = await creationOf(createKeySigner(testKey(2_003)))
    await is(await post('/did', { ...creation, stamp: await stamp('did', other.did) }), 401, /another purpose/)
    const forged = { ...creation, signature: other.signature }
    await is(await post('/did', { ...forged, stamp: await stamp('did', did) }), 519)
    for (const bad of [
      { did: 'did:memo:1' },
      { publicKey: '0x02' },
      { methodType: 'x' },
      { publicKey: `0x05${'0'.repeat(64)}` },
    ]) {
      await is(await post('/did', { ...creation, ...bad, stamp: await stamp('did', did) }), 517)
    }
    assert.equal(await network.chain.findDid(did), undefined)
  })

  test('of somebody else is not created again', async () => {
    const { did } = await network.newDid()
    const creation = await creationOf(createKeySigner(testKey(2_004)), did)
    await is(await post('/did', { ...creation, stamp: await stamp('did', did) }), 517, /taken/)
  })

  test('that the contract would not take counts for nothing: forged ones lock nobody out', async () => {
    const other = await creationOf(createKeySigner(testKey(2_003)))
    const forged = { ...(await creationOf(createKeySigner(testKey(2_005)))), signature: other.signature }
    for (let index = 0; index < 9; index++) {
      await is(await post('/did', { ...forged, stamp: await stamp('did', forged.did) }), 519)
    }
    const honest = await creationOf(createKeySigner(testKey(2_006)))
    const answers = await Promise.all(
      [1, 2, 3].map(async () => await post('/did', { ...honest, stamp: await stamp('did', honest.did) })),
    )
    assert.ok(answers.some(({ status }) => status === 200))
  })

  test('is created so often in an hour, and no more', async () => {
    let refused: Response | undefined
    for (let index = 0; index < 9 && !refused; index++) {
      const creation = await creationOf(createKeySigner(testKey(2_100 + index)))
      const answer = await post('/did', { ...creation, stamp: await stamp('did', creation.did) })
      if (answer.status !== 200) refused = answer
    }
    assert.ok(refused)
    await is(refused, 503, /within an hour/)
  })
})

describe('a stamp', () => {
  test('is good once, for some minutes, and as hard as it is asked for', async () => {
    const caller = await gateway.join()
    const used = await stamp('apply', caller.did)
    await applied(caller, { stamp: used })
    await is(await applyAs(caller, { type: 'traffic', stamp: used }), 401, /used before/)
    const next = await stamp('apply', caller.did)
    assert.notEqual(next.challenge, used.challenge)
    const challenge = findBytesFromHex(next.challenge) ?? new Uint8Array()
    let easy = 0
    while (isHashcash(challenge, easy, BITS)) easy += 1
    await is(await applyAs(caller, { type: 'traffic', stamp: { ...next, counter: easy } }), 401, /fewer than 6 bits/)
    const old = await stamp('apply', caller.did)
    offset.ms = 1_200_000
    await caller.login(Date.now() + offset.ms)
    await is(await applyAs(caller, { type: 'traffic', stamp: old }), 401, /expired/)
    offset.ms = 0
    for (const query of ['', '?purpose=did', '?purpose=x&subject=did:memo:1', `?purpose=apply&subject=x`]) {
      assert.ok((await fetch(`${gateway.url}/hashcash${query}`)).status >= 516, query)
    }
  })
})

describe('an application', () => {
  test('is listed oldest first to those who may decide, and to nobody else', async () => {
    const callers = [await gateway.join(), await gateway.join()]
    const ids: number[] = []
    for (const caller of callers) ids.push(await applied(caller))
    ids.push(await applied(callers[0]!, { type: 'traffic', sizeBytes: 2 ** 53 - 1 }))
    for (const signer of [GRANTER, createKeySigner(GATEWAY_KEY)]) {
      const answer = await signed(signer, 'GET', `/applications?after=${ids[0]! - 1}`)
      const { applications } = (await answer.json()) as { applications: Record<string, unknown>[] }
      assert.deepEqual(
        applications.map(({ id }) => id),
        ids,
      )
      assert.deepEqual(
        [applications[0]?.did, applications[0]?.evidence, applications[0]?.sizeBytes, applications[0]?.state],
        [callers[0]?.did, EVIDENCE, 5_000, 'open'],
      )
    }
    await is(await signed(createKeySigner(testKey(970)), 'GET', '/applications'), 526, /neither the operator/)
    await is(await fetch(`${gateway.url}/applications`), 401)
    await is(await callers[0]!.get('/applications'), 526)
    for (const verb of ['grant', 'refuse']) {
      const outsider = createKeySigner(testKey(970))
      await is(await signed(outsider, 'POST', `/applications/${ids[0]}/${verb}`, { reason: 'because' }), 526)
    }
  })

  test('makes sense, is one at a time, and is that of the DID that signs', async () => {
    const caller = await gateway.join()
    const long = `https://example.org/${'x'.repeat(2_048)}`
    const bad = [
      ...['file:///etc/passwd', 'javascript:alert(1)', 'x', '', 7, null, long].map((evidence) => ({ evidence })),
      ...[0, -1, 1.5, '5', 2 ** 53, null].map((sizeBytes) => ({ sizeBytes })),
      ...['x', null, '__proto__'].map((type) => ({ type })),
    ]
    for (const change of bad) await is(await applyAs(caller, change), 518)
    await is(await applyAs(caller, { did: (await network.newDid()).did }), 401)
    await caller.login(Date.now() + 5_000)
    await applied(caller)
    await is(await applyAs(caller), 518, /not decided yet/)
  })

  test('is granted by the transaction of a granter, which grants no second one', async () => {
    const [caller, other] = [await gateway.join(), await gateway.join()]
    const [id, second] = [await applied(caller), await applied(other)]
    const { client, addresses } = network.chain
    const path = `/applications/${id}/grant`
    await is(await signed(GRANTER, 'POST', path, { reason: 'nice post' }), 518, /may not grant/)
    const { hash } = await grantQuotaToDid(client, {
      addresses,
      kind: 'space',
      did: caller.did,
      sizeByte: 4_000n,
      reason: 'nice',
    })
    await is(await signed(GRANTER, 'POST', path, { reason: 'nice', tx: hash }), 519, /did not grant 5000 bytes/)
    await is(await signed(GRANTER, 'POST', path, { reason: 'nice', tx: `0x${'1'.repeat(64)}` }), 519, /no block/)
    await is(
      await signed(GRANTER, 'POST', `/applications/${second}/grant`, { reason: 'nice', tx: hash, sizeBytes: 4_000 }),
      519,
    )
    const granted = await signed(GRANTER, 'POST', path, { reason: 'nice', tx: hash, sizeBytes: 4_000 })
    const { state, tx, decidedBy, grantedBytes } = (await granted.json()) as Record<string, unknown>
    assert.deepEqual([state, tx, decidedBy, grantedBytes], ['granted', hash, GRANTER.address, '4000'])
    await is(await signed(GRANTER, 'POST', path, { reason: 'nice', tx: hash, sizeBytes: 4_000 }), 518, /is granted/)
    const third = await applied(caller)
    const repeated = { reason: 'nice', tx: hash, sizeBytes: 4_000 }
    await is(await signed(GRANTER, 'POST', `/applications/${third}/grant`, repeated), 518, /granted another/)
    const quota = await getQuota(client, { addresses, kind: 'space', buyer: caller.signer.address as Address })
    assert.equal(quota.freeByte, 4_000n)
  })

  test('that an administrator is about to grant is left to him by the others, for ten minutes', async () => {
    const id = await applied(await gateway.join())
    const other = createKeySigner(GATEWAY_KEY)
    const path = `/applications/${id}`
    const claimed = (await (await signed(GRANTER, 'POST', `${path}/claim`, {})).json()) as Record<string, unknown>
    assert.deepEqual([claimed.state, claimed.claimedBy], ['open', GRANTER.address])
    assert.equal((await signed(GRANTER, 'POST', `${path}/claim`, {})).status, 200, 'his own again')
    const theirs = new RegExp(`is being granted by ${GRANTER.address}, who has until 20`)
    await is(await signed(other, 'POST', `${path}/claim`, {}), 518, theirs)
    await is(await signed(other, 'POST', `${path}/refuse`, { reason: 'no' }), 518, theirs)
    await is(await signed(createKeySigner(testKey(970)), 'POST', `${path}/claim`, {}), 526)
    await is(await signed(GRANTER, 'POST', '/applications/999999/claim', {}), 404)
    offset.ms = 599_000
    await is(await signed(other, 'POST', `${path}/claim`, {}), 518, theirs)
    offset.ms = 601_000
    assert.equal((await signed(other, 'POST', `${path}/claim`, {})).status, 200)
    await is(await signed(GRANTER, 'POST', `${path}/refuse`, { reason: 'no' }), 518, /is being granted/)
    offset.ms = 0
    assert.equal((await signed(other, 'POST', `${path}/refuse`, { reason: 'no' })).status, 200)
    await is(await signed(GRANTER, 'POST', `${path}/claim`, {}), 518, /is refused/)
  })

  test('is refused with a reason, and may then be made again', async () => {
    const caller = await gateway.join()
    const id = await applied(caller)
    for (const reason of [undefined, '', 'x'.repeat(257), 7]) {
      await is(await signed(GRANTER, 'POST', `/applications/${id}/refuse`, { reason }), 518, /reason/)
    }
    const answer = await signed(GRANTER, 'POST', `/applications/${id}/refuse`, { reason: 'the post is gone' })
    assert.equal(((await answer.json()) as { state: string }).state, 'refused')
    await is(await signed(GRANTER, 'POST', `/applications/${id}/refuse`, { reason: 'again' }), 518)
    await is(await signed(GRANTER, 'POST', '/applications/999999/refuse', { reason: 'none' }), 404)
    await applied(caller)
  })
})

describe('an account that holds a DID', () => {
  const apply = async (signer: Signer, did: string) => {
    const body = { did, type: 'space', sizeBytes: 5_000, evidence: EVIDENCE, stamp: await stamp('apply', did) }
    return await signed(signer, 'POST', '/applications', body)
  }

  test('applies and reads its quota by requests of its own, and the login of the DID goes on', async () => {
    const caller = await gateway.join()
    assert.equal((await apply(caller.signer, caller.did)).status, 200)
    const byAccount = await signed(caller.signer, 'GET', '/mefs/space')
    const byDid = await caller.get('/mefs/space')
    assert.deepEqual([byAccount.status, byDid.status], [200, 200])
    assert.equal(await byAccount.text(), await byDid.text())
    await is(await applyAs(caller), 518, /not decided yet/)
  })

  test('applies for no DID of others, of nobody, or that is none', async () => {
    const [caller, other] = [await gateway.join(), await gateway.join()]
    for (const did of [other.did, `did:memo:${'7'.repeat(64)}`]) {
      await is(await apply(caller.signer, did), 401, /failed to verify identity/)
    }
    await is(await signed(caller.signer, 'POST', '/applications', { type: 'space' }), 517)
    const did = other.did as MemoDid
    const { client, addresses } = network.chain
    const operation = { kind: 'deactivateDid', did, nonce: await getDidNonce(client, { addresses, did }) } as const
    await deactivateDid(client, { addresses, did, signature: await signOperation(operation, other.signer) })
    offset.ms = 1_000 // what the gateway remembers of the chain is older then
    await is(await apply(other.signer, did), 401, /failed to verify identity/)
    offset.ms = 0
  })
})

test('a gateway whose account may grant does so itself, once', async () => {
  const own = await startNetwork()

  const store = createMemoryIndexStore()
  const secretKey = testKey(1)
  const other = { secretKey, contracts: own.chain }

  await registerUser(own.chain.client, { addresses: own.chain.addresses })
  const granting = await startReadyGateway(own, { other, store, apply: { hashcashBits: 0 } })
  try {
    const caller = await granting.join()
    const { challenge } = (await (
      await fetch(`${granting.url}/hashcash?purpose=apply&subject=${caller.did}`)
    ).json()) as { challenge: string }
    const body = {
      ...(await caller.sign()),
      type: 'traffic',
      sizeBytes: 700,
      evidence: EVIDENCE,
      stamp: { challenge, counter: 0 },
    }
    const made = await fetch(`${granting.url}/applications`, { method: 'POST', body: JSON.stringify(body) })
    const { id } = (await made.json()) as { id: number }
    const bytes = utf8(JSON.stringify({ reason: 'nice' }))
    const path = `/applications/${id}/grant`
    const signing = {
      network: own.chain.network,
      signer: GRANTER,
      clock: createSystemClock(),
      random: createSystemRandomness(),
    }
    const grant = async () => {
      const headers = await signRequest(signing, { method: 'POST', path, body: bytes }, GRANTER.address)
      return await fetch(`${granting.url}${path}`, { method: 'POST', headers, body: bytes } as RequestInit)
    }
    const statuses = (await Promise.all([grant(), grant(), grant()])).map(({ status }) => status)
    assert.deepEqual(statuses.sort(), [200, 518, 518])
    const { client, addresses } = own.chain
    const quota = await getQuota(client, { addresses, kind: 'traffic', buyer: caller.signer.address })
    assert.equal(quota.freeByte, 700n)
  } finally {
    await granting.close()
    await own.close()
  }
})
