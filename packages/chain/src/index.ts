/**
 * MEMO's contracts as typed actions: one function per thing that can be read or done, each
 * `(client, options) => Promise`. `connectNetwork` finds a network from its registry; `runDeploy` makes one.
 * Every fault comes out as a MemoError that says whose it is and what to do.
 */

export {
  type AmendmentTerms,
  amendmentDigest,
  type EpochInfo,
  type OrderInfo,
  type OrderSegment,
  type OrderTerms,
  orderDigest,
  type ReadAllowanceInfo,
  type ReadVoucher,
  readVoucherDigest,
  type SetCommitment,
  setCommitmentDigest,
  type Verifier,
} from '@memo/core'
export { type Addresses, type ContractKey, registryEntries, registryName } from './addresses.ts'
export { createCachedChain } from './cached-chain.ts'
export { type CheckpointChain, createCheckpointChain } from './checkpoint-chain.ts'
export {
  accountFromSecretKey,
  atBlock,
  type ChainClient,
  type ChainClientOptions,
  createChainClient,
  type RpcProvider,
  withOnce,
} from './client/chain-client.ts'
export {
  AccountMissing,
  GasMoneyMissing,
  GasTooExpensive,
  NonceTaken,
  ReceiptTimeout,
  RpcBehind,
  RpcRefused,
  RpcUnreachable,
  TransactionReverted,
} from './client/errors.ts'
export { createGasWatch, type GasOptions } from './client/fees.ts'
export { asMemoError, ContractRefused } from './client/revert.ts'
export type { Sender, TransactionRequest } from './client/sender.ts'
export { findTaker } from './client/transaction.ts'
export {
  type ConnectOptions,
  ContractsVersionMismatch,
  connectNetwork,
  NotAMemoRegistry,
  readAddresses,
  WrongChainId,
} from './connect.ts'
export { governanceRoles } from './deploy/governance-creations.ts'
export { ATTOMEMO_PER_MEMO, devnetParams, type LockParams, type NetworkParams } from './deploy/params.ts'
export { type DeployPlan, type DeployStep, planDeploy } from './deploy/plan.ts'
export {
  DeployBlocked,
  DeployerNotFresh,
  type DeployResult,
  type DeployState,
  type DeployStore,
  findDeployConflict,
  type RunDeployOptions,
  runDeploy,
} from './deploy/run.ts'
export { didFromId, idFromDid } from './did-id.ts'
export {
  type IncomeEvent,
  type IncomeMark,
  type IncomeStretch,
  isIncomeMarkStanding,
  readProviderIncome,
} from './events/provider-income.ts'
export { RewindTooDeep, type WatchEventsOptions, type WatchedLog, watchEvents } from './events/watch-events.ts'
export { createMemoChain, type MemoChain } from './memo-chain.ts'
export { type CheckpointMessage, checkpointDigest } from './messages/checkpoint.ts'
export { type FileListing, type FileOperation, fileOperationDigest } from './messages/files.ts'
export {
  originalVoucherHash,
  type Purchase,
  purchaseDigest,
  type QuotaVoucher,
  quotaVoucherDigest,
} from './messages/market.ts'
export { findAccount, getAccount } from './read/find-account.ts'
export { findGrants, type GrantInfo, listGrants } from './read/find-grant.ts'
export { findReceiptStatus } from './read/find-receipt-status.ts'
export { getVoucherEnd } from './read/find-voucher-end.ts'
export { getMemoAllowance } from './read/get-allowance.ts'
export { getGasBalance, getMemoBalance } from './read/get-balance.ts'
export { getBlock } from './read/get-block.ts'
export {
  type DidDocumentData,
  type DidMethod,
  type DidOptions,
  findDid,
  findDidDocumentData,
  getDidDocumentData,
  getDidNonce,
} from './read/get-did.ts'
export {
  type FileInfo,
  findFile,
  getFileNonce,
  getFileWithdrawable,
  getReadRight,
  type ReadRight,
} from './read/get-file.ts'
export { getGasPrice } from './read/get-gas-price.ts'
export { type Group, getGroup } from './read/get-group.ts'
export { getKeeperPool } from './read/get-keeper-pool.ts'
export { getAnnouncedTerms, getValidityDays, type MarketTerms } from './read/get-market-terms.ts'
export {
  type EscrowInfo,
  findOrder,
  getEpochs,
  getEscrow,
  getLiableBytes,
  getOrder,
  getReadAllowance,
  getReadClosing,
  isOrderNonceUsed,
  quoteOrder,
} from './read/get-order.ts'
export { getPledge, getRequirementFor, type PledgeInfo } from './read/get-pledge.ts'
export {
  getPurchaseNonce,
  getQuota,
  getQuotaPrice,
  getQuotaWithdrawable,
  getSeller,
  payContractOf,
  type QuotaInfo,
  type QuotaKind,
} from './read/get-quota.ts'
export { hasCode } from './read/has-code.ts'
export { isGranter } from './read/is-granter.ts'
export { listAccounts, listKeepers, listProviders } from './read/list-accounts.ts'
export { type CheckpointInfo, listCheckpoints } from './read/list-checkpoints.ts'
export { type DidRelations, listDidRelations } from './read/list-did-relations.ts'
export { listGranters } from './read/list-granters.ts'
export { listOpenedOrders, type OpenedOrder } from './read/list-opened-orders.ts'
export { listOrders } from './read/list-orders.ts'
export { listReadAllowances, type NumberedAllowance } from './read/list-read-allowances.ts'
export {
  assertServes,
  BannedError,
  NoRoleError,
  NotActiveError,
  type ServingRole,
  SuspendedError,
  WrongRoleError,
} from './role-gate.ts'
export { createStandingWatch, type StandingEvent, type StandingWatch } from './standing.ts'
export type { WriteResult } from './write/call.ts'
export { relayCheckpoint, writeCheckpoint } from './write/checkpoint.ts'
export { type DepositPledgeOptions, depositPledge, ensurePledge } from './write/deposit-pledge.ts'
export {
  type AddVeriOptions,
  addAuth,
  addDelegation,
  addVeri,
  assertCreatableDid,
  type CreateDidOptions,
  changeDidRelation,
  createDid,
  type DidOperation,
  type DidRelationOptions,
  deactivateDid,
  deactivateVeri,
  removeAuth,
  type UpdateVeriOptions,
  updateVeri,
} from './write/did.ts'
export { type EmptyNonceOptions, emptyNonce, quoteEmptyNonce } from './write/empty-nonce.ts'
export { depositEscrow, setPayee, withdrawEscrow } from './write/escrow.ts'
export {
  buyFileRead,
  changeFileController,
  changeFileKeywords,
  changeFilePrice,
  changeFileType,
  deactivateFile,
  grantFileRead,
  refundFileSale,
  registerFile,
  registerMfileDid,
  releaseFileSale,
  revokeFileRead,
  withdrawFileSales,
} from './write/files.ts'
export {
  announceMarketTerms,
  buyQuota,
  buyQuotaForDid,
  cashVoucher,
  endQuota,
  grantQuota,
  grantQuotaToDid,
  submitPurchase,
  withdrawQuota,
} from './write/market.ts'
export {
  amendOrder,
  cancelOrderNonce,
  MAX_EPOCHS_PER_SETTLE,
  type OrderSignatures,
  openOrder,
  pinEpoch,
  setOrdersPaused,
  settleOrder,
  shareKeeperFees,
  shrinkOrder,
} from './write/orders.ts'
export { type Permit, signPermit } from './write/permit.ts'
export { allowReads, announceCloseReads, closeReads, redeemReads } from './write/reads.ts'
export {
  type Contact,
  type Offer,
  type RegisterKeeperOptions,
  type RegisterProviderOptions,
  type RegisterUserOptions,
  registerKeeper,
  registerProvider,
  registerUser,
} from './write/register.ts'
export {
  type EnsureFundsOptions,
  ensureFunds,
  type TransferOptions,
  transferGas,
  transferMemo,
} from './write/transfer.ts'
export { prepareQuotaApproval, prepareQuotaPurchase } from './write/unsigned.ts'
export { finishExit, setEndpoint, setLabels, startExit, updateOffer } from './write/update-account.ts'
export { announceWithdrawal, cancelWithdrawal, withdrawPledge } from './write/withdraw-pledge.ts'
