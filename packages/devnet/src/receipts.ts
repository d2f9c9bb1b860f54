import { RLP } from '@ethereumjs/rlp'
import { bigIntToUnpaddedBytes, bytesToBigInt } from '@ethereumjs/util'
import { bytesFromHex, type Hex, hexFromBytes } from './hex.ts'

/** One event. */
export type Log = { readonly address: Hex; readonly topics: readonly Hex[]; readonly data: Hex }

/** What executing one transaction left behind. The sender is kept because recovering it costs a signature check. */
export type Receipt = {
  readonly status: 0 | 1
  readonly sender: Hex
  readonly gasUsed: bigint
  readonly cumulativeGasUsed: bigint
  readonly effectiveGasPrice: bigint
  readonly contractAddress: Hex | undefined
  readonly logs: readonly Log[]
}

/** The receipts of one block as they are stored. */
export function encodeReceipts(receipts: readonly Receipt[]): Uint8Array {
  return RLP.encode(
    receipts.map((receipt) => [
      receipt.status === 1 ? Uint8Array.of(1) : new Uint8Array(),
      bytesFromHex(receipt.sender),
      bigIntToUnpaddedBytes(receipt.gasUsed),
      bigIntToUnpaddedBytes(receipt.cumulativeGasUsed),
      bigIntToUnpaddedBytes(receipt.effectiveGasPrice),
      receipt.contractAddress === undefined ? new Uint8Array() : bytesFromHex(receipt.contractAddress),
      receipt.logs.map((log) => [bytesFromHex(log.address), log.topics.map(bytesFromHex), bytesFromHex(log.data)]),
    ]),
  )
}

type EncodedLog = [Uint8Array, Uint8Array[], Uint8Array]
type EncodedReceipt = [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, EncodedLog[]]

/** The receipts that {@link encodeReceipts} stored; the bytes come from our own store. */
export function decodeReceipts(bytes: Uint8Array): Receipt[] {
  const decoded = RLP.decode(bytes) as unknown as EncodedReceipt[]
  return decoded.map(([status, sender, gasUsed, cumulative, price, contract, logs]) => ({
    status: status.length === 1 ? 1 : 0,
    sender: hexFromBytes(sender),
    gasUsed: bytesToBigInt(gasUsed),
    cumulativeGasUsed: bytesToBigInt(cumulative),
    effectiveGasPrice: bytesToBigInt(price),
    contractAddress: contract.length === 0 ? undefined : hexFromBytes(contract),
    logs: logs.map(([address, topics, data]) => ({
      address: hexFromBytes(address),
      topics: topics.map(hexFromBytes),
      data: hexFromBytes(data),
    })),
  }))
}
