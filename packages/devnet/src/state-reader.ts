import type { Block } from '@ethereumjs/block'
import type { Common } from '@ethereumjs/common'
import type { EVMMockBlockchainInterface } from '@ethereumjs/evm'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { getMerkleStateProof, type MerkleStateManager } from '@ethereumjs/statemanager'
import type { TypedTransaction } from '@ethereumjs/tx'
import {
  Account,
  type Address,
  bytesToHex,
  createAccountFromRLP,
  createAddressFromString,
  ValueEncoding,
} from '@ethereumjs/util'
import { createVM, type RunTxResult, runTx, type VM } from '@ethereumjs/vm'
import { maxOf } from './bigint.ts'
import { createStateManager } from './genesis.ts'
import { bytesFromHex, type Hex } from './hex.ts'
import type { StateDb } from './state-db.ts'

/** The prefix under which the state manager stores code, in hex: the letter c. */
const CODE_PREFIX_HEX = '63'

/** What an execution came to. */
export type Outcome = Pick<RunTxResult, 'execResult' | 'totalGasSpent' | 'gasRefund'>

/** Reads every state that a block has ever had, and executes on top of one without leaving a trace. */
export class StateReader {
  readonly #db: StateDb
  readonly #common: Common
  readonly #vm: VM
  #busy: Promise<unknown> = Promise.resolve()

  private constructor(db: StateDb, common: Common, vm: VM) {
    this.#db = db
    this.#common = common
    this.#vm = vm
  }

  static async create(db: StateDb, common: Common, blockchain: EVMMockBlockchainInterface): Promise<StateReader> {
    const stateManager = createStateManager(db, common, undefined)
    return new StateReader(db, common, await createVM({ common, stateManager, blockchain }))
  }

  /** An account, empty when the state has none. */
  async account(root: Uint8Array, address: Hex): Promise<Account> {
    const rlp = await this.#trie(root).get(bytesFromHex(address))
    return rlp === null ? new Account() : createAccountFromRLP(rlp)
  }

  async code(root: Uint8Array, address: Hex): Promise<Uint8Array> {
    const account = await this.account(root, address)
    if (!account.isContract()) return new Uint8Array()
    return this.#db.getSync(CODE_PREFIX_HEX + bytesToHex(account.codeHash).slice(2)) ?? new Uint8Array()
  }

  /** A storage slot without leading zeros. */
  async storage(root: Uint8Array, address: Hex, slot: Uint8Array): Promise<Uint8Array> {
    const { storageRoot } = await this.account(root, address)
    const value = await this.#trie(storageRoot).get(slot)
    return value === null ? new Uint8Array() : (RLP.decode(value) as Uint8Array)
  }

  /** An EIP-1186 proof in the shape that JSON-RPC gives it. */
  proof(root: Uint8Array, address: Hex, slots: Uint8Array[]): Promise<unknown> {
    return this.#exclusive(async () => {
      const manager = this.#vm.stateManager as MerkleStateManager
      await manager.setStateRoot(root)
      return getMerkleStateProof(manager, createAddressFromString(address), slots)
    })
  }

  /** Runs a transaction in the environment of `block` on top of the state `root`, and forgets what it did. */
  run(root: Uint8Array, block: Block, tx: TypedTransaction): Promise<Outcome> {
    return this.#exclusive(async () => {
      await this.#vm.stateManager.setStateRoot(root)
      await this.#vm.evm.journal.checkpoint()
      try {
        if (await this.#isContract(tx.getSenderAddress())) return await runAsContract(this.#vm, block, tx)
        return await runTx(this.#vm, { tx, block, skipNonce: true, skipBlockGasLimitValidation: true })
      } finally {
        await this.#vm.evm.journal.revert()
      }
    })
  }

  async #isContract(address: Address): Promise<boolean> {
    const code = await this.#vm.stateManager.getCode(address)
    return code.length > 0 && !isDelegation(code)
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work)
    // The caller of `work` is told; who comes next only waits for the end.
    this.#busy = done.catch(() => undefined)
    return done
  }

  #trie(root: Uint8Array): MerklePatriciaTrie {
    return new MerklePatriciaTrie({
      db: this.#db,
      common: this.#common,
      root,
      useKeyHashing: true,
      valueEncoding: ValueEncoding.Bytes,
    })
  }
}

/** EIP-7702: the code of an account that only points to code, and may still send. */
export function isDelegation(code: Uint8Array): boolean {
  return code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00
}

/** A contract cannot send a transaction (EIP-3607), but a caller may ask what its call would do. */
async function runAsContract(vm: VM, block: Block, tx: TypedTransaction): Promise<Outcome> {
  const { evm } = vm
  const caller = tx.getSenderAddress()
  for (const precompile of evm.precompiles.keys()) evm.journal.addAlwaysWarmAddress(precompile)
  for (const warm of [caller, tx.to, block.header.coinbase]) {
    if (warm !== undefined) evm.journal.addAlwaysWarmAddress(warm.toString())
  }
  const intrinsic = tx.getIntrinsicGas()
  const { to, value, data } = tx
  const { execResult } = await evm.runCall({
    block,
    caller,
    gasLimit: tx.gasLimit - intrinsic,
    value,
    data,
    ...(to === undefined ? {} : { to }),
  })
  const spent = intrinsic + execResult.executionGasUsed
  return { execResult, totalGasSpent: maxOf(spent, tx.getMinimumGasLimit()), gasRefund: execResult.gasRefund ?? 0n }
}
