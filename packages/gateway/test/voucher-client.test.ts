import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { payContractOf } from '@memo/chain'
import { collectBytes, createKeySigner, type Signer, type Transport } from '@memo/core'
import { addAuthenticationKey } from '@memo/did'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient, type GatewayClient, type VoucherPolicy } from '@memo/sdk'
import { type Buyer, createBuyer } from './support/buyer.ts'
import { cidOf } from './support/caller.ts'
import { startReadyGateway, type TestGateway } from './support/gateway.ts'
import { startNetwork, type TestNetwork, testKey } from './support/network.ts'
import { fresh } from './support/objects.ts'

let network: TestNetwork
let gateway: TestGateway

before(async () => {
  network = await startNetwork()
  gateway = await startReadyGateway(network, { quota: { trialSpaceBytes: 1_000, trialTrafficBytes: 0 } })
})
after(async () => {
  await gateway.close()
  await network.close()
})

function clientOf(
  buyer: Buyer,
  policy?: Partial<VoucherPolicy>,
  more: { readonly signer?: Signer; readonly transport?: Transport } = {},
): GatewayClient {
  const { chainId } = network.chain.network
  return createGatewayClient({
    endpoint: gateway.url,
    transport: more.transport ?? network.http.transport,
    did: buyer.caller.did,
    signer: more.signer ?? buyer.caller.signer,
    clock: createSystemClock(),
    random: createSystemRandomness(),
    vouchers: policy && { chainId, maxVoucherBytes: 50_000, ...policy },
  })
}

/** The client's login is newer than the buyer's own. */
async function newSecond(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_100))
}

describe('a session that may sign vouchers', () => {
  test('stores and reads beyond the trial without being told how', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await buyer.buy('space', 100_000n)
    await buyer.buy('traffic', 100_000n)
    const { addresses } = network.chain
    const payContracts = { space: payContractOf(addresses, 'space'), traffic: payContractOf(addresses, 'traffic') }
    const client = clientOf(buyer, { payContracts })
    const contents = [fresh(3_000), fresh(2_000), fresh(1_000)]
    await Promise.all(contents.map(async (content) => await client.upload(content, { name: 'a.bin' })))
    assert.equal((await client.quota('space')).usedBytes, 5_000n)
    assert.equal((await client.quota('space')).signedBytes, 5_000n)
    for (const content of contents) {
      const { body } = await client.download(cidOf(content))
      assert.deepEqual(await collectBytes(body, 10_000), content)
    }
    assert.equal((await client.quota('traffic')).usedBytes, 6_000n)
  })

  test('signs ahead where it may, so that not every call asks', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await buyer.buy('space', 8_000n)
    const client = clientOf(buyer, { aheadBytes: 5_000 })
    await client.upload(fresh(2_000), { name: 'a.bin' })
    assert.equal((await client.quota('space')).signedBytes, 6_000n)
    await client.upload(fresh(6_000), { name: 'b.bin' })
    const { signedBytes, usedBytes, sizeByte } = await client.quota('space')
    assert.deepEqual([signedBytes, usedBytes, sizeByte], [8_000n, 7_000n, 8_000n])
  })

  test('signs neither more than it may nor more than was bought', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await buyer.buy('space', 20_000n)
    const client = clientOf(buyer, { maxVoucherBytes: 4_000 })
    await client.upload(fresh(4_500), { name: 'a.bin' })
    await assert.rejects(client.upload(fresh(600), { name: 'b.bin' }), { name: 'VoucherLimitError', blame: 'user' })
    await newSecond()
    const rich = clientOf(buyer, { maxVoucherBytes: 1e9 })
    await assert.rejects(rich.upload(fresh(20_000), { name: 'c.bin' }), {
      name: 'VoucherLimitError',
      fix: /memo buy space 3500/,
    })
    assert.equal((await rich.list()).length, 1)
  })

  test('signs with the master key, whichever key has logged in', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await buyer.buy('space', 20_000n)
    const second = createKeySigner(testKey(960))
    await addAuthenticationKey(
      network.chain,
      buyer.caller.did as `did:memo:${string}`,
      buyer.caller.signer,
      second.publicKey,
    )
    const without = clientOf(buyer, {}, { signer: second })
    await assert.rejects(without.upload(fresh(2_000), { name: 'a.bin' }), {
      name: 'VoucherLimitError',
      fix: /master key/,
    })
    await newSecond()
    const withMaster = clientOf(buyer, { signer: buyer.caller.signer }, { signer: second })
    await withMaster.upload(fresh(2_000), { name: 'a.bin' })
  })

  test('signs nothing for another chain, another contract, or one that makes no sense', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await buyer.buy('space', 20_000n)
    const lies = [
      [/"ChainId":\d+/, '"ChainId":1'],
      [/"PayAddr":"[^"]+"/, `"PayAddr":"0x${'1'.repeat(40)}"`],
      [/"Buyer":"[^"]+"/, `"Buyer":"0x${'1'.repeat(40)}"`],
      [/"Nonce":\d+/, '"Nonce":"1"'],
      [/^.*$/, '[]'],
    ] as const
    let [truth, lie]: (typeof lies)[number] = lies[0]
    const transport: Transport = async (request) => {
      const answer = await network.http.transport(request)
      if (!request.url.includes('spacehash')) return answer
      const text = new TextDecoder().decode(await collectBytes(answer.body, 10_000)).replace(truth, lie)
      const body = (async function* () {
        yield new TextEncoder().encode(text)
      })()
      return { ...answer, body }
    }
    const { addresses } = network.chain
    const payContracts = { space: payContractOf(addresses, 'space'), traffic: payContractOf(addresses, 'traffic') }
    const client = clientOf(buyer, { payContracts }, { transport })
    for (const pair of lies) {
      ;[truth, lie] = pair
      await assert.rejects(client.upload(fresh(2_000), { name: 'a.bin' }), /VoucherLimitError|BadGatewayAnswerError/)
    }
  })

  test('is opt-in: without it the gateway’s refusal is an error that says what is wanted', async () => {
    const buyer = await createBuyer(network, gateway, { isLoggedIn: false })
    await assert.rejects(clientOf(buyer).upload(fresh(2_000), { name: 'a.bin' }), {
      name: 'GatewayError',
      status: 518,
      blame: 'user',
      wanted: { kind: 'space', size: 1_000n },
    })
  })
})
