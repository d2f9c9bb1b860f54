import { type Account, type Address, type Chain, MemoError, type MemoErrorOptions, type Role } from '@memo/core'

/** The chain does not let this account serve. */
class RoleError extends MemoError {
  override readonly name: string = 'RoleError'
  constructor(message: string, options: Omit<MemoErrorOptions, 'blame' | 'retry'>) {
    super(message, { blame: 'user', retry: 'never', ...options })
  }
}

/** The account never registered. */
export class NoRoleError extends RoleError {
  override readonly name: string = 'NoRoleError'
}

/** The account has registered, and for something else. A role is for ever. */
export class WrongRoleError extends RoleError {
  override readonly name: string = 'WrongRoleError'
}

/** The account has pledged too little, or its faults suspended it. */
export class SuspendedError extends RoleError {
  override readonly name: string = 'SuspendedError'
}

/** Governance excluded the account. */
export class BannedError extends RoleError {
  override readonly name: string = 'BannedError'
}

/** The account has left the network, or has not pledged yet. */
export class NotActiveError extends RoleError {
  override readonly name: string = 'NotActiveError'
}

/** What an account can serve as. */
export type ServingRole = Exclude<Role, 'none'>

/**
 * The account of `address`, when the chain lets it serve as `role` (`spec/provider.md` 1, `spec/keeper.md` 1,
 * `spec/gateway.md` 11): active; a provider or keeper also while it is exiting, because what it holds must stay
 * readable while it is moved away. Errors: {@link NoRoleError}, {@link WrongRoleError}, {@link SuspendedError},
 * {@link BannedError}, {@link NotActiveError}.
 */
export async function assertServes(chain: Chain, address: Address, role: ServingRole): Promise<Account> {
  const account = await chain.findAccount(address)
  const init = role === 'user' ? 'memo gateway init' : `memo ${role} init`
  if (!account || account.role === 'none') {
    throw new NoRoleError(`${address} has no role on this network`, {
      fix: `Run \`${init}\` to register it as a ${role}.`,
      details: { address, role },
    })
  }
  const details = { address, role, actualRole: account.role, state: account.state }
  if (account.role !== role) {
    throw new WrongRoleError(`${address} is registered as a ${account.role} and cannot serve as a ${role}`, {
      fix: `Run \`${init}\` with another key; an account has one role for ever.`,
      details,
    })
  }
  if (account.state === 'banned') {
    throw new BannedError(`${address} is banned from this network`, {
      fix: 'Its pledge stays its own: take it back when the lock has passed. A ban is lifted by governance only.',
      details,
    })
  }
  if (account.state === 'suspended') {
    throw new SuspendedError(
      `${address} is suspended: its pledge is under what its offer needs, or its faults are many`,
      { fix: `Run \`${init}\` again to top up the pledge.`, details },
    )
  }
  const mayServe = account.state === 'active' || (account.state === 'exiting' && role !== 'user')
  if (!mayServe) {
    throw new NotActiveError(`${address} is ${account.state}, not active`, {
      fix: account.state === 'registered' ? `Finish \`${init}\`.` : `Run \`${init}\` with another key.`,
      details,
    })
  }
  return account
}
