import { createSystemTimers } from '@memo/platform'
import type { Output } from '../output.ts'
import { createIdentity, type Identity, type IdentityOptions } from '../user/identity.ts'

const REST_MS = 5_000
/** A chain that rewinds shows for a moment neither the old blocks nor the new ones: one look is none. */
const LOOKS = 2

/**
 * Makes the identity of a local network again where its chain has forgotten it, each step only where the chain does not show
 * it; where it has forgotten the contracts, says what to do. Until the signal is aborted, with whose reason it rejects.
 */
export async function keepIdentity(output: Output, identity: Identity, options: IdentityOptions): Promise<void> {
  const { signal, registry } = options
  const { chain, did } = identity
  const timers = createSystemTimers()
  let missed = 0
  const look = async () => {
    const code = await chain.client.rpc.getCode({ address: registry })
    const what = code === undefined ? 'contracts' : (await isThere()) ? undefined : 'identity'
    missed = what === undefined ? 0 : missed + 1
    if (missed !== LOOKS) return
    if (what === 'contracts') {
      const text =
        '  the chain has forgotten the contracts: stop this, and run the same command again, which deploys them'
      return output.progress(text, { event: 'contracts-forgotten', registry })
    }
    output.progress(`  the chain has forgotten ${did}; it is made again`, { event: 'identity-forgotten', did })
    missed = 0
    await createIdentity(options)
    output.progress(`  ${did} is there again`, { event: 'identity-again', did })
  }
  const isThere = async () => {
    const [account, document] = await Promise.all([chain.findAccount(identity.signer.address), chain.findDid(did)])
    return account?.role === 'user' && document !== undefined
  }
  for (;;) {
    await timers.sleep(REST_MS, signal)
    try {
      await look()
    } catch (thrown) {
      signal.throwIfAborted()
      // It is looked again soon; that a chain is silent is told by whoever needs it.
      output.event({ event: 'identity-waits', did, error: `${thrown}` })
    }
  }
}
