export { ackQuorumOf, ackToJson, findAckFromJson, type IndexAck, isAckOf, signAck } from './ack.ts'
export {
  decodeBundle,
  decodePlacedPart,
  encodeBundle,
  encodePlacedPart,
  type IndexBundle,
  MAX_BUNDLE_BYTES,
  type PlacedPart,
} from './bundle.ts'
export {
  type ClientPorts,
  DeadlineError,
  type ExchangeRequest,
  exchange,
  type Peer,
  UnreachableError,
  withDeadline,
} from './exchange.ts'
export {
  BadAnswerError,
  BodyTooLargeError,
  BYTES_TYPE,
  bytesResponse,
  CBOR_TYPE,
  errorOfAnswer,
  errorResponse,
  JSON_TYPE,
  jsonResponse,
  parseJson,
  parseJsonAnswer,
  readAnswer,
  readBody,
  statusOfError,
  streamResponse,
} from './http.ts'
export {
  type Candidate,
  createKeeperClient,
  ENTRY_PAGE,
  encodeEntries,
  encodeFeed,
  encodePartAnswer,
  IndexConflictError,
  type KeeperClient,
  type LogHead,
  type MatchRequest,
} from './keeper-client.ts'
export {
  CONTROL_TIMEOUT_MS,
  createProviderClient,
  PIECE_TIMEOUT_MS,
  type ProviderClient,
  type ProviderInfo,
  STRIP_TIMEOUT_MS,
} from './provider-client.ts'
export {
  findReceiptFromJson,
  isReceipt,
  RECEIPT_STRUCT,
  type Receipt,
  type ReceiptTerms,
  receiptDigest,
  receiptToJson,
  signReceipt,
} from './receipt.ts'
export {
  createRequestVerifier,
  pathOf,
  REQUEST_LIFE_SECONDS,
  type RequestSigning,
  type RequestVerifier,
  signRequest,
  UnauthorizedError,
} from './signed-request.ts'
