import { createHash } from 'node:crypto'
import { Chain, type Clock } from './chain.ts'
import { createCommon } from './common.ts'
import { BadOptionError, type ChainStoppedError, StoreMismatchError } from './errors.ts'
import { buildGenesis, DEFAULT_BLOCK_GAS_LIMIT, type GenesisAlloc, normalizeAlloc } from './genesis.ts'
import type { Hex } from './hex.ts'
import { selectLiveNodes } from './live-nodes.ts'
import { encodeReceipts } from './receipts.ts'
import { StateDb } from './state-db.ts'
import { openStore, type Store } from './store.ts'
import { decodeStoredBlock } from './stored-block.ts'

/** The largest chain id that every wallet can hold. */
const MAX_CHAIN_ID = 2 ** 51

/** Less than this and a contract could not be deployed; more and one block would stop the event loop for seconds. */
const BLOCK_GAS_LIMITS: { readonly min: number; readonly max: number } = { min: 5_000_000, max: 500_000_000 }

/** What identifies a chain, and where it lives. */
export type OpenOptions = {
  readonly dataDir: string | undefined
  readonly chainId: number
  readonly genesisAlloc: GenesisAlloc
  /** Seconds; the clock's when absent. */
  readonly genesisTimestamp: number | undefined
  readonly blockGasLimit: number | undefined
  readonly clock: Clock
  readonly onStopped: (error: ChainStoppedError) => void
}

/**
 * Opens the chain of a data directory, or begins it. The chain owns the store and closes it.
 *
 * @throws {BadOptionError} {@link DirectoryInUseError} {@link StoreMismatchError}
 */
export async function openChain(options: OpenOptions): Promise<Chain> {
  assertOptions(options)
  const alloc = normalizeAlloc(options.genesisAlloc)
  const common = createCommon(options.chainId)
  const store = openStore(options.dataDir)
  try {
    const db = new StateDb(store)
    if (store.headNumber() === undefined) await writeGenesis(store, db, common, alloc, options)
    else assertSameChain(store, alloc, options)
    const number = store.headNumber() ?? 0
    const head = decodeStoredBlock(store.findBlock(number)!, common)
    return await Chain.create({ store, db, common, clock: options.clock, head, onStopped: options.onStopped })
  } catch (error) {
    store.close()
    throw error
  }
}

function assertOptions({ chainId, genesisTimestamp, blockGasLimit }: OpenOptions): void {
  if (!Number.isSafeInteger(chainId) || chainId < 1 || chainId > MAX_CHAIN_ID) {
    throw new BadOptionError(`chainId ${chainId} is not an integer from 1 to ${MAX_CHAIN_ID}`)
  }
  if (genesisTimestamp !== undefined && (!Number.isSafeInteger(genesisTimestamp) || genesisTimestamp < 0)) {
    throw new BadOptionError(`genesisTimestamp ${genesisTimestamp} is not a number of seconds`)
  }
  const { min, max } = BLOCK_GAS_LIMITS
  if (
    blockGasLimit !== undefined &&
    !(Number.isInteger(blockGasLimit) && blockGasLimit >= min && blockGasLimit <= max)
  ) {
    throw new BadOptionError(`blockGasLimit ${blockGasLimit} is not an integer from ${min} to ${max}`)
  }
}

type Alloc = ReadonlyMap<Hex, bigint>

async function writeGenesis(
  store: Store,
  db: StateDb,
  common: ReturnType<typeof createCommon>,
  alloc: Alloc,
  options: OpenOptions,
): Promise<void> {
  const timestamp = options.genesisTimestamp ?? Math.floor(options.clock.nowMs() / 1000)
  const gasLimit = options.blockGasLimit ?? DEFAULT_BLOCK_GAS_LIMIT
  const block = await buildGenesis(db, common, alloc, timestamp, gasLimit)
  const nodes = selectLiveNodes(db.added(), block.header.stateRoot)
  store.putGenesis(
    {
      number: 0,
      hash: block.hash(),
      rlp: block.serialize(),
      receipts: encodeReceipts([]),
      txHashes: [],
      logKeys: [],
      nodes,
      time: { offsetSeconds: 0, nextTimestamp: undefined },
    },
    new Map([
      ['chain_id', String(options.chainId)],
      ['alloc_digest', allocDigest(alloc)],
      ['genesis_timestamp', String(timestamp)],
      ['block_gas_limit', String(gasLimit)],
    ]),
  )
  db.settle(nodes)
}

/** Opening with another chain id or genesis would answer for a chain that was not asked for. */
function assertSameChain(store: Store, alloc: Alloc, options: OpenOptions): void {
  const differences: readonly (readonly [key: string, flag: string, wanted: string | undefined])[] = [
    ['chain_id', 'chain id', String(options.chainId)],
    ['alloc_digest', 'genesis allocation', allocDigest(alloc)],
    ['genesis_timestamp', 'genesis timestamp', options.genesisTimestamp?.toString()],
    ['block_gas_limit', 'block gas limit', options.blockGasLimit?.toString()],
  ]
  for (const [key, name, wanted] of differences) {
    const stored = store.getMeta(key)
    if (wanted === undefined || stored === wanted) continue
    throw new StoreMismatchError(
      `the chain in ${options.dataDir} has ${name} ${stored}, but ${wanted} was asked for`,
      `start with the ${name} that it began with, or set it aside: mv ${options.dataDir} ${options.dataDir}.old`,
    )
  }
}

function allocDigest(alloc: Alloc): string {
  const text = [...alloc].map(([address, balance]) => `${address}=${balance}`).join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
