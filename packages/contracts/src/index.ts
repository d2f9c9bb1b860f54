/**
 * The contracts of MEMO as typed ABIs and bytecode. The files under `generated` come from the Solidity sources
 * beside them: `npm run contracts:build` writes them, `scripts/build.ts --check` proves that they reproduce.
 */
export {
  accountDidAbi,
  accountDidBytecode,
  accountDidDeployedBytecode,
  accountDidImmutables,
} from './generated/account-did.ts'
export {
  didProxyAbi,
  didProxyBytecode,
  didProxyDeployedBytecode,
  didProxyImmutables,
} from './generated/did-proxy.ts'
export { escrowAbi, escrowBytecode, escrowDeployedBytecode, escrowImmutables } from './generated/escrow.ts'
export { ordersAbi, ordersBytecode, ordersDeployedBytecode, ordersImmutables } from './generated/orders.ts'
export { readsAbi, readsBytecode, readsDeployedBytecode, readsImmutables } from './generated/reads.ts'
export {
  governanceAbi,
  governanceBytecode,
  governanceDeployedBytecode,
  governanceImmutables,
} from './generated/governance.ts'
export {
  memoTokenAbi,
  memoTokenBytecode,
  memoTokenDeployedBytecode,
  memoTokenImmutables,
} from './generated/memo-token.ts'
export {
  pledgesAbi,
  pledgesBytecode,
  pledgesDeployedBytecode,
  pledgesImmutables,
} from './generated/pledges.ts'
export {
  registryAbi,
  registryBytecode,
  registryDeployedBytecode,
  registryImmutables,
} from './generated/registry.ts'
export { rolesAbi, rolesBytecode, rolesDeployedBytecode, rolesImmutables } from './generated/roles.ts'

/** The version of the set of contracts in this package; the registry on chain carries the same number. */
export const CONTRACTS_VERSION = 2
