import { type Block, createBlock, type HeaderData } from '@ethereumjs/block'
import type { Common } from '@ethereumjs/common'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { KECCAK256_RLP, ValueEncoding } from '@ethereumjs/util'
import { BadOptionError } from './errors.ts'
import { bytesFromHex, type Hex } from './hex.ts'
import type { StateDb } from './state-db.ts'

/** Balances in wei by address. */
export type GenesisAlloc = Readonly<Record<string, bigint>>

/** Gas per block unless the options say otherwise. */
export const DEFAULT_BLOCK_GAS_LIMIT = 30_000_000

/** EIP-1559's initial base fee. */
const INITIAL_BASE_FEE = 1_000_000_000n

/** The contract that keeps the hashes of the last 8191 blocks: address and code are fixed by EIP-2935. */
export const HISTORY_ADDRESS: Hex = '0x0000f90827f1c53a10cb7a02335b175320002935'
const HISTORY_CODE: Hex =
  '0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500'

/** SHA-256 of nothing: the requests hash (EIP-7685) of every block, since no request contract exists here. */
const NO_REQUESTS_HASH: Hex = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Header fields that are the same in every block of this chain. */
export const FIXED_HEADER: HeaderData = {
  coinbase: '0x0000000000000000000000000000000000000000',
  difficulty: 0,
  extraData: '0x',
  nonce: '0x0000000000000000',
  withdrawalsRoot: KECCAK256_RLP,
  blobGasUsed: 0,
  excessBlobGas: 0,
  parentBeaconBlockRoot: new Uint8Array(32),
  requestsHash: NO_REQUESTS_HASH,
}

/** A state manager over the chain's nodes at a state root. `cached` keeps accounts and slots between blocks. */
export function createStateManager(db: StateDb, common: Common, root: Uint8Array | undefined): MerkleStateManager {
  const trie = new MerklePatriciaTrie({
    db,
    common,
    useKeyHashing: true,
    valueEncoding: ValueEncoding.Bytes,
    ...(root === undefined ? {} : { root }),
  })
  return new MerkleStateManager({ common, trie, caches: new Caches() })
}

/** Checks an allocation and puts it into one order and one spelling, so that it can be compared. */
export function normalizeAlloc(alloc: GenesisAlloc): ReadonlyMap<Hex, bigint> {
  const normal = new Map<Hex, bigint>()
  for (const [address, balance] of Object.entries(alloc)) {
    const lower = address.toLowerCase()
    if (!/^0x[0-9a-f]{40}$/.test(lower)) throw new BadOptionError(`genesisAlloc: ${address} is not an address`)
    if (normal.has(lower as Hex)) throw new BadOptionError(`genesisAlloc: ${address} is given twice`)
    if (typeof balance !== 'bigint' || balance < 0n || balance >= 1n << 256n) {
      throw new BadOptionError(`genesisAlloc: the balance of ${address} is no amount of wei`)
    }
    normal.set(lower as Hex, balance)
  }
  return new Map([...normal].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Writes the first state into `db` and returns the block on top of it. */
export async function buildGenesis(
  db: StateDb,
  common: Common,
  alloc: ReadonlyMap<Hex, bigint>,
  timestamp: number,
  gasLimit: number,
): Promise<Block> {
  const state = createStateManager(db, common, undefined)
  const balances = [...alloc].map(([address, balance]) => [address, `0x${balance.toString(16)}`] as const)
  await state.generateCanonicalGenesis({
    ...Object.fromEntries(balances),
    [HISTORY_ADDRESS]: ['0x0', HISTORY_CODE, [], '0x1'],
  })
  const header: HeaderData = {
    ...FIXED_HEADER,
    number: 0,
    timestamp,
    gasLimit,
    baseFeePerGas: INITIAL_BASE_FEE,
    mixHash: new Uint8Array(32),
    stateRoot: await state.getStateRoot(),
  }
  return createBlock({ header, withdrawals: [] }, { common })
}

/** The history contract's address as bytes. */
export const HISTORY_ADDRESS_BYTES: Uint8Array = bytesFromHex(HISTORY_ADDRESS)
