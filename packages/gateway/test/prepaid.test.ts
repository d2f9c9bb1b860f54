import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeySigner, signRequest } from '@memo/core'
import { createSystemClock, createSystemRandomness } from '@memo/platform'
import { type Buyer, createBuyer, SELLER } from './support/buyer.ts'
import { startReadyGateway, until } from './support/gateway.ts'
import { GATEWAY_KEY, startNetwork } from './support/network.ts'
import { fresh } from './support/objects.ts'

type Space = Record<'Nonce' | 'SizeByte' | 'Used' | 'Signed' | 'Prepaid', number>

test('what a cashed voucher paid for and nobody used is said to the byte, and is all that may be used', async () => {
  const network = await startNetwork()
  const quota = { trialSpaceBytes: 0, trialTrafficBytes: 0, cashPollMs: 1e9 }
  const gateway = await startReadyGateway(network, { quota })
  try {
    const buyer = await createBuyer(network, gateway)
    const look = async () => {
      const { Nonce, SizeByte, Used, Signed, Prepaid } = JSON.parse(await buyer.ask('/mefs/space')) as Space
      return [Nonce, SizeByte, Used, Signed, Prepaid]
    }
    await buyer.buy('space', 10_000n)
    assert.equal((await buyer.upload(fresh(2_000), await buyer.voucher({ size: 5_000n }))).status, 200)
    assert.deepEqual(await look(), [0, 10_000, 2_000, 5_000, 0])
    await cash(buyer)
    await until('the answer is young', async () => (await look())[0] === 1)
    assert.deepEqual(await look(), [1, 5_000, 0, 0, 3_000])
    assert.equal((await buyer.upload(fresh(3_001))).status, 518)
    assert.deepEqual(await look(), [1, 5_000, 0, 0, 3_000])
    assert.equal((await buyer.upload(fresh(2_999))).status, 200)
    assert.deepEqual(await look(), [1, 5_000, 0, 0, 1])
    assert.equal((await buyer.upload(fresh(11), await buyer.voucher({ size: 10n }))).status, 200)
    assert.deepEqual(await look(), [1, 5_000, 10, 10, 0])
  } finally {
    await gateway.close()
    await network.close()
  }

  async function cash(buyer: Buyer): Promise<void> {
    const path = `/mefs/cashspace?address=${buyer.address}`
    const ports = { clock: createSystemClock(), random: createSystemRandomness() }
    const signing = { network: network.chain.network, signer: createKeySigner(GATEWAY_KEY), ...ports }
    const headers = await signRequest(signing, { method: 'GET', path, body: new Uint8Array(0) }, SELLER)
    assert.equal((await fetch(`${gateway.url}${path}`, { headers })).status, 200)
  }
})
