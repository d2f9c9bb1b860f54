export { type ErrorEnvelope, envelopeFromError, errorFromEnvelope, RemoteError } from './envelope.ts'
export {
  AssertionError,
  assert,
  BadInputError,
  type Blame,
  MemoError,
  type MemoErrorOptions,
  NotFoundError,
  type Retry,
} from './memo-error.ts'
