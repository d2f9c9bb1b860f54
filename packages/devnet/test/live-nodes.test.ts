import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Account, createAddressFromString, setLengthLeft } from '@ethereumjs/util'
import fc from 'fast-check'
import { createCommon } from '../src/common.ts'
import { createStateManager } from '../src/genesis.ts'
import { bytesFromHex, hexFromBytes } from '../src/hex.ts'
import { selectLiveNodes } from '../src/live-nodes.ts'
import { StateDb } from '../src/state-db.ts'
import { openStore } from '../src/store.ts'

const common = createCommon(985)
const addressOf = (index: number) => createAddressFromString(`0x${index.toString(16).padStart(40, '0')}`)
const slotOf = (index: number) => setLengthLeft(Uint8Array.of(index), 32)

/** One change of the state: an account's balance, a slot of it (nothing clears it), or its code. */
const change = fc.oneof(
  fc.record({ kind: fc.constant('balance' as const), account: fc.nat(40), value: fc.nat(1000) }),
  fc.record({ kind: fc.constant('slot' as const), account: fc.nat(3), slot: fc.nat(40), value: fc.nat(3) }),
  fc.record({ kind: fc.constant('code' as const), account: fc.nat(3), value: fc.nat(255) }),
)
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

async function apply(state: ReturnType<typeof createStateManager>, step: Change): Promise<void> {
  const address = addressOf(step.account + 1)
  const account = (await state.getAccount(address)) ?? new Account(0n, 1n)
  if (step.kind === 'balance') account.balance = BigInt(step.value) + 1n
  await state.putAccount(address, account)
  if (step.kind === 'slot')
    await state.putStorage(address, slotOf(step.slot), step.value === 0 ? new Uint8Array() : Uint8Array.of(step.value))
  if (step.kind === 'code') await state.putCode(address, Uint8Array.of(step.value, 1, 2))
}

/** Everything that the changes can have touched, read back from a state root. */
async function readAll(db: StateDb, root: Uint8Array): Promise<string[]> {
  const state = createStateManager(db, common, root)
  const seen: string[] = []
  for (let index = 0; index <= 40; index += 1) {
    const address = addressOf(index + 1)
    const account = await state.getAccount(address)
    seen.push(
      account === undefined ? 'none' : hexFromBytes(account.serialize()),
      hexFromBytes(await state.getCode(address)),
    )
    if (index > 3 || account === undefined) continue
    for (let slot = 0; slot <= 40; slot += 1) seen.push(hexFromBytes(await state.getStorage(address, slotOf(slot))))
  }
  return seen
}

describe('the nodes that are stored', () => {
  test('hold every state that a block had, whatever changed in it, and less than was written', async () => {
    const blocks = fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(blocks, async (history) => {
        const db = new StateDb(openStore(undefined))
        const state = createStateManager(db, common, undefined)
        const stored = new Map<string, Uint8Array>()
        const expected: { root: Uint8Array; contents: string[] }[] = []
        for (const steps of history) {
          await state.checkpoint()
          for (const step of steps) {
            await apply(state, step)
            // A flush after each step makes the trie pass through states that no block has.
            await state.flush()
          }
          await state.commit()
          const root = await state.getStateRoot()
          expected.push({ root, contents: await readAll(db, root) })
          const live = selectLiveNodes(db.added(), root)
          assert.ok(live.size <= db.added().size)
          for (const [key, value] of live) stored.set(key, value)
          db.settle(live)
        }
        const reopened = new StateDb(openStore(undefined))
        for (const [key, value] of stored) await reopened.put(key, value)
        for (const { root, contents } of expected) assert.deepEqual(await readAll(reopened, root), contents)
      }),
      { numRuns: 25 },
    )
  })

  test('are all needed: without any one of them the state cannot be read', async () => {
    const db = new StateDb(openStore(undefined))
    const state = createStateManager(db, common, undefined)
    for (let index = 0; index < 20; index += 1) await apply(state, { kind: 'balance', account: index, value: index })
    for (let slot = 0; slot < 20; slot += 1) await apply(state, { kind: 'slot', account: 0, slot, value: 1 })
    await apply(state, { kind: 'code', account: 1, value: 7 })
    const root = await state.getStateRoot()
    const whole = await readAll(db, root)
    const live = selectLiveNodes(db.added(), root)
    assert.ok(live.size < db.added().size)
    for (const missing of live.keys()) {
      const holed = new StateDb(openStore(undefined))
      for (const [key, value] of live) if (key !== missing) await holed.put(key, value)
      const read = await readAll(holed, root).catch(() => ['unreadable'])
      assert.notDeepEqual(read, whole, missing)
    }
    assert.deepEqual([...selectLiveNodes(new Map(), bytesFromHex('00'.repeat(32)))], [])
  })
})
