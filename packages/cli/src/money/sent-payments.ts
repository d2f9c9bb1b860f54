import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, assert, findBytesFromHex, hexFromBytes, keccak256, type Network } from '@memo/core'
import { type DataDirectory, DataDirectoryInUseError, lockDataDirectory, writeFileDurably } from '@memo/platform'
import { readJson } from '../settings.ts'

/** What makes two commands ask for the same: verb and values, as text. */
export type Intent = Readonly<Record<string, string>>

/** A signed transaction; under its nonce, only one of an account ever counts. */
export type SignedTransaction = { readonly raw: `0x${string}`; readonly hash: `0x${string}`; readonly nonce: number }

/** What was signed for a command whose end was not seen. */
export type SentPayment = {
  readonly intent: Intent
  /** Milliseconds since 1970. */
  readonly sentAtMs: number
  readonly transactions: readonly SignedTransaction[]
}

/** An account on a network; it may have another nonce on another one. */
export type Spender = { readonly address: Address; readonly network: Network }

/** What one account has sent and not seen confirmed, and the turn to send. */
export type SentPayments = {
  find(): SentPayment | undefined
  /** Durable when it resolves: only then may the transaction leave. */
  save(payment: SentPayment): Promise<void>
  clear(): void
  release(): void
}

const DIR = 'payments'
const POLL_MS = 200
/** Somebody may be thinking about the question of another process. */
const MAX_WAIT_MS = 30_000

/**
 * Takes the turn of all payments of a data directory: two that look for the same earlier one, or take the same nonce,
 * would pay twice or not at all. Errors: DataDirectoryInUseError.
 */
export async function openSentPayments(dataDir: string, spender: Spender, signal: AbortSignal): Promise<SentPayments> {
  const dir = join(dataDir, DIR)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const directory = await takeTurn(dir, signal)
  const path = pathOf(dataDir, spender)
  return {
    find: () => findSentPayment(dataDir, spender),
    save: async (payment) => await writeFileDurably(path, `${JSON.stringify(payment)}\n`),
    clear: () => rmSync(path, { force: true }),
    release: () => directory.release(),
  }
}

/** What an account sent and did not see confirmed, without taking the turn. */
export function findSentPayment(dataDir: string, spender: Spender): SentPayment | undefined {
  return readJson(pathOf(dataDir, spender)) as SentPayment | undefined
}

function pathOf(dataDir: string, { address, network }: Spender): string {
  return join(dataDir, DIR, `${address}-${network.chainId}-${network.registry}.json`)
}

async function takeTurn(dir: string, signal: AbortSignal): Promise<DataDirectory> {
  const endMs = performance.now() + MAX_WAIT_MS
  for (;;) {
    try {
      return await lockDataDirectory(dir, DIR)
    } catch (error) {
      if (!(error instanceof DataDirectoryInUseError) || performance.now() > endMs) throw error
      await sleep(POLL_MS, undefined, { signal })
    }
  }
}

/** A transaction that is handed to a chain; of the kind that says what it pays for gas (EIP-1559). Errors: AssertionError. */
export function transactionOf(raw: `0x${string}`): SignedTransaction {
  const bytes = findBytesFromHex(raw)
  assert(bytes?.[0] === 2, 'a transaction of type 2')
  // 2, then a list: chain id, nonce, …
  const list = itemAt(bytes, 1)
  const chainId = itemAt(bytes, list.start)
  const nonce = itemAt(bytes, chainId.end)
  const digits = bytes.subarray(nonce.start, nonce.end)
  return {
    raw,
    hash: hexFromBytes(keccak256(bytes)),
    nonce: digits.reduce((value, byte) => value * 256 + byte, 0),
  }
}

/** Where the content of the RLP item at `offset` lies. */
function itemAt(bytes: Uint8Array, offset: number): { readonly start: number; readonly end: number } {
  const first = bytes[offset] ?? 0
  if (first < 0x80) return { start: offset, end: offset + 1 }
  const short = first < 0xc0 ? first - 0x80 : first - 0xc0
  if (short <= 55) return { start: offset + 1, end: offset + 1 + short }
  const lengthBytes = short - 55
  const start = offset + 1 + lengthBytes
  const length = bytes.subarray(offset + 1, start).reduce((value, byte) => value * 256 + byte, 0)
  return { start, end: start + length }
}
