/**
 * Anvil as a chain that we did not write: a process of its own on a free port of this machine. Its own mining on
 * arrival leaves transactions lying now and then, so that blocks are asked for, by us or by the test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'

const BINARY = join(import.meta.dirname, '..', '..', '..', '..', 'node_modules', '.bin', 'anvil')
const START_TIMEOUT_MS = 60_000
const CHAIN_ID = 985
/** How often it is asked whether a transaction of others waits. */
const POLL_MS = 20
/** How long there is no block where nothing happens, so that the time of the chain goes on. */
const HEARTBEAT_MS = 1_000
/** More than any account of a network that is not for tests has. */
const RICH_HEX = `0x${(10n ** 27n).toString(16)}`

/** A suite that needs anvil; where there is none, it is one test that is skipped and says why. */
export function describeWithAnvil(
  name: string,
  run: () => void,
  options: { readonly concurrency?: number } = {},
): void {
  const skip = `anvil is not on npm for ${process.platform}-${process.arch}`
  if (existsSync(BINARY)) void describe(name, options, run)
  else void test(name, { skip })
}

export type Anvil = {
  readonly pid: number
  /** EIP-1193. With blocks for `each`, a transaction is in one when its hash is given. */
  request(call: { readonly method: string; readonly params?: unknown }): Promise<unknown>
  /** The same, and no block ever follows. */
  ask(method: string, params?: unknown): Promise<unknown>
  /** The address for other processes. From now on what they send comes into a block soon. */
  listen(): Promise<{ readonly url: string }>
  mine(count?: number): Promise<void>
  increaseTime(seconds: number): Promise<void>
  /** Remembers the state of now, for {@link Anvil.rewind}. */
  snapshot(): Promise<unknown>
  /** Drops all blocks, and all that waits, since the snapshot. */
  rewind(snapshot: unknown): Promise<void>
  /** Exchanges the newest blocks for as many empty ones. */
  reorganize(depth: number): Promise<void>
  close(): Promise<void>
}

export type AnvilOptions = {
  /** Accounts that have coin from the start. */
  readonly rich: readonly string[]
  /** `each`: a block after each transaction that is sent through `request`. `none`: only when asked. */
  readonly mining?: 'each' | 'none'
  readonly genesisTimestamp?: number
}

/** An anvil that answers. The caller ends it with `close`; dying without takes it along where the system allows. */
export async function startAnvil({ rich, mining = 'each', genesisTimestamp }: AnvilOptions): Promise<Anvil> {
  // What anvil keeps in its home after a hard end goes with the directory.
  const home = await mkdtemp(join(tmpdir(), 'memo-anvil-'))
  const time = genesisTimestamp === undefined ? [] : ['--timestamp', `${genesisTimestamp}`]
  const fixed = ['--host', '127.0.0.1', '--port', '0', '--chain-id', `${CHAIN_ID}`, '--accounts', '0']
  const child = spawn(BINARY, [...fixed, '--no-mining', '--max-persisted-states', '0', ...time], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: home },
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = new AbortController()
  let miner: Promise<void> | undefined
  const close = async () => {
    stop.abort()
    await miner
    process.removeListener('exit', kill)
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'close')
      kill()
      await ended
    }
    await rm(home, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const url = await readUrl(child)
    const chain = wire(url, mining === 'each')
    for (const address of rich) await chain.request({ method: 'anvil_setBalance', params: [address, RICH_HEX] })
    const listen = async () => {
      miner ??= mineWhatWaits(chain, stop.signal)
      return { url }
    }
    return { pid: child.pid as number, ...chain, listen, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function mineWhatWaits(chain: Pick<Anvil, 'request' | 'mine'>, signal: AbortSignal): Promise<void> {
  let minedMs = 0
  while (!signal.aborted) {
    const { pending } = (await chain.request({ method: 'txpool_status' })) as { pending: string }
    if (BigInt(pending) > 0n || performance.now() - minedMs > HEARTBEAT_MS) {
      await chain.mine()
      minedMs = performance.now()
    }
    await wait(POLL_MS)
  }
}

async function readUrl(child: ChildProcess): Promise<string> {
  let said = ''
  return await new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new TypeError(`anvil ${why}: ${said}`))
    const timer = setTimeout(() => fail('did not start in time'), START_TIMEOUT_MS)
    child.once('error', (error) => fail(error.message))
    child.once('close', () => fail('ended'))
    const read = (data: Buffer) => {
      said += data
      const place = /Listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1]
      if (place === undefined) return
      clearTimeout(timer)
      said = '' // and what comes after is not kept
      resolve(`http://${place}`)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
  })
}

function wire(url: string, minesEach: boolean): Omit<Anvil, 'pid' | 'listen' | 'close'> {
  let id = 0
  const ask = async (method: string, params: unknown = []): Promise<unknown> => {
    id += 1
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { result, error } = (await response.json()) as {
      result?: unknown
      error?: { message: string; code: number; data?: unknown }
    }
    if (error) throw Object.assign(new TypeError(error.message), { code: error.code, data: error.data })
    return result
  }
  // One after the other: while anvil exchanges blocks, what it does for others at the same time can break its chain.
  let tail: Promise<unknown> = Promise.resolve()
  const inTurn = async <T>(run: () => Promise<T>): Promise<T> => {
    const turn = tail.then(run)
    tail = turn.catch(() => 'the next one has its own fate')
    return await turn
  }
  return {
    ask: (method, params) => inTurn(() => ask(method, params)),
    request: ({ method, params }) =>
      inTurn(async () => {
        const answer = await ask(method, params)
        if (minesEach && method === 'eth_sendRawTransaction') await ask('evm_mine')
        return answer
      }),
    async mine(count = 1) {
      for (let mined = 0; mined < count; mined += 1) await inTurn(() => ask('evm_mine'))
    },
    async increaseTime(seconds) {
      await inTurn(() => ask('evm_increaseTime', [seconds]))
    },
    snapshot: () => inTurn(() => ask('evm_snapshot')),
    async rewind(snapshot) {
      const isKnown = await inTurn(() => ask('evm_revert', [snapshot]))
      if (isKnown !== true) throw new TypeError('anvil does not know the snapshot')
    },
    async reorganize(depth) {
      await inTurn(() => ask('anvil_reorg', [depth, []]))
    },
  }
}
