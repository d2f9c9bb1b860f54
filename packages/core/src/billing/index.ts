export { incomeUntil } from './income.ts'
export {
  type AmendmentTerms,
  amendmentDigest,
  contractDigest,
  type MoneyContracts,
  type OrderTerms,
  orderDigest,
  ordersVerifierOf,
  type ReadVoucher,
  readsVerifierOf,
  readVoucherDigest,
  type SetCommitment,
  setCommitmentDigest,
  type Verifier,
} from './messages.ts'
export { createSetTree, type SetChange, type SetPiece, type SetTree, setCommitmentOf } from './set-tree.ts'
