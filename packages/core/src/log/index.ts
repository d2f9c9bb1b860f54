export {
  type Checkpoint,
  type CheckpointedLog,
  type CheckpointLink,
  type EntryBytes,
  firstEntryOf,
  joinCheckpoints,
  MAX_CHECKPOINT_LINKS,
  MAX_CHECKPOINT_READERS,
  openCheckpoint,
  sealCheckpoint,
} from './checkpoint.ts'
export { countKeptLinks } from './checkpoint-plan.ts'
export {
  continuesLog,
  decodeSignedEntry,
  LEAST_LOGIN_TIMESTAMP,
  type LogAction,
  type LogEntry,
  type LoginEvidence,
  loginDigest,
  type SignedEntry,
  signEntry,
  ZERO_HASH,
} from './entry.ts'
