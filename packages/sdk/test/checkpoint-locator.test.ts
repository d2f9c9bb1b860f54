import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex32, type Placement, partIdOf } from '@memo/core'
import { createPlacementLocator, type QuestionBudget } from '../src/checkpoint/locator.ts'
import type { StorageContext } from '../src/context.ts'
import { testBytes, testKey } from './support/world.ts'

const OWNER = `did:memo:${'1'.repeat(64)}`
const head = { dataShards: 2, parityShards: 2, sizeBytes: 1_000 }
const pieces = [1, 2, 3, 4].map((i) => ({
  root: testBytes(32, i),
  provider: testKey('gone').signer.address,
  orderId: 0,
}))
const partId = partIdOf(
  head,
  pieces.map(({ root }) => root),
)
const placement: Placement = { ...head, partId, pieces, owner: OWNER, expiry: 0 }

/** Ten providers that hold nothing, and how often they were asked. */
function emptyNetwork() {
  const asked = { times: 0 }
  const addresses = Array.from({ length: 10 }, (_, i) => testKey(`provider ${i}`).signer.address)
  const findSize = async () => {
    asked.times += 1
    return undefined
  }
  const context = {
    chain: { listProviders: async () => addresses.map((address) => ({ address, endpoint: 'http://x' })) },
    directory: { getProvider: async () => ({ findSize }) },
    limits: { askMs: 1 },
  }
  return { asked, context: context as unknown as StorageContext }
}

describe('the pieces of a checkpoint that are not where its slot says', () => {
  const widen = async (context: StorageContext, budget?: QuestionBudget) => {
    const locator = createPlacementLocator(context, new Map([[hex32(partId), placement]]), budget)
    return await locator.widen(await locator.locate(partId, OWNER, undefined), undefined)
  }

  test('are looked for at every provider', async () => {
    const { asked, context } = emptyNetwork()
    await widen(context)
    assert.equal(asked.times, 40)
  })

  test('are looked for as long as the questions last that strangers have in common', async () => {
    const { asked, context } = emptyNetwork()
    const budget = { left: 70 }
    for (let slot = 0; slot < 5; slot++) await widen(context, budget)
    assert.equal(asked.times, 70)
  })
})
