import type { Command } from 'commander'
import { parseGasPrice } from '../gas-price.ts'

export const MAX_GAS_PRICE = 'send nothing while gas costs more (or MEMO_MAX_GAS_PRICE; default 1000)'

/** Where the network is and how one’s key is opened. */
export function userOptions(command: Command): Command {
  return command
    .option('--rpc <url>', 'JSON-RPC of the chain (or MEMO_RPC)')
    .option('--registry <address>', 'registry of the network (or MEMO_REGISTRY)')
    .option('--password-file <file>', 'password of your key (or MEMO_PASSWORD)')
}

/** What every verb takes that sends a transaction after asking. */
export function payingOptions(command: Command): Command {
  return userOptions(command)
    .option('--key <file>', 'key file of the account to use (default: that of the data directory)')
    .option('--dry-run', 'show what would be done and send nothing')
    .option('--max-gas-price <gwei>', MAX_GAS_PRICE, gasPriceText)
}

/** Of a verb that sends transactions without asking. */
export function sendingOptions(command: Command): Command {
  return userOptions(command).option('--max-gas-price <gwei>', MAX_GAS_PRICE, gasPriceText)
}

/** Refused before anything is asked or opened; kept as it was typed. */
export function gasPriceText(text: string): string {
  parseGasPrice(text)
  return text
}

/** One line that works as it stands, at the end of the help. */
export function withExample(command: Command, line: string): Command {
  return command.addHelpText('after', `\nExample:\n  ${line}`)
}
