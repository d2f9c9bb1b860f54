import { emptyNonce, quoteEmptyNonce } from '@memo/chain'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { formatTable } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { openPayer, type Payer } from './account.ts'
import { canAsk, confirm } from './ask.ts'
import { type PayingOptions, spenderOf } from './pay.ts'
import { countOf } from './send-once.ts'
import { openSentPayments, type SentPayment, type SentPayments } from './sent-payments.ts'
import { formatCoin } from './units.ts'

export type UnstickOptions = PayingOptions & { readonly nonce?: number }

/** A nonce that holds up those after it, and what is known to have been signed under it. */
type Stuck = { readonly nonce: number; readonly sent: SentPayment | undefined }

/**
 * `memo wallet unstick`: replaces the first transaction of the account that comes into no block by an empty one to itself, for
 * more. One of the two counts, so that nothing is paid twice (`spec/cli.md` 13).
 */
export const unstick: Verb<UnstickOptions> = async (context, options) => {
  const { output, runtime } = context
  const payer = await openPayer(options)
  // In the turn of all payments: none may be signed under the same nonce meanwhile.
  const payments = await openSentPayments(payer.dataDir, spenderOf(payer), runtime.signal)
  try {
    const stuck = await findStuck(payer, payments, options)
    if (!stuck) {
      const { address } = payer
      output.data(`nothing of ${address} waits for a block`, { event: 'unstuck', account: address, nonce: null })
      return undefined
    }
    return await replace(context, options, payer, payments, stuck)
  } finally {
    payments.release()
  }
}

/** Errors: {@link UsageError} for a nonce that is in a block already, or that others have to come before. */
async function findStuck(payer: Payer, payments: SentPayments, options: UnstickOptions): Promise<Stuck | undefined> {
  const { chain } = payer
  const [first, pending] = [await countOf(chain, 'latest'), await countOf(chain, 'pending')]
  const kept = payments.find()
  const nonce = options.nonce ?? first
  if (nonce < first) {
    throw new UsageError(
      `a transaction with nonce ${nonce} is in a block already`,
      `The first that may wait is ${first}.`,
    )
  }
  if (nonce > first) {
    throw new UsageError(`nonce ${nonce} has to wait for ${first}`, `Begin with: memo wallet unstick --nonce ${first}`)
  }
  const isWaiting = pending > first || kept?.transactions.some((sent) => sent.nonce >= first)
  if (!isWaiting && options.nonce === undefined) return undefined
  return { nonce, sent: kept?.transactions.some((sent) => sent.nonce === nonce) ? kept : undefined }
}

async function replace(
  { output, runtime }: Context,
  options: UnstickOptions,
  { chain, address }: Payer,
  payments: SentPayments,
  { nonce, sent }: Stuck,
): Promise<number | undefined> {
  const rivals = sent?.transactions.filter((signed) => signed.nonce === nonce).map(({ raw }) => raw)
  const costWei = await quoteEmptyNonce(chain.client, { nonce, rivals })
  const verb = sent?.intent.verb
  const rows = [
    ['you send', `nothing to ${address}, with nonce ${nonce}`],
    ['instead of', verb === undefined ? 'whatever waits there' : `\`${verb}\`, which is void then`],
    ['gas', `${formatCoin(costWei)} or somewhat more`],
  ]
  const json = { account: address, nonce, costWei, verb: verb ?? null }
  if (options.dryRun) {
    output.data(`${formatTable(rows)}\nnothing was sent (--dry-run)`, { event: 'proposal', dryRun: true, ...json })
    return undefined
  }
  if (!options.yes && !canAsk()) {
    throw new UsageError(
      `to replace nonce ${nonce} costs gas, and there is no terminal to ask on`,
      'Add -y to agree, or --dry-run to see what would be done.',
    )
  }
  output.progress(formatTable(rows), { event: 'proposal', ...json })
  if (!(options.yes === true || (await confirm(`Replace nonce ${nonce}?`)))) {
    output.progress('nothing was sent')
    return EXIT.interrupted
  }
  const { hash, blockNumber, isEmptied } = await emptyNonce(chain.client, { nonce, rivals, signal: runtime.signal })
  // What can never count any more need not be looked for; what counted, its own command reports.
  if (isEmptied && sent?.transactions.every((signed) => signed.nonce === nonce)) payments.clear()
  const meaning = isEmptied
    ? `nonce ${nonce} is free of what waited${verb === undefined ? '' : `: \`${verb}\` is void, nothing was paid`}`
    : `what waited under nonce ${nonce} came first and counts${verb === undefined ? '' : `: \`${verb}\` has happened`}`
  const details = { event: 'unstuck', account: address, nonce, isEmptied, verb: verb ?? null }
  output.data(`${hash}  block ${blockNumber}\n${meaning}`, { ...details, tx: hash, block: blockNumber })
  return undefined
}
