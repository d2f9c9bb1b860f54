import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createStandingWatch, type StandingEvent } from '@memo/chain'
import { type AccountState, MemoError } from '@memo/core'
import { createScriptedChain, createVirtualTime } from '@memo/core/testing'

const ADDRESS = `0x${'1'.repeat(40)}` as const
const REST_MS = 5_000

/** A keeper that serves, on a chain that is told what to show, and whoever watches it. */
function createCase(options: { readonly registerAgain?: () => Promise<void> } = {}) {
  const chain = createScriptedChain()
  const time = createVirtualTime()
  const events: StandingEvent[] = []
  const stop = new AbortController()
  const show = (state: AccountState) => chain.setAccount({ address: ADDRESS, role: 'keeper', state })
  const forget = () => chain.setAccount({ address: ADDRESS, role: 'none', state: 'registered' })
  show('active')
  const watch = createStandingWatch({
    ...options,
    chain,
    timers: time.timers,
    address: ADDRESS,
    role: 'keeper',
    log: (event) => void events.push(event),
  })
  const ended = watch.run(stop.signal).catch(() => undefined) // the way in which it ends
  const looks = async (count: number) => await time.run(time.timers.sleep(count * REST_MS + 1))
  const close = async () => {
    stop.abort()
    await time.run(ended)
  }
  return { chain, watch, events, show, forget, looks, close, types: () => events.map(({ type }) => type) }
}

describe('an account that serves, on a chain that forgets it', () => {
  test('is told once, with what to do, and when the chain shows it again', async () => {
    const one = createCase()
    await one.looks(3)
    assert.deepEqual([one.watch.findFault(), one.types()], [undefined, []])
    one.forget()
    await one.looks(1)
    assert.deepEqual(one.types(), [], 'one look at a chain that rewinds is none')
    await one.looks(4)
    assert.deepEqual(one.types(), ['standing-lost'])
    assert.equal(one.events[0]?.level, 'error')
    assert.match(one.watch.findFault() ?? '', /^account: the chain has forgotten .*memo keeper init/)
    one.show('active')
    await one.looks(1)
    assert.deepEqual([one.watch.findFault(), one.types()], [undefined, ['standing-lost', 'standing-back']])
    await one.close()
  })

  test('registers again, also where the pledge alone was forgotten, and no more once it is known', async () => {
    for (const lose of ['forget', 'unpledge'] as const) {
      let registered = 0
      const one = createCase({
        registerAgain: async () => {
          registered += 1
          one.show('active')
        },
      })
      if (lose === 'forget') one.forget()
      else one.show('registered')
      await one.looks(10)
      assert.deepEqual([registered, one.watch.findFault()], [1, undefined])
      assert.deepEqual(one.types(), ['standing-lost', 'registering-again', 'registered-again', 'standing-back'])
      await one.close()
    }
  })

  test('tries again ever more seldom while it cannot register, and is said to be about it', async () => {
    let tries = 0
    const one = createCase({
      registerAgain: async () => {
        tries += 1
        throw new MemoError('no funds', { blame: 'user', retry: 'later', fix: 'Send some.' })
      },
    })
    one.forget()
    await one.looks(20)
    assert.ok(tries >= 3 && tries <= 5, `${tries}`)
    assert.equal(one.types().filter((type) => type === 'standing-lost').length, 1)
    assert.match(one.watch.findFault() ?? '', /by itself/)
    await one.close()
  })

  test('does nothing about what was done to it: exits, bans and suspensions are told alone', async () => {
    for (const state of ['banned', 'suspended', 'exited'] as const) {
      let registered = 0
      const one = createCase({
        registerAgain: async () => {
          registered += 1
        },
      })
      one.show(state)
      await one.looks(10)
      assert.deepEqual([registered, one.types()], [0, ['standing-lost']])
      assert.doesNotMatch(one.watch.findFault() ?? '', /forgotten|by itself/)
      await one.close()
    }
    const leaving = createCase()
    leaving.show('exiting')
    await leaving.looks(5)
    assert.deepEqual(leaving.types(), [], 'who leaves serves to the end')
    await leaving.close()
  })
})
