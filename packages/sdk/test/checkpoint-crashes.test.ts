import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodePlacement, openCheckpoint } from '@memo/core'
import { createSeededRandomness, TEST_NETWORK } from '@memo/core/testing'
import {
  createCheckpointWorld,
  expected,
  POLICY,
  restoreAll,
  storedBytes,
  storedCheckpoints,
  write,
} from './support/checkpoint-world.ts'

describe('a run that is cut off', () => {
  test('at whichever moment: the next one goes on, nothing is lost and nothing is left over', async () => {
    /** Runs the story; the client ends at call `dieAt` of a port. Gives how many calls there were. */
    const story = async (dieAt: number): Promise<number> => {
      const world = createCheckpointWorld({ limits: { submitAttempts: 2, submitPauseMs: 10 } })
      const before = world.openFor()
      await world.putAs(before, 'a')
      // Eight links, so that the ninth checkpoint merges and deletes.
      for (let i = 0; i < 8; i++) {
        await world.putAs(before, `b${i}`, 10)
        await write(world, before)
      }
      await world.putAs(before, 'c')
      const died = Promise.withResolvers<void>()
      let calls = 0
      const guard = async <T>(run: () => Promise<T>): Promise<T> => {
        for (const step of [async () => undefined, run]) {
          if (calls > dieAt) return await new Promise<never>(() => undefined)
          if (calls++ === dieAt) {
            if (step === run) await run()
            died.resolve()
            return await new Promise<never>(() => undefined)
          }
          if (step === run) return await run()
        }
        throw new TypeError('unreachable')
      }
      const chain = world.contract.as(world.owner.signer.address)
      const dying = world.openFor(world.owner, {
        checkpoints: { ...chain, write: (checkpoint) => guard(() => chain.write(checkpoint)) },
        ports: {
          network: TEST_NETWORK,
          clock: world.time.clock,
          timers: world.time.timers,
          random: createSeededRandomness(`dying ${dieAt}`),
          signer: world.owner.signer,
          transport: (request) => guard(() => world.transport(request)),
        },
      })
      const writing = dying.writeCheckpoint(world.did, { policy: POLICY })
      writing.catch(() => undefined) // it never ends when the client dies
      await world.run(Promise.race([writing, died.promise]))
      const seen = calls
      const again = world.openFor()
      for (let run = 0; run < 4; run++) if (!(await write(world, again))) break
      assert.equal(await write(world, again), undefined)
      assert.ok((await storedCheckpoints(world)).length <= 8)
      const slot = [...world.contract.slots.values()][0]!
      const newest = openCheckpoint(storedBytes(world, decodePlacement(slot.placement)), world.owner)
      assert.equal((await storedCheckpoints(world)).length, (newest?.links.length ?? 0) + 1, 'nothing is left over')
      world.killKeepers()
      const bs = Array.from({ length: 8 }, (_, i): [string, number] => [`b${i}`, 10])
      assert.deepEqual((await restoreAll(world)).found, expected(['a'], ...bs, ['c']))
      return seen
    }
    const calls = await story(Number.POSITIVE_INFINITY)
    assert.ok(calls > 40, `${calls} calls`)
    const stories = process.env.MEMO_LONG ? calls : 7
    for (let i = 0; i < stories; i++) {
      const dieAt = Math.floor((i * calls) / stories)
      await story(dieAt).catch((cause: unknown) => {
        throw new AggregateError([cause], `cut off at ${dieAt} of ${calls}: ${cause}`)
      })
    }
  })
})
