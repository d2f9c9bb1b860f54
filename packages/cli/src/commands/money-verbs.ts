import type { Command } from 'commander'
import type { ApplicationsOptions, DecisionOptions } from '../money/applications.ts'
import type { ApplyOptions } from '../money/apply.ts'
import type { BalanceOptions } from '../money/balance.ts'
import type { BuyOptions } from '../money/buy.ts'
import type { DepositOptions } from '../money/escrow.ts'
import type { FreeOptions } from '../money/free.ts'
import type { PayingOptions } from '../money/pay.ts'
import type { PricesOptions } from '../money/prices.ts'
import type { QuoteOptions } from '../money/quote.ts'
import type { UnstickOptions } from '../money/unstick.ts'
import type { AddVerb } from '../program.ts'
import { wholeNumber } from '../settings.ts'
import { payingOptions, userOptions, withExample } from './options.ts'

const MAX_NONCE = 2 ** 48

/** Verbs that show and move money. */
export function addCommands(program: Command, addVerb: AddVerb): void {
  const wallet = program.command('wallet').description('show what the accounts of this data directory have')
  addVerb(keyOption(userOptions(withExample(wallet, 'memo wallet'))), async () => {
    return (await import('../money/wallet.ts')).wallet
  })

  const take = wallet
    .command('take')
    .description('take what the market owes, and what is locked for reads under orders that are over')
  addVerb<PayingOptions>(payingOptions(withExample(take, 'memo wallet take')), async () => {
    return (await import('../money/take.ts')).take
  })

  const unstick = wallet
    .command('unstick')
    .description('replace a transaction that never lands by an empty one, so that the next ones can')
    .option('--nonce <n>', 'which one (default: the first that no block has)', wholeNumber('--nonce', 0, MAX_NONCE))
  addVerb<UnstickOptions>(payingOptions(withExample(unstick, 'memo wallet unstick')), async () => {
    return (await import('../money/unstick.ts')).unstick
  })

  const quote = program
    .command('quote')
    .description('show what storing costs: at the gateway, and at the providers')
    .option('--size <size>', 'how much', '10GiB')
    .option('--for <time>', 'how long, as 1y, 6mo or 30d', '1y')
    .option('--policy <policy>', 'how it is spread, as rs:4+2')
  addVerb<QuoteOptions>(
    userOptions(withExample(quote, 'memo quote --size 1.5TB --for 6mo --policy rs:8+4')),
    async () => {
      return (await import('../money/quote.ts')).quote
    },
  )

  const buy = program
    .command('buy')
    .description('buy space or traffic at the gateway with MEMO')
    .argument('<space|traffic>')
    .argument('<size...>', 'as 10GiB, 1.5TB or 500 MB')
    .option('--for <did|address>', 'who gets it (default: you)')
  addVerb<BuyOptions>(payingOptions(withExample(buy, 'memo buy space 10GiB')), async () => {
    return (await import('../money/buy.ts')).buy
  })

  const balance = program
    .command('balance')
    .description('show space and traffic: paid, granted, used, until when')
    .option('--for <did|address>', 'whose (default: yours)')
  addVerb<BalanceOptions>(userOptions(withExample(balance, 'memo balance')), async () => {
    return (await import('../money/balance.ts')).balance
  })

  const escrow = program.command('escrow').description('put MEMO where orders and reads can lock it, or take it out')
  const deposit = escrow
    .command('deposit')
    .description('put MEMO into escrow')
    .argument('<amount>', 'in MEMO, as 12.5')
    .option('--for <did|address>', 'whose escrow (default: yours)')
  addVerb<DepositOptions>(payingOptions(withExample(deposit, 'memo escrow deposit 12.5')), async () => {
    return (await import('../money/escrow.ts')).deposit
  })
  const withdraw = escrow
    .command('withdraw')
    .description('take free MEMO out of escrow')
    .argument('<amount>', 'in MEMO, as 12.5, or all')
  addVerb<PayingOptions>(payingOptions(withExample(withdraw, 'memo escrow withdraw all')), async () => {
    return (await import('../money/escrow.ts')).withdraw
  })

  const apply = program
    .command('apply')
    .description('ask the administrators of a gateway for free space or traffic')
    .requiredOption('--type <space|traffic>', 'what')
    .option('--size <size>', 'how much', '10GiB')
    .requiredOption('--evidence <url>', 'what you show for it, such as a post')
    .option('--gateway <url>', 'which gateway (default: that of the data directory)')
  const applyExample = 'memo apply --type space --evidence https://example.org/a-post-about-memo'
  addVerb<ApplyOptions>(keyOption(userOptions(withExample(apply, applyExample))), async () => {
    return (await import('../money/apply.ts')).apply
  })

  addAdmin(program, addVerb)
}

function addAdmin(program: Command, addVerb: AddVerb): void {
  const admin = program.command('admin').description('grant free quota, decide about applications, set prices')
  const free = admin
    .command('free')
    .description('grant space or traffic for nothing; asks for what is missing')
    .option('--type <space|traffic>', 'what')
    .option('--to <did|address>', 'to whom')
    .option('--size <size>', 'how much, as 10GiB')
    .option('--reason <text>', 'why; the chain records it')
  const example = 'memo admin free --type=space --to did:memo:… --size 10GiB --reason "a tweet about MEMO"'
  addVerb<FreeOptions>(payingOptions(withExample(free, example)), async () => (await import('../money/free.ts')).free)

  addDecisions(admin, addVerb)
  const prices = admin
    .command('prices')
    .description('show what space and traffic cost; with a value announce a change')
    .option('--space <attomemo>', 'new price of a byte of space')
    .option('--traffic <attomemo>', 'new price of a byte of traffic')
    .option('--seller <address>', 'new seller, whose vouchers are cashed')
  addVerb<PricesOptions>(payingOptions(withExample(prices, 'memo admin prices --space 30000')), async () => {
    return (await import('../money/prices.ts')).prices
  })
}

function addDecisions(admin: Command, addVerb: AddVerb): void {
  const withGateway = (command: Command) =>
    command.option('--gateway <url>', 'which gateway (default: that of the data directory)')

  const list = admin
    .command('applications')
    .description('list who asks for free space or traffic and waits for a decision')
    .option('--all', 'also what was decided')
  addVerb<ApplicationsOptions>(
    keyOption(userOptions(withExample(withGateway(list), 'memo admin applications'))),
    async () => {
      return (await import('../money/applications.ts')).applications
    },
  )
  const grant = admin
    .command('grant')
    .description('grant what an application asks for, on chain, and record it')
    .argument('<application>', 'its number')
    .requiredOption('--reason <text>', 'why; the chain records it')
    .option('--size <size>', 'how much (default: what it asks for)')
  addVerb<DecisionOptions>(
    payingOptions(withExample(withGateway(grant), 'memo admin grant 7 --reason "a good post"')),
    async () => {
      return (await import('../money/applications.ts')).grant
    },
  )
  const refuse = admin
    .command('refuse')
    .description('refuse an application')
    .argument('<application>', 'its number')
    .requiredOption('--reason <text>', 'why; the gateway keeps it')
  const refuseExample = 'memo admin refuse 7 --reason "no such post"'
  addVerb<DecisionOptions>(keyOption(userOptions(withExample(withGateway(refuse), refuseExample))), async () => {
    return (await import('../money/applications.ts')).refuse
  })
}

function keyOption(command: Command): Command {
  return command.option('--key <file>', 'key file of another account')
}
