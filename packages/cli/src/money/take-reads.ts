import {
  announceCloseReads,
  closeReads,
  getReadClosing,
  listReadAllowances,
  type MemoChain,
  type NumberedAllowance,
} from '@memo/chain'
import type { ReadAllowanceInfo } from '@memo/core'
import type { Context } from '../program.ts'
import type { Payer } from './account.ts'
import { type Outcome, type PayingOptions, pay } from './pay.ts'
import { exactMemo, formatMemo } from './units.ts'

/** What is locked for reads under an order that is over: its return is announced, then waited for, then taken. */
type Locked = {
  readonly orderId: bigint
  readonly amountAtto: bigint
  readonly act: 'announce' | 'wait' | 'close'
  /** From when on it can be taken, in unix seconds and in blocks, where it was announced. */
  readonly freeAt: number
  readonly freeBlock: number
}

/**
 * Takes back what the account has locked for reading under orders that are over (`spec/orders.md` 14). The exit code where
 * somebody said no; else how many there were.
 */
export async function takeReads(
  context: Context,
  options: PayingOptions,
  payer: Payer,
): Promise<{ readonly found: number; readonly code?: number }> {
  const all = await listLocked(payer)
  for (const locked of all) {
    const { orderId, amountAtto, act, freeAt, freeBlock } = locked
    const facts = { kind: 'reads', orderId, amountAtto }
    if (act === 'wait') {
      const when = `from ${timeOf(freeAt)} and block ${freeBlock} on`
      const text = `${formatMemo(amountAtto)} locked for reads under order ${orderId} can be taken ${when}`
      context.output.data(text, { event: 'waiting', ...facts, freeAt, freeBlock })
      continue
    }
    const outcome = await runStep(context, options, payer, locked)
    if (!outcome.result && !options.dryRun) return { found: all.length, code: outcome.code }
    if (!outcome.result) continue
    const { hash, blockNumber } = outcome.result
    const event = act === 'announce' ? 'announced' : 'taken'
    context.output.data(`${hash}  block ${blockNumber}`, { event, ...facts, tx: hash, block: blockNumber })
  }
  return { found: all.length }
}

/** What is still locked in an allowance, in attomemo. */
export function lockedInReads({ bytesAllowed, bytesPaid, priceAttoPerByte }: ReadAllowanceInfo): bigint {
  return (bytesAllowed - bytesPaid) * priceAttoPerByte
}

async function listLocked({ chain, address }: Payer): Promise<Locked[]> {
  const { client, addresses } = chain
  const [allowances, { current }, block, lock] = await Promise.all([
    listReadAllowances(client, { addresses, payer: address }),
    chain.getEpochs(),
    chain.getBlock(),
    getReadClosing(client, { addresses }),
  ])
  const found = await Promise.all(
    allowances.map(async (allowance): Promise<Locked[]> => {
      const { orderId, closingAt, closingBlock } = allowance
      const amountAtto = lockedInReads(allowance)
      if (amountAtto === 0n || !(await isOver(chain, allowance, current))) return []
      const freeAt = Number(closingAt + lock.waitSeconds)
      // Both ends must have come when the next block is made.
      const freeBlock = Number(closingBlock + lock.waitBlocks)
      const isFree = freeAt <= block.timestamp && freeBlock <= block.number + 1
      const act = closingBlock === 0n ? 'announce' : isFree ? 'close' : 'wait'
      return [{ orderId, amountAtto, act, freeAt, freeBlock }]
    }),
  )
  return found.flat()
}

async function isOver(chain: MemoChain, { orderId }: NumberedAllowance, epoch: bigint): Promise<boolean> {
  const order = await chain.findOrder(orderId)
  return order !== undefined && order.end <= epoch
}

async function runStep(
  context: Context,
  options: PayingOptions,
  payer: Payer,
  { orderId, amountAtto, act }: Locked,
): Promise<Outcome> {
  const { signal } = context.runtime
  const isClose = act === 'close'
  const what = `what is locked for reads under order ${orderId}, which is over`
  return await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'wallet take', act, kind: 'reads', orderId: `${orderId}`, account: payer.address },
      what: isClose ? `take back ${what}` : `announce to take back ${what}`,
      costAtto: 0n,
      rows: isClose
        ? [
            ['you get', `${exactMemo(amountAtto)} free in escrow, less what vouchers took meanwhile`],
            ['from', what],
          ]
        : [
            ['you announce', `to take back ${exactMemo(amountAtto)}: ${what}`],
            ['then', 'run the same command again once the time of providers to present vouchers is over'],
          ],
      question: isClose ? `Take back ${formatMemo(amountAtto)}?` : 'Announce it?',
      json: { kind: 'reads', act, orderId, amountAtto, account: payer.address },
    },
    async ({ client, addresses }) => {
      const call = { addresses, orderId, signal }
      return isClose ? await closeReads(client, call) : await announceCloseReads(client, call)
    },
  )
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z')
}
