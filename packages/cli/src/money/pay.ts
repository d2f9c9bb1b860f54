import { getMemoBalance, type MemoChain, type WriteResult } from '@memo/chain'
import { FundsMissingError, UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { formatTable } from '../output.ts'
import type { Context } from '../program.ts'
import type { AccountOptions, Payer } from './account.ts'
import { canAsk, confirm } from './ask.ts'
import { sendOnce, settleEarlier } from './send-once.ts'
import { findSentPayment, type Intent, openSentPayments, type Spender } from './sent-payments.ts'
import { exactMemo } from './units.ts'

export type PayingOptions = AccountOptions & { readonly dryRun?: boolean }

/** What is to be agreed to. */
export type Proposal = {
  /** Two commands with the same are the same. */
  readonly intent: Intent
  /** What it is in a few words, for messages: `buy 10.0 GiB of space`. */
  readonly what: string
  /** What leaves the account’s MEMO; 0n where nothing does. */
  readonly costAtto: bigint
  /** You pay, you get, until when: label and text. */
  readonly rows: readonly (readonly [string, string])[]
  readonly question: string
  readonly json: Readonly<Record<string, unknown>>
}

/** What came of it: the transaction, or the exit code where none was sent. */
export type Outcome =
  | { readonly result: WriteResult; readonly isResumed: boolean }
  | { readonly result: undefined; readonly code: number }

/**
 * Shows a proposal, asks, and sends it exactly once: what an interrupted command has sent is looked for before anything
 * is asked or sent anew (`spec/cli.md` 9). Errors: UsageError where nobody can be asked, {@link FundsMissingError}.
 */
export async function pay(
  context: Context,
  options: PayingOptions,
  payer: Payer,
  proposal: Proposal,
  act: (chain: MemoChain) => Promise<WriteResult>,
): Promise<Outcome> {
  if (options.dryRun) return await showOnly(context, payer, proposal)
  const { runtime, output } = context
  const payments = await openSentPayments(payer.dataDir, spenderOf(payer), runtime.signal)
  try {
    const earlier = await settleEarlier(payer, payments, proposal.intent, runtime.signal)
    if (earlier?.isSame && earlier.result) {
      output.progress(`an interrupted command had sent this already: nothing is paid twice`)
      return { result: earlier.result, isResumed: true }
    }
    if (earlier?.result) {
      const { verb } = earlier.sent.intent
      const json = { event: 'earlier-payment', intent: earlier.sent.intent, tx: earlier.result.hash }
      output.progress(`an interrupted \`${verb}\` from before is done: ${earlier.result.hash}`, json)
    }
    await assertFunds(payer, proposal)
    if (!(await isAgreed(context, options, proposal))) {
      output.progress('nothing was sent')
      return { result: undefined, code: EXIT.interrupted }
    }
    runtime.signal.throwIfAborted()
    const open = earlier?.isOpen ? earlier : undefined
    return { result: await sendOnce(payer, payments, proposal.intent, act, open), isResumed: false }
  } finally {
    if (runtime.wasInterrupted() && payments.find()) {
      output.progress('something was sent: the same command looks for it, and does not send it twice')
    }
    payments.release()
  }
}

/** Whose payments these are. */
export function spenderOf({ address, chain }: Payer): Spender {
  return { address, network: chain.network }
}

async function showOnly({ output }: Context, payer: Payer, proposal: Proposal): Promise<Outcome> {
  output.data(`${formatTable(proposal.rows)}\nnothing was sent (--dry-run)`, {
    event: 'proposal',
    dryRun: true,
    ...jsonOf(proposal),
  })
  if (findSentPayment(payer.dataDir, spenderOf(payer))) {
    output.progress('a command that was interrupted may have sent something: the next one looks for it first')
  }
  await assertFunds(payer, proposal)
  return { result: undefined, code: EXIT.ok }
}

function jsonOf({ json, costAtto }: Proposal): Readonly<Record<string, unknown>> {
  return { costAtto, ...json }
}

async function isAgreed({ output }: Context, options: PayingOptions, proposal: Proposal): Promise<boolean> {
  if (!options.yes && !canAsk()) {
    throw new UsageError(
      `to ${proposal.what} would cost ${exactMemo(proposal.costAtto)}, and there is no terminal to ask on`,
      'Add -y to agree, or --dry-run to see what would be done.',
    )
  }
  output.progress(formatTable(proposal.rows), { event: 'proposal', ...jsonOf(proposal) })
  return options.yes === true || (await confirm(proposal.question))
}

/** Errors: {@link FundsMissingError}, which names what is missing, where, and what to do. */
async function assertFunds({ chain, address, isLocal }: Payer, { costAtto, what }: Proposal): Promise<void> {
  if (costAtto === 0n) return
  const hasAtto = await getMemoBalance(chain.client, { addresses: chain.addresses, address })
  if (hasAtto >= costAtto) return
  const missingAtto = costAtto - hasAtto
  throw new FundsMissingError(
    `${address} has ${exactMemo(hasAtto)}; to ${what} it needs ${exactMemo(costAtto)}: ${exactMemo(missingAtto)} more`,
    {
      blame: 'user',
      retry: 'later',
      fix: isLocal
        ? 'Take what local networks give with: memo did create. Or ask for less.'
        : `Send ${exactMemo(missingAtto)} to ${address}, look with \`memo wallet\`, then run the same command again.`,
      details: { address, hasAtto: `${hasAtto}`, costAtto: `${costAtto}`, missingAtto: `${missingAtto}` },
    },
  )
}
