import { concatBytes, findBytesFromHex, type Hex, uint64be, utf8 } from '../bytes/index.ts'
import { assert } from '../errors/index.ts'
import { keccak256 } from './keys.ts'

/** The EIP-712 domain of one MEMO network: chain and registry (`spec/wire.md` 2). */
export type Network = {
  readonly chainId: number
  /** Address of the network's registry contract. */
  readonly registry: Hex
}

/** Field types that our messages use. */
type FieldType = 'string' | 'bytes32' | 'address' | 'uint64' | 'uint256' | 'bytes'

/** An EIP-712 struct without nesting: its name and its fields in order. */
export type TypedStruct = {
  readonly name: string
  readonly fields: readonly (readonly [name: string, type: FieldType])[]
}

export type TypedValue = string | number | bigint | Uint8Array

const DOMAIN: TypedStruct = {
  name: 'EIP712Domain',
  fields: [
    ['name', 'string'],
    ['version', 'string'],
    ['chainId', 'uint256'],
    ['verifyingContract', 'address'],
  ],
}

/** Digest to sign for `values` of `struct` in the domain `MEMO` version `1` of `network` (EIP-712). */
export function typedDigest(
  network: Network,
  struct: TypedStruct,
  values: Readonly<Record<string, TypedValue>>,
): Uint8Array {
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), domainOf(network), hashStruct(struct, values)))
}

/** Hashes of what is the same in every message: of each network its domain, of each struct its type. */
const domains = new WeakMap<Network, Uint8Array>()
const types = new WeakMap<TypedStruct, Uint8Array>()

function domainOf(network: Network): Uint8Array {
  const known = domains.get(network)
  if (known) return known
  const { chainId, registry } = network
  const domain = hashStruct(DOMAIN, { name: 'MEMO', version: '1', chainId, verifyingContract: registry })
  domains.set(network, domain)
  return domain
}

function typeHashOf(struct: TypedStruct): Uint8Array {
  const known = types.get(struct)
  if (known) return known
  const hash = keccak256(utf8(typeString(struct)))
  types.set(struct, hash)
  return hash
}

/** The EIP-712 type string, for instance `Receipt(uint64 orderId,bytes32 root)`. */
export function typeString(struct: TypedStruct): string {
  return `${struct.name}(${struct.fields.map(([name, type]) => `${type} ${name}`).join(',')})`
}

function hashStruct(struct: TypedStruct, values: Readonly<Record<string, TypedValue>>): Uint8Array {
  const words = [typeHashOf(struct)]
  for (const [name, type] of struct.fields) {
    const value = values[name]
    assert(value !== undefined, `typed data ${struct.name} lacks ${name}`)
    words.push(encodeField(type, value))
  }
  return keccak256(concatBytes(...words))
}

function encodeField(type: FieldType, value: TypedValue): Uint8Array {
  if (type === 'string') return keccak256(utf8(String(value)))
  if (type === 'bytes') return keccak256(bytesOf(value))
  if (type === 'bytes32') return leftPad(bytesOf(value), 32)
  if (type === 'address') return leftPad(bytesOf(value), 20)
  return numberWord(BigInt(value as number | bigint), type === 'uint64' ? 64n : 256n)
}

function bytesOf(value: TypedValue): Uint8Array {
  const bytes = value instanceof Uint8Array ? value : findBytesFromHex(value)
  assert(bytes, 'typed data: not bytes')
  return bytes
}

function leftPad(bytes: Uint8Array, exactly: number): Uint8Array {
  assert(bytes.length === exactly, `typed data: ${bytes.length} bytes where ${exactly} belong`)
  const word = new Uint8Array(32)
  word.set(bytes, 32 - exactly)
  return word
}

function numberWord(value: bigint, bits: bigint): Uint8Array {
  assert(value >= 0n && value >> bits === 0n, `typed data: ${value} is no uint${bits}`)
  const mask = (1n << 64n) - 1n
  return concatBytes(
    uint64be((value >> 192n) & mask),
    uint64be((value >> 128n) & mask),
    uint64be((value >> 64n) & mask),
    uint64be(value & mask),
  )
}
