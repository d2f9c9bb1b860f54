import { quantity } from '../hex.ts'
import type { RpcContext, RpcMethod } from './context.ts'
import { invalidParams } from './errors.ts'
import { parseSeconds } from './params.ts'

/** A century: a larger step is a mistake of units. */
const MAX_STEP_SECONDS = 100 * 366 * 24 * 3600

/** Methods that move time and make blocks; a public chain has none of them. */
export const controlMethods: Readonly<Record<string, RpcMethod>> = {
  evm_mine: async (context, [timestamp]) => {
    if (timestamp !== undefined && timestamp !== null) await setNextTimestamp(context, timestamp)
    await context.chain.mine()
    context.miner.poke()
    return '0x0'
  },

  evm_increaseTime: async ({ chain }, [value]) => {
    const seconds = parseSeconds(value, 'seconds')
    if (seconds > MAX_STEP_SECONDS) throw invalidParams(`invalid argument seconds: over ${MAX_STEP_SECONDS}`)
    const journal = await chain.moveTime((time) => ({ ...time, offsetSeconds: time.offsetSeconds + seconds }))
    return quantity(Math.max(journal.offsetSeconds, 0))
  },

  evm_setNextBlockTimestamp: async (context, [timestamp]) => {
    await setNextTimestamp(context, timestamp)
    return null
  },
}

async function setNextTimestamp({ chain }: RpcContext, value: unknown): Promise<void> {
  const nextTimestamp = parseSeconds(value, 'timestamp')
  await chain.moveTime((time) => {
    const { timestamp } = chain.head
    if (nextTimestamp <= timestamp) {
      throw invalidParams(
        `Timestamp ${nextTimestamp} is lower than or equal to previous block's timestamp ${timestamp}`,
      )
    }
    if (nextTimestamp > timestamp + MAX_STEP_SECONDS) {
      throw invalidParams(`Timestamp ${nextTimestamp} is more than ${MAX_STEP_SECONDS} seconds ahead`)
    }
    return { ...time, nextTimestamp }
  })
}
