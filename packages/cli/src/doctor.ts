import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { connectNetwork, getEscrow, getGasBalance, getMemoBalance, listOrders, type MemoChain } from '@memo/chain'
import { type Account, MemoError } from '@memo/core'
import { createHttpTransport } from '@memo/platform'
import { EXIT } from './exit-codes.ts'
import { listKnownAccounts } from './money/account.ts'
import { formatDistance, formatMemo } from './money/units.ts'
import { findNodeConfig } from './nodes/node-config.ts'
import { formatBytes, formatTable } from './output.ts'
import type { Verb } from './program.ts'
import { dataDirOf, findProfile, networkOf } from './settings.ts'
import type { UserOptions } from './user/open-storage.ts'

type Finding = {
  readonly check: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly message: string
  readonly fix?: string
}

const LOW_DISK_BYTES = 5 * 1024 ** 3
const MAX_CLOCK_SKEW_SECONDS = 60
const ANSWER_TIMEOUT_MS = 3_000
/** Gas of some transactions at a busy hour. */
const LOW_GAS_WEI: bigint = 10n ** 15n
/** Orders are renewed at half their term: so late, something is wrong. */
const ENDING_SECONDS = 7 * 86_400

/** `memo doctor`: checks what most often is wrong, in the order in which it hurts. Exit code 1 when something fails. */
export const doctor: Verb<UserOptions> = async ({ output }, options) => {
  const dataDir = dataDirOf(options)
  const findings: Finding[] = [checkNode(), await checkDirectory(dataDir), await checkDisk(dataDir)]
  const kept = readSettings(dataDir, findings)
  const chain = await checkChain(options, kept, findings)
  if (chain) findings.push(...(await checkPeers(chain)), ...(await checkMoney(chain, dataDir)))
  for (const finding of findings) output.event({ event: 'check', ...finding })
  const failed = findings.filter(({ result }) => result === 'fail').length
  const rows = findings.map(({ check, result, message }) => [result.toUpperCase().padEnd(4), check, message])
  const fixes = findings.flatMap(({ check, fix }) => (fix === undefined ? [] : [`fix ${check}: ${fix}`]))
  output.data([formatTable(rows), ...fixes].join('\n'), { event: 'doctor', dataDir, checks: findings.length, failed })
  return failed > 0 ? EXIT.us : EXIT.ok
}

/** What the directory knows of its network; a file that cannot be read is what is wrong here. */
function readSettings(dataDir: string, findings: Finding[]): ReturnType<typeof findNodeConfig | typeof findProfile> {
  try {
    return findProfile(dataDir) ?? findNodeConfig(dataDir)
  } catch (error) {
    if (!(error instanceof MemoError)) throw error
    const { message, fix } = error
    findings.push({ check: 'settings', result: 'fail', message, ...(fix === undefined ? {} : { fix }) })
    return undefined
  }
}

function checkNode(): Finding {
  return { check: 'node', result: 'ok', message: `Node ${process.versions.node} at ${process.execPath}` }
}

async function checkDirectory(dataDir: string): Promise<Finding> {
  const check = 'data directory'
  try {
    const { mode } = await stat(dataDir)
    await access(dataDir, constants.W_OK)
    if (mode & 0o077 && process.platform !== 'win32') {
      return { check, result: 'warn', message: `${dataDir} can be read by others`, fix: `chmod 700 ${dataDir}` }
    }
    return { check, result: 'ok', message: dataDir }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return { check, result: 'warn', message: `${dataDir} is not there yet`, fix: 'memo up' }
    return { check, result: 'fail', message: `${dataDir} cannot be written (${code})`, fix: `chown it to yourself` }
  }
}

async function checkDisk(dataDir: string): Promise<Finding> {
  const check = 'disk'
  const { bavail, bsize } = await statfs(dataDir).catch(() => statfs(existingParent(dataDir)))
  const free = bavail * bsize
  const message = `${formatBytes(free)} free`
  return free < LOW_DISK_BYTES ? { check, result: 'warn', message, fix: 'make room' } : { check, result: 'ok', message }
}

function existingParent(dir: string): string {
  return dirname(dir) === dir ? dir : process.platform === 'win32' ? dirname(dir) : '/'
}

async function checkChain(
  options: UserOptions,
  kept: { readonly rpc?: string; readonly registry?: string } | undefined,
  findings: Finding[],
): Promise<MemoChain | undefined> {
  try {
    const network = networkOf(options, kept)
    const chain = await connectNetwork(network)
    const block = await chain.getBlock()
    const skew = Math.round(Date.now() / 1_000 - block.timestamp)
    const message = `chain ${chain.network.chainId} at ${network.rpcUrl}, block ${block.number}`
    findings.push({ check: 'chain', result: 'ok', message })
    const isOff = Math.abs(skew) > MAX_CLOCK_SKEW_SECONDS
    findings.push({
      check: 'clock',
      result: isOff ? 'warn' : 'ok',
      message: `the newest block is ${skew} s old by this machine’s clock`,
      ...(isOff ? { fix: 'set the clock, or see whether the chain stands still' } : {}),
    })
    return chain
  } catch (error) {
    if (!(error instanceof MemoError)) throw error
    const { message, fix } = error
    findings.push({ check: 'chain', result: 'fail', message, ...(fix === undefined ? {} : { fix }) })
    return undefined
  }
}

async function checkPeers(chain: MemoChain): Promise<Finding[]> {
  const { transport, close } = createHttpTransport()
  const answers = async ({ endpoint }: Account) => {
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
      const { status, body } = await transport({ method: 'GET', url: `${endpoint}/info`, headers: {}, signal })
      await body[Symbol.asyncIterator]().return?.()
      return status === 200
    } catch {
      return false // counted below as one that does not answer
    }
  }
  const check = async (name: string, accounts: readonly Account[]): Promise<Finding> => {
    const active = accounts.filter(({ state }) => state === 'active')
    const alive = (await Promise.all(active.map(answers))).filter(Boolean).length
    const message = `${alive} of ${active.length} answer`
    if (alive === 0) return { check: name, result: 'fail', message, fix: `start some: memo ${name.slice(0, -1)} run` }
    return { check: name, result: alive < active.length ? 'warn' : 'ok', message }
  }
  try {
    const [keepers, providers] = await Promise.all([chain.listKeepers(), chain.listProviders()])
    return await Promise.all([check('keepers', keepers), check('providers', providers)])
  } finally {
    await close()
  }
}

/** Whether the account of this directory can pay gas, and how long its orders run. */
async function checkMoney(chain: MemoChain, dataDir: string): Promise<Finding[]> {
  const [account] = listKnownAccounts(dataDir)
  if (!account) return []
  const { client, addresses } = chain
  const { address } = account
  const [gasWei, memoAtto, { freeAtto }, orders, { current, epochSeconds }] = await Promise.all([
    getGasBalance(client, { address }),
    getMemoBalance(client, { addresses, address }),
    getEscrow(client, { addresses, account: address }),
    listOrders(client, { addresses, user: address }),
    chain.getEpochs(),
  ])
  const hasGas = gasWei >= LOW_GAS_WEI
  const money: Finding = {
    check: 'money',
    result: hasGas ? 'ok' : 'warn',
    message: `${formatMemo(memoAtto)}, ${formatMemo(freeAtto)} free in escrow${hasGas ? '' : ', too little coin for gas'}`,
    ...(hasGas ? {} : { fix: `send some of the chain’s coin to ${address}` }),
  }
  const running = orders.filter(({ end }) => end > current)
  if (running.length === 0) return [money]
  const soonest = running.map(({ end }) => Number((end - current) * epochSeconds)).reduce((a, b) => Math.min(a, b))
  const isEnding = soonest < ENDING_SECONDS
  const message = `${running.length} run${running.length === 1 ? 's' : ''}, the first ends ${formatDistance(soonest)}`
  const fix = 'have enough free in escrow for them to be renewed: memo escrow deposit AMOUNT'
  return [money, { check: 'orders', result: isEnding ? 'warn' : 'ok', message, ...(isEnding ? { fix } : {}) }]
}
