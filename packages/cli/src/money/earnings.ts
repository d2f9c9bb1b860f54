import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { accountFromSecretKey, connectNetwork, type MemoChain } from '@memo/chain'
import { createKeySigner, createProviderClient, type Earnings, MemoError } from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness, createSystemTimers } from '@memo/platform'
import { NotSetUpError } from '../errors.ts'
import { findNodeConfig, NODE_KEY, type NodeConfig } from '../nodes/node-config.ts'
import { formatTable } from '../output.ts'
import { openKeys } from '../password.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, networkOf } from '../settings.ts'
import type { UserOptions } from '../user/open-storage.ts'
import { subdirectoriesOf } from './account.ts'
import { type ChainEarnings, readChainEarnings, settleAll } from './chain-earnings.ts'
import { formatMemo } from './units.ts'

export type EarningsOptions = UserOptions & { readonly settle?: boolean }

type Report = {
  readonly name: string
  readonly config: NodeConfig
  readonly earnings: Earnings | ChainEarnings
  /** The provider knows of vouchers that the chain has not seen. */
  readonly source: 'provider' | 'chain'
}

/** `memo provider earnings`: what storing and reading have brought; the providers of a local network each. */
export const earnings: Verb<EarningsOptions> = async ({ output, runtime }, options) => {
  const reports: Report[] = []
  for (const { name, dir, config } of listProviders(options)) {
    const report = { name, config, ...(await readEarnings(options, dir, config, runtime.signal)) }
    reports.push(report)
    const { source, earnings: earned } = report
    output.event({ event: 'earnings', name, provider: config.address, source, ...earned })
  }
  const [first] = reports as [Report, ...Report[]]
  const text = reports.length === 1 ? describe(first) : tableOf(reports)
  const notes = reports.some(({ source }) => source === 'chain')
    ? ['* does not run: vouchers for reads that it holds are not counted']
    : []
  const block = Math.max(...reports.map((report) => report.earnings.block))
  output.data([text, ...notes, `block ${block}`].join('\n'), { event: 'done', providers: reports.length, block })
  return undefined
}

function listProviders(options: EarningsOptions): { name: string; dir: string; config: NodeConfig }[] {
  const own = dataDirOf(options, 'provider')
  const dir = existsSync(own) ? own : dataDirOf(options)
  const inside = subdirectoriesOf(dir).map((name) => ({ name, dir: join(dir, name) }))
  const found = [{ name: 'provider', dir }, ...inside].flatMap((place) => {
    const config = findNodeConfig(place.dir)
    return config?.kind === 'provider' ? [{ ...place, config }] : []
  })
  if (found.length > 0) return found
  throw new NotSetUpError(
    `there is no provider in ${dir}`,
    'Give its directory with --data, or make one: memo provider init',
  )
}

/** Asked of the provider itself, which alone knows the vouchers that it holds; where it does not run, of the chain. */
async function readEarnings(
  options: EarningsOptions,
  dir: string,
  config: NodeConfig,
  signal: AbortSignal,
): Promise<Pick<Report, 'earnings' | 'source'>> {
  const keys = await openKeys(dir, { ...options, isLocal: false })
  const secretKey = await keys.load(NODE_KEY)
  const account = accountFromSecretKey(secretKey)
  const chain = await connectNetwork({ ...networkOf(options, config), account })
  const settle = options.settle === true
  try {
    return { earnings: await askProvider(chain, config, secretKey, { settle, signal }), source: 'provider' }
  } catch (error) {
    const isDown = error instanceof MemoError && error.name === 'UnreachableError'
    if (!isDown || signal.aborted) throw error
  }
  if (settle) await settleAll(chain, config.address, signal)
  return { earnings: await readChainEarnings(chain, config.address), source: 'chain' }
}

/** On this machine: what is registered may be a name that only others can reach. */
async function askProvider(
  chain: MemoChain,
  { address, host, port }: NodeConfig,
  secretKey: Uint8Array,
  options: { readonly settle: boolean; readonly signal: AbortSignal },
): Promise<Earnings> {
  const { transport, close } = createHttpTransport({ blame: 'provider' })
  const local = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  const peer = { address, endpoint: `http://${local.includes(':') ? `[${local}]` : local}:${port}` }
  try {
    const client = createProviderClient(
      {
        network: chain.network,
        transport,
        clock: createSystemClock(),
        timers: createSystemTimers(),
        random: createSystemRandomness(),
        signer: createKeySigner(secretKey),
      },
      peer,
    )
    return await client.earnings(options)
  } finally {
    await close()
  }
}

function describe({ config, earnings: earned, source }: Report): string {
  const { storing, reading, escrowFreeAtto } = earned
  const held =
    'heldAtto' in reading
      ? `${formatMemo(reading.heldAtto)} in ${count(reading.vouchers, 'voucher')}`
      : 'vouchers unknown *'
  const rows = [
    [
      '  storing',
      `${formatMemo(storing.settledAtto)} paid`,
      `${formatMemo(storing.waitingAtto)} waiting in ${count(storing.orders, 'order')}`,
    ],
    ['  reading', `${formatMemo(reading.redeemedAtto)} paid`, held],
    ['  escrow', `${formatMemo(escrowFreeAtto)} free`, 'take it with: memo escrow withdraw all'],
  ]
  return `provider ${config.address}${source === 'chain' ? ' *' : ''}\n${formatTable(rows)}`
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

function tableOf(reports: readonly Report[]): string {
  const rows = reports.map(({ name, earnings: { storing, reading, escrowFreeAtto }, source }) => [
    `${name}${source === 'chain' ? ' *' : ''}`,
    formatMemo(storing.settledAtto),
    formatMemo(storing.waitingAtto),
    formatMemo(reading.redeemedAtto),
    'heldAtto' in reading ? formatMemo(reading.heldAtto) : '–',
    formatMemo(escrowFreeAtto),
  ])
  return formatTable([['', 'storing', 'waiting', 'reading', 'held', 'free in escrow'], ...rows])
}
