import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Hex } from 'viem'
import { type ChildChain, startChild } from './child.ts'
import { alice, signTransfer, tempDir } from './helpers.ts'

const ROUNDS = process.env.MEMO_LONG === '1' ? 100 : 20

/** A round is killed within this long after its first transaction. */
const LOAD_MS = 400

/** Transactions that are under way at the same time, so that blocks hold one or several. */
const WINDOW = 8

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

type Receipt = { transactionHash: Hex; blockHash: Hex; blockNumber: Hex; status: Hex }

/** One call, or undefined when the process is gone. */
async function call<T>(url: string, method: string, params: readonly unknown[]): Promise<T | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    const { result, error } = (await response.json()) as { result?: T; error?: { message: string } }
    assert.equal(error, undefined)
    return result
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return undefined
  }
}

/** Sends transfers from a nonce on and collects receipts until the process dies under it. */
async function load(child: ChildChain, firstNonce: number, acked: Map<Hex, Receipt>): Promise<void> {
  let nonce = firstNonce
  const worker = async (): Promise<void> => {
    for (;;) {
      const raw = await signTransfer(alice, nonce++)
      const hash = await call<Hex>(child.url, 'eth_sendRawTransaction', [raw])
      if (hash === undefined) return
      for (let receipt: Receipt | null | undefined = null; receipt === null; ) {
        receipt = await call<Receipt | null>(child.url, 'eth_getTransactionReceipt', [hash])
        if (receipt === undefined) return
        if (receipt !== null) acked.set(hash, receipt)
      }
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, worker))
}

describe('kill -9 under load', () => {
  test(`loses nothing that was acknowledged, in ${ROUNDS} rounds`, async (t) => {
    const dir = tempDir(t)
    const args = ['--data', dir, '--port', '0', '--alloc', `${alice.address}=100000000000000000000`]
    const acked = new Map<Hex, Receipt>()
    const loads: number[] = []
    const starts: number[] = []
    let unchecked: Receipt[] = []
    for (let round = 0; round <= ROUNDS; round += 1) {
      const startedAt = performance.now()
      const child = await startChild(args)
      starts.push(performance.now() - startedAt)
      try {
        // Every receipt of the last round, and of every earlier one at the end.
        const toCheck = round === ROUNDS ? [...acked.values()] : unchecked
        for (const receipt of toCheck) {
          assert.deepEqual(await call(child.url, 'eth_getTransactionReceipt', [receipt.transactionHash]), receipt)
          const block = await call<{ hash: Hex }>(child.url, 'eth_getBlockByNumber', [receipt.blockNumber, false])
          assert.equal(block?.hash, receipt.blockHash)
        }
        if (round === ROUNDS) break
        const nonce = Number(await call<Hex>(child.url, 'eth_getTransactionCount', [alice.address, 'latest']))
        assert.ok(nonce >= acked.size, 'the account has done at least what was acknowledged')
        const before = acked.size
        const loading = load(child, nonce, acked)
        // Every other round dies at any moment, be it before the first block; the rest have acknowledged something.
        while (round % 2 === 0 && acked.size === before) await delay(2)
        await delay(Math.random() * LOAD_MS)
        assert.equal((await child.end('SIGKILL')).signal, 'SIGKILL')
        await loading
        unchecked = [...acked.values()].slice(before)
        loads.push(unchecked.length)
      } finally {
        await child.end('SIGKILL')
      }
    }
    assert.ok(acked.size >= ROUNDS / 2, `${acked.size} acknowledged`)
    const mean = starts.reduce((sum, ms) => sum + ms, 0) / starts.length
    t.diagnostic(
      `${acked.size} acknowledged transactions, 0 lost; process start ${mean.toFixed(0)} ms; per round ${loads.join(' ')}`,
    )
  })
})
