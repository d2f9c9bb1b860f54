import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createVirtualTime } from '@memo/core/testing'
import { KeepersUnreachableError, type SweepResult } from '@memo/sdk'
import type { GatewayEvent } from '../src/events.ts'
import { runOrphanSweep } from '../src/orphan-sweep.ts'

const NOTHING = { pieces: 0, bytes: 0 }
const HOUR_MS = 3_600_000

function start(answers: readonly (SweepResult | Error)[], maySweep = () => true) {
  const time = createVirtualTime()
  const events: GatewayEvent[] = []
  const stopping = new AbortController()
  let passes = 0
  const sweep = async () => {
    const answer = answers[Math.min(passes++, answers.length - 1)]!
    if (answer instanceof Error) throw answer
    return answer
  }
  const log = (event: GatewayEvent) => void events.push(event)
  const { timers } = time
  const ended = runOrphanSweep({ storage: { sweep }, timers, graceMs: 1, maySweep, log }, stopping.signal)
  return { time, events, stopping, ended, passes: () => passes }
}

describe('a gateway that sweeps up what uploads left behind', () => {
  test('does it at the start and every hour, says what it did and what it kept, and stops', async () => {
    const givenUp = { pieces: 6, bytes: 600 }
    const kept = { pieces: 2, bytes: 200 }
    const run = start([
      { givenUp, kept: NOTHING },
      { givenUp: NOTHING, kept },
      { givenUp: NOTHING, kept: NOTHING },
    ])
    await run.time.advance(2 * HOUR_MS + 1)
    assert.equal(run.passes(), 3)
    assert.deepEqual(
      run.events.map(({ type, level, pieces, bytes }) => [type, level, pieces, bytes]),
      [
        ['orphans-given-up', 'info', 6, 600],
        ['orphans-kept', 'warn', 2, 200],
      ],
    )
    run.stopping.abort()
    await run.ended
  })

  test('goes on after keepers did not answer', async () => {
    const run = start([new KeepersUnreachableError('a list', []), { givenUp: NOTHING, kept: NOTHING }])
    await run.time.advance(HOUR_MS + 1)
    assert.deepEqual([run.passes(), run.events.map(({ type }) => type)], [2, ['orphans-wait']])
    run.stopping.abort()
    await run.ended
  })

  test('touches nothing while another gateway writes with its key', async () => {
    const run = start([{ givenUp: NOTHING, kept: NOTHING }], () => false)
    await run.time.advance(3 * HOUR_MS)
    assert.equal(run.passes(), 0)
    run.stopping.abort()
    await run.ended
  })
})
