/** The gate that every serving account passes stands in `@memo/chain`, where the gateway finds it as well. */
export {
  assertServes,
  BannedError,
  NoRoleError,
  NotActiveError,
  SuspendedError,
  WrongRoleError,
} from '@memo/chain'
