import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCachedChain } from '@memo/chain'
import { type Chain, NotFoundError } from '@memo/core'
import { createScriptedChain } from '@memo/core/testing'

const ADDRESS = `0x${'1'.repeat(40)}` as const
const OTHER = `0x${'2'.repeat(40)}` as const
const TTL_MS = 5_000

function setUp() {
  const scripted = createScriptedChain()
  let asked = 0
  let nowMs = 1_000_000
  const counting: Chain = {
    ...scripted,
    findAccount: async (address) => {
      asked += 1
      return await scripted.findAccount(address)
    },
    listProviders: async () => {
      asked += 1
      return await scripted.listProviders()
    },
  }
  return {
    scripted,
    chain: createCachedChain(counting, { nowMs: () => nowMs }, TTL_MS),
    asked: () => asked,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

describe('a cached chain', () => {
  test('asks once within its time, and again after it', async () => {
    const { scripted, chain, asked, pass } = setUp()
    scripted.setAccount({ address: ADDRESS, role: 'user' })
    await chain.findAccount(ADDRESS)
    pass(TTL_MS - 1)
    assert.equal((await chain.findAccount(ADDRESS))?.role, 'user')
    assert.equal(asked(), 1)
    scripted.setAccount({ address: ADDRESS, role: 'user', state: 'banned' })
    pass(1)
    assert.equal((await chain.findAccount(ADDRESS))?.state, 'banned')
    assert.equal(asked(), 2)
  })

  test('asks as one what is asked together, and keeps different questions apart', async () => {
    const { scripted, chain, asked } = setUp()
    scripted.setAccount({ address: ADDRESS, role: 'user' })
    scripted.setAccount({ address: OTHER, role: 'keeper' })
    const answers = await Promise.all([ADDRESS, OTHER, ADDRESS, OTHER].map((address) => chain.findAccount(address)))
    assert.deepEqual(
      answers.map((account) => account?.role),
      ['user', 'keeper', 'user', 'keeper'],
    )
    assert.equal(asked(), 2)
  })

  test('sees at once what did not exist a moment ago', async () => {
    const { scripted, chain } = setUp()
    assert.equal(await chain.findAccount(ADDRESS), undefined)
    scripted.setAccount({ address: ADDRESS, role: 'user' })
    assert.equal((await chain.findAccount(ADDRESS))?.role, 'user')
  })

  test('passes a failure on and does not remember it', async () => {
    const { scripted, chain } = setUp()
    scripted.setFault(new NotFoundError('no chain'))
    await assert.rejects(chain.listProviders(), NotFoundError)
    scripted.setFault(undefined)
    assert.deepEqual(await chain.listProviders(), [])
  })

  test('does not trust an answer from the future after the clock jumped back', async () => {
    const { scripted, chain, asked, pass } = setUp()
    scripted.setAccount({ address: ADDRESS, role: 'user' })
    await chain.findAccount(ADDRESS)
    pass(-3_600_000)
    await chain.findAccount(ADDRESS)
    assert.equal(asked(), 2)
  })
})
