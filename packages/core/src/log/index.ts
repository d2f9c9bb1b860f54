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
