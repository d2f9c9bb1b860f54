import { RLP } from '@ethereumjs/rlp'
import { bytesToUnprefixedHex } from '@ethereumjs/util'

/** Code is stored under the letter c and its hash; every other key is the hash of a trie node. */
const CODE_KEY_LENGTH = 66

/** A decoded trie node: sixteen branches and a value, or a path and what it leads to. */
type Node = readonly Ref[]
/** A child: the hash of a node, or a node of under 32 bytes itself. */
type Ref = Uint8Array | Node

/** In the first nibble of a path: whether it ends in a value. */
const LEAF_FLAG = 0x20

const HASH_BYTES = 32
const BRANCHES = 16

/**
 * The entries of `added` that the state under `root` needs: new code, and the nodes that are reached from the root.
 * Between two account updates of one block the trie passes through states that no block has; half of what it writes
 * is theirs, and need not be stored. What is not in `added` was stored by an earlier block, with all below it.
 */
export function selectLiveNodes(added: ReadonlyMap<string, Uint8Array>, root: Uint8Array): Map<string, Uint8Array> {
  const live = new Map<string, Uint8Array>()
  for (const [key, value] of added) if (key.length === CODE_KEY_LENGTH) live.set(key, value)

  const visitHash = (hash: Uint8Array, inAccounts: boolean): void => {
    const key = bytesToUnprefixedHex(hash)
    const value = added.get(key)
    if (value === undefined || live.has(key)) return
    live.set(key, value)
    visitNode(RLP.decode(value) as Node, inAccounts)
  }

  const visitRef = (ref: Ref, inAccounts: boolean): void => {
    if (!(ref instanceof Uint8Array)) visitNode(ref, inAccounts)
    else if (ref.length === HASH_BYTES) visitHash(ref, inAccounts)
  }

  const visitNode = (node: Node, inAccounts: boolean): void => {
    if (node.length > 2) {
      for (const ref of node.slice(0, BRANCHES)) visitRef(ref, inAccounts)
      return
    }
    const [path, target] = node as readonly [Uint8Array, Ref]
    if ((path[0]! & LEAF_FLAG) === 0) visitRef(target, inAccounts)
    else if (inAccounts) visitHash(storageRootOf(target as Uint8Array), false)
  }

  visitHash(root, true)
  return live
}

/** An account is a list of nonce, balance, storage root and code hash. */
function storageRootOf(account: Uint8Array): Uint8Array {
  return (RLP.decode(account) as Uint8Array[])[2]!
}
