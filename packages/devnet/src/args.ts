import { parseArgs as parseNodeArgs } from 'node:util'
import type { DevnetOptions } from './devnet.ts'
import { BadOptionError } from './errors.ts'
import type { Mining } from './miner.ts'

const USAGE =
  'usage: main.ts --port N [--data DIR] [--host H] [--chain-id N] [--alloc 0x…=WEI]… [--genesis-timestamp S] ' +
  '[--block-gas-limit N] [--interval MS] [--skip-empty] [--heartbeat MS] [--json]'

/** What the command line asks for. */
export type Args = {
  readonly devnet: DevnetOptions
  readonly host: string
  readonly port: number
  readonly json: boolean
}

/** @throws {BadOptionError} naming the flag and the usage. */
export function parseArgs(argv: readonly string[]): Args {
  const values = readFlags(argv)
  const number = (flag: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined
    if (!/^\d{1,15}$/.test(text)) throw new BadOptionError(`--${flag} ${text} is not a whole number`, USAGE)
    return Number(text)
  }
  const port = number('port', values.port)
  if (port === undefined || port > 65_535) throw new BadOptionError('--port must be a number from 0 to 65535', USAGE)
  const options = {
    dataDir: values.data,
    chainId: number('chain-id', values['chain-id']),
    genesisTimestamp: number('genesis-timestamp', values['genesis-timestamp']),
    blockGasLimit: number('block-gas-limit', values['block-gas-limit']),
    mining: miningFrom(number('interval', values.interval), values['skip-empty']),
    heartbeatMs: number('heartbeat', values.heartbeat),
  }
  return {
    devnet: { genesisAlloc: allocFrom(values.alloc), ...withoutAbsent(options) },
    host: values.host,
    port,
    json: values.json,
  }
}

type Flags = {
  readonly data: string | undefined
  readonly port: string | undefined
  readonly host: string
  readonly 'chain-id': string | undefined
  readonly alloc: readonly string[]
  readonly 'genesis-timestamp': string | undefined
  readonly 'block-gas-limit': string | undefined
  readonly interval: string | undefined
  readonly 'skip-empty': boolean
  readonly heartbeat: string | undefined
  readonly json: boolean
}

function readFlags(argv: readonly string[]): Flags {
  const text = { type: 'string' } as const
  try {
    const { values } = parseNodeArgs({
      args: [...argv],
      strict: true,
      options: {
        data: text,
        port: text,
        host: { ...text, default: '127.0.0.1' },
        'chain-id': text,
        alloc: { ...text, multiple: true, default: [] },
        'genesis-timestamp': text,
        'block-gas-limit': text,
        interval: text,
        'skip-empty': { type: 'boolean', default: false },
        heartbeat: text,
        json: { type: 'boolean', default: false },
      },
    })
    return values as Flags
  } catch (cause) {
    throw new BadOptionError(cause instanceof Error ? cause.message : String(cause), USAGE)
  }
}

function miningFrom(intervalMs: number | undefined, skipEmpty: boolean): Mining {
  return intervalMs === undefined ? { mode: 'auto' } : { mode: 'interval', ms: intervalMs, empty: !skipEmpty }
}

function allocFrom(items: readonly string[]): Record<string, bigint> {
  const alloc: Record<string, bigint> = {}
  for (const item of items) {
    const match = /^(0x[0-9a-fA-F]{40})=(\d{1,78})$/.exec(item)
    if (match === null) throw new BadOptionError(`--alloc ${item} is not 0xADDRESS=WEI`, USAGE)
    alloc[match[1]!] = BigInt(match[2]!)
  }
  return alloc
}

/** An absent option takes its default; one that is present and undefined would not. */
function withoutAbsent<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const present = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(present) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
