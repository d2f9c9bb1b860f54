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
  checkpointsAbi,
  checkpointsBytecode,
  checkpointsDeployedBytecode,
  checkpointsImmutables,
} from './generated/checkpoints.ts'
export {
  didProxyAbi,
  didProxyBytecode,
  didProxyDeployedBytecode,
  didProxyImmutables,
} from './generated/did-proxy.ts'
export { escrowAbi, escrowBytecode, escrowDeployedBytecode, escrowImmutables } from './generated/escrow.ts'
export {
  fileDidAbi,
  fileDidBytecode,
  fileDidDeployedBytecode,
  fileDidImmutables,
} from './generated/file-did.ts'
export {
  fileProxyAbi,
  fileProxyBytecode,
  fileProxyDeployedBytecode,
  fileProxyImmutables,
} from './generated/file-proxy.ts'
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
export { ordersAbi, ordersBytecode, ordersDeployedBytecode, ordersImmutables } from './generated/orders.ts'
export {
  pledgesAbi,
  pledgesBytecode,
  pledgesDeployedBytecode,
  pledgesImmutables,
} from './generated/pledges.ts'
export {
  quotaPayAbi,
  quotaPayBytecode,
  quotaPayDeployedBytecode,
  quotaPayImmutables,
} from './generated/quota-pay.ts'
export { readsAbi, readsBytecode, readsDeployedBytecode, readsImmutables } from './generated/reads.ts'
export {
  registryAbi,
  registryBytecode,
  registryDeployedBytecode,
  registryImmutables,
} from './generated/registry.ts'
export { rolesAbi, rolesBytecode, rolesDeployedBytecode, rolesImmutables } from './generated/roles.ts'

export {
  spaceMarketAbi,
  spaceMarketBytecode,
  spaceMarketDeployedBytecode,
  spaceMarketImmutables,
} from './generated/space-market.ts'

export {
  timelockAbi,
  timelockBytecode,
  timelockDeployedBytecode,
  timelockImmutables,
} from './generated/timelock.ts'

/** The version of the set of contracts in this package; the registry on chain carries the same number. */
export const CONTRACTS_VERSION = 3
