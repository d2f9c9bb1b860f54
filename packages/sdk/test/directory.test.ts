import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address, Chain } from '@memo/core'
import {
  createMemoryNetwork,
  createScriptedChain,
  createSeededRandomness,
  createVirtualTime,
  TEST_NETWORK,
} from '@memo/core/testing'
import { createDirectory } from '../src/nodes/directory.ts'

const INVENTED = 5_000

test('who is named by strangers is remembered for a while, and never without end', async () => {
  const { clock, timers } = createVirtualTime()
  const random = createSeededRandomness('directory')
  const transport = createMemoryNetwork({ timers, random }).transport()
  const scripted = createScriptedChain({ clock })
  const real: Address = `0x${'11'.repeat(20)}`
  scripted.setAccount({ address: real, role: 'provider', endpoint: 'http://provider' })
  let asked = 0
  const findAccount: Chain['findAccount'] = async (address) => {
    asked++
    return await scripted.findAccount(address)
  }
  const directory = createDirectory(
    { network: TEST_NETWORK, transport, clock, timers, random },
    { ...scripted, findAccount },
  )
  await directory.getProvider(real)
  await directory.getProvider(real)
  assert.equal(asked, 1)
  for (let i = 0; i < INVENTED; i++) {
    const address: Address = `0x${i.toString(16).padStart(40, '0')}`
    await assert.rejects(directory.getProvider(address), { name: 'UnknownProviderError' })
  }
  asked = 0
  assert.equal((await directory.getProvider(real)).address, real)
  assert.equal(asked, 1)
})
