import type { Hex } from '../hex.ts'
import { invalidParams } from './errors.ts'
import { isObject, parseAddress, parseData, parseHash, parseQuantity } from './params.ts'

const NOBODY: Hex = '0x0000000000000000000000000000000000000000'
const MAX_LIST_ITEMS = 1_000

/** An item of an EIP-2930 access list. */
export type AccessListItem = { readonly address: Hex; readonly storageKeys: readonly Hex[] }

/** An item of an EIP-7702 authorization list, as transactions carry it. */
export type Authorization = Readonly<Record<'chainId' | 'address' | 'nonce' | 'yParity' | 'r' | 's', Hex>>

/** A transaction object of `eth_call` and `eth_estimateGas`, parsed. */
export type CallRequest = {
  readonly from: Hex
  readonly to: Hex | undefined
  readonly gas: bigint | undefined
  readonly gasPrice: bigint | undefined
  readonly maxFeePerGas: bigint | undefined
  readonly maxPriorityFeePerGas: bigint | undefined
  readonly value: bigint
  readonly nonce: bigint | undefined
  readonly data: Hex
  readonly accessList: readonly AccessListItem[] | undefined
  readonly authorizationList: readonly Authorization[] | undefined
}

/** @throws {RpcError} when a field is not what it should be, or fields contradict each other. */
export function parseCall(value: unknown): CallRequest {
  if (!isObject(value)) throw invalidParams('invalid argument call: object expected')
  const optional = <T>(name: string, parse: (value: unknown, name: string) => T): T | undefined =>
    value[name] === undefined || value[name] === null ? undefined : parse(value[name], name)
  const gasPrice = optional('gasPrice', parseQuantity)
  const maxFeePerGas = optional('maxFeePerGas', parseQuantity)
  const maxPriorityFeePerGas = optional('maxPriorityFeePerGas', parseQuantity)
  if (gasPrice !== undefined && (maxFeePerGas !== undefined || maxPriorityFeePerGas !== undefined)) {
    throw invalidParams('both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified')
  }
  if (maxFeePerGas !== undefined && maxPriorityFeePerGas !== undefined && maxFeePerGas < maxPriorityFeePerGas) {
    throw invalidParams(`maxFeePerGas (${maxFeePerGas}) < maxPriorityFeePerGas (${maxPriorityFeePerGas})`)
  }
  return {
    from: optional('from', parseAddress) ?? NOBODY,
    to: optional('to', parseAddress),
    gas: optional('gas', parseQuantity),
    gasPrice,
    maxFeePerGas,
    maxPriorityFeePerGas,
    value: optional('value', parseQuantity) ?? 0n,
    nonce: optional('nonce', parseQuantity),
    data: parseInput(optional('input', parseData), optional('data', parseData)),
    accessList: optional('accessList', parseAccessList),
    authorizationList: optional('authorizationList', parseAuthorizations),
  }
}

function parseInput(input: Hex | undefined, data: Hex | undefined): Hex {
  if (input !== undefined && data !== undefined && input !== data) {
    throw invalidParams(
      'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
    )
  }
  return input ?? data ?? '0x'
}

function parseAccessList(value: unknown): AccessListItem[] {
  return parseList(value, 'accessList').map((item) => ({
    address: parseAddress(item.address, 'accessList.address'),
    storageKeys: Array.isArray(item.storageKeys)
      ? item.storageKeys.slice(0, MAX_LIST_ITEMS).map((key) => parseHash(key, 'accessList.storageKeys'))
      : [],
  }))
}

function parseAuthorizations(value: unknown): Authorization[] {
  return parseList(value, 'authorizationList').map((item) => {
    const quantityOf = (name: string): Hex => `0x${parseQuantity(item[name], `authorizationList.${name}`).toString(16)}`
    return {
      chainId: quantityOf('chainId'),
      address: parseAddress(item.address, 'authorizationList.address'),
      nonce: quantityOf('nonce'),
      yParity: quantityOf('yParity'),
      r: quantityOf('r'),
      s: quantityOf('s'),
    }
  })
}

function parseList(value: unknown, name: string): Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value) || value.length > MAX_LIST_ITEMS || !value.every(isObject)) {
    throw invalidParams(`invalid argument ${name}: a list of at most ${MAX_LIST_ITEMS} objects expected`)
  }
  return value
}
