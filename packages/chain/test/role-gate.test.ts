import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertServes, BannedError, NoRoleError, NotActiveError, SuspendedError, WrongRoleError } from '@memo/chain'
import type { AccountState, Role } from '@memo/core'
import { createScriptedChain } from '@memo/core/testing'

const ADDRESS = `0x${'1'.repeat(40)}` as const

async function gate(role: Role, state: AccountState, wanted: 'user' | 'provider' | 'keeper'): Promise<Role> {
  const chain = createScriptedChain()
  chain.setAccount({ address: ADDRESS, role, state })
  return (await assertServes(chain, ADDRESS, wanted)).role
}

describe('the gate that a serving account passes', () => {
  test('lets an active account serve in its role', async () => {
    for (const role of ['user', 'provider', 'keeper'] as const) assert.equal(await gate(role, 'active', role), role)
  })

  test('lets an exiting node serve on what it holds, but no exiting user write', async () => {
    assert.equal(await gate('provider', 'exiting', 'provider'), 'provider')
    assert.equal(await gate('keeper', 'exiting', 'keeper'), 'keeper')
    await assert.rejects(gate('user', 'exiting', 'user'), NotActiveError)
  })

  test('stops everybody else, and says why and what to do', async () => {
    await assert.rejects(assertServes(createScriptedChain(), ADDRESS, 'user'), NoRoleError)
    await assert.rejects(gate('none', 'registered', 'user'), NoRoleError)
    await assert.rejects(gate('provider', 'active', 'user'), WrongRoleError)
    await assert.rejects(gate('user', 'active', 'keeper'), WrongRoleError)
    await assert.rejects(gate('user', 'banned', 'user'), BannedError)
    await assert.rejects(gate('provider', 'suspended', 'provider'), SuspendedError)
    await assert.rejects(gate('keeper', 'registered', 'keeper'), NotActiveError)
    await assert.rejects(gate('provider', 'exited', 'provider'), NotActiveError)
    await assert.rejects(gate('user', 'banned', 'user'), (error: { fix?: string }) => (error.fix ?? '').length > 0)
  })
})
