import { depositEscrow, getEscrow, getMemoBalance, withdrawEscrow } from '@memo/chain'
import { FundsMissingError, UsageError } from '../errors.ts'
import type { Context, Verb } from '../program.ts'
import { findTarget, openPayer, type Payer } from './account.ts'
import { type Outcome, type PayingOptions, pay } from './pay.ts'
import { exactMemo, formatMemo, parseMemo } from './units.ts'

export type DepositOptions = PayingOptions & { readonly for?: string }

/** `memo escrow deposit AMOUNT`: MEMO that orders and reads may lock. */
export const deposit: Verb<DepositOptions> = async (context, options, [text = '']) => {
  const amountAtto = amountOf(text)
  const payer = await openPayer(options)
  const { addresses } = payer.chain
  const account = options.for ? (await findTarget(payer.chain, options.for)).address : payer.address
  const { freeAtto } = await getEscrow(payer.chain.client, { addresses, account })
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'escrow deposit', amountAtto: `${amountAtto}`, account },
      what: `deposit ${formatMemo(amountAtto)}`,
      costAtto: amountAtto,
      rows: [
        ['you pay', exactMemo(amountAtto)],
        ['from', payer.address],
        ['you get', `${formatMemo(freeAtto + amountAtto)} free in escrow, for orders and reads`],
        ...(account === payer.address ? [] : [['for', account] as const]),
        ['until', 'you withdraw it, or an order or a read locks it'],
      ],
      question: `Deposit ${formatMemo(amountAtto)}?`,
      json: { from: payer.address, account, escrowFreeAtto: freeAtto },
    },
    async ({ client }) => {
      const { signal } = context.runtime
      return await depositEscrow(client, { addresses, amountAtto, beneficiary: account, signal })
    },
  )
  return await report(context, payer, account, amountAtto, 'deposited', outcome)
}

/** `memo escrow withdraw AMOUNT|all`: free escrow back to the payee. */
export const withdraw: Verb<PayingOptions> = async (context, options, [text = '']) => {
  const wantedAtto = text === 'all' ? undefined : amountOf(text)
  const payer = await openPayer(options)
  const { addresses } = payer.chain
  const account = payer.address
  const { freeAtto, payee } = await getEscrow(payer.chain.client, { addresses, account })
  const amountAtto = wantedAtto ?? freeAtto
  if (amountAtto === 0n || amountAtto > freeAtto) throw tooLittle(payer, amountAtto, freeAtto)
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'escrow withdraw', amountAtto: `${amountAtto}`, account },
      what: `withdraw ${formatMemo(amountAtto)}`,
      costAtto: 0n,
      rows: [
        ['you get', exactMemo(amountAtto)],
        ['to', payee === account ? account : `${payee}, the payee of ${account}`],
        ['left', `${formatMemo(freeAtto - amountAtto)} free in escrow`],
      ],
      question: `Withdraw ${formatMemo(amountAtto)}?`,
      json: { amountAtto, account, payee, escrowFreeAtto: freeAtto },
    },
    async ({ client }) => await withdrawEscrow(client, { addresses, amountAtto, signal: context.runtime.signal }),
  )
  return await report(context, payer, account, amountAtto, 'withdrawn', outcome)
}

async function report(
  { output }: Context,
  { chain }: Payer,
  account: Payer['address'],
  amountAtto: bigint,
  event: 'deposited' | 'withdrawn',
  outcome: Outcome,
): Promise<number | undefined> {
  if (!outcome.result) return outcome.code
  const { addresses } = chain
  const { hash, blockNumber } = outcome.result
  const [{ freeAtto }, memoAtto] = await Promise.all([
    getEscrow(chain.client, { addresses, account }),
    getMemoBalance(chain.client, { addresses, address: account }),
  ])
  output.progress(`${output.style('green', event)}  ${formatMemo(amountAtto)}; ${formatMemo(freeAtto)} free in escrow`)
  output.data(`${hash}  block ${blockNumber}`, {
    event,
    amountAtto,
    account,
    escrowFreeAtto: freeAtto,
    memoAtto,
    tx: hash,
    block: blockNumber,
    isResumed: outcome.isResumed,
  })
  return undefined
}

function amountOf(text: string): bigint {
  const atto = parseMemo(text)
  if (atto === 0n) throw new UsageError('0 MEMO are nothing', 'Write an amount as 12.5')
  return atto
}

function tooLittle({ address }: Payer, amountAtto: bigint, freeAtto: bigint): FundsMissingError {
  const missing = amountAtto - freeAtto
  const message =
    freeAtto === 0n
      ? `${address} has nothing free in escrow`
      : `${address} has ${exactMemo(freeAtto)} free in escrow, ${exactMemo(missing)} less than asked for`
  return new FundsMissingError(message, {
    blame: 'user',
    retry: 'later',
    fix: 'What orders have locked is free when they end; for what reads have locked then: memo wallet take. Look with: memo wallet',
    details: { address, freeAtto: `${freeAtto}`, amountAtto: `${amountAtto}` },
  })
}
