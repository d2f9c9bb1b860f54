/**
 * Makes spec/vectors/did.json with viem alone, apart from the code that the vectors test. All keys are test keys that
 * were published long ago.
 */
import {
  bytesToHex,
  concatHex,
  type Hex,
  hashMessage,
  hashTypedData,
  hexToBytes,
  keccak256,
  numberToHex,
  stringToHex,
} from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'

export const masterSecret = '0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4'
const otherSecret = '0x9b4fc2a14cbc63a0d338377413ca72949cbb2fd5be1b08844b4b5e332597d91e'
const master = privateKeyToAccount(masterSecret)
const keyOnePublicKey = '0x02d78b20654eb7a5d58d83b25d090a338eff18f0b5f919777c9d894c2e161b4b52'
const keyOneAddress = '0x7C0491aE63e3816F96B777340b1571feA7bB21dE'

const secp256k1 = 'EcdsaSecp256k1VerificationKey2019'
const idNonce = 456
const did = idOf(master.address, idNonce)
const url = `did:memo:${did}#key-1`
const domain = {
  name: 'MEMO',
  version: '1',
  chainId: 985,
  verifyingContract: '0x00000000000000000000000000000000000d1d00',
} as const

/** One operation with all fields, so that every reader finds each; what an operation has not is empty. */
export type DidVector = {
  readonly operation: string
  readonly structType: string
  readonly methodType: string
  readonly publicKey: string
  readonly url: string
  readonly index: number
  readonly expiration: number
  readonly nonce: number
  readonly message: Hex
  readonly digest: Hex
  readonly signature: Hex
  readonly typedDigest: Hex
  readonly typedSignature: Hex
}

type Field = { readonly name: string; readonly type: string }
type Draft = Partial<Pick<DidVector, 'methodType' | 'publicKey' | 'url' | 'index' | 'expiration'>> & {
  readonly operation: string
  readonly struct: string
  readonly fields: readonly Field[]
  message(nonce: number): Hex
}

const text = (value: string): Hex => stringToHex(value)
const u64 = (value: number): Hex => numberToHex(value, { size: 8 })
const u256 = (value: number): Hex => numberToHex(value, { size: 32 })
const field = (type: string, name: string): Field => ({ type, name })
const didField = field('string', 'did')
const nonceField = field('uint64', 'nonce')
const keyFields = [field('string', 'methodType'), field('bytes', 'publicKey')]

function relation(operation: string): Draft {
  return {
    operation,
    struct: operation.charAt(0).toUpperCase() + operation.slice(1),
    fields: [didField, field('string', 'id'), nonceField],
    url,
    message: (nonce) => concatHex([text(operation), text(did), text(url), u64(nonce)]),
  }
}

const otherPublicKey = compressed(otherSecret)
const expiration = 1_800_000_000

/** A whole life of one DID; the place in the list is the nonce. */
const drafts: readonly Draft[] = [
  {
    operation: 'createDID',
    struct: 'CreateDID',
    fields: [didField, ...keyFields, nonceField],
    methodType: secp256k1,
    publicKey: compressed(masterSecret),
    message: (nonce) =>
      concatHex([text('createDID'), text(did), text(secp256k1), compressed(masterSecret), u64(nonce)]),
  },
  {
    operation: 'addVerification',
    struct: 'AddVerification',
    fields: [
      didField,
      field('string', 'methodType'),
      field('string', 'controller'),
      field('bytes', 'publicKey'),
      nonceField,
    ],
    methodType: secp256k1,
    publicKey: keyOnePublicKey,
    message: (nonce) => concatHex([text('addVerification'), text(secp256k1), text(did), keyOnePublicKey, u64(nonce)]),
  },
  relation('addAuthentication'),
  relation('addAssertion'),
  {
    ...relation('addDelegation'),
    fields: [didField, field('string', 'id'), field('uint256', 'expiration'), nonceField],
    expiration,
    message: (nonce) => concatHex([text('addDelegation'), text(did), text(url), u256(expiration), u64(nonce)]),
  },
  relation('addRecovery'),
  {
    operation: 'updateVerificationMethod',
    struct: 'UpdateVerification',
    fields: [didField, field('uint256', 'index'), ...keyFields, nonceField],
    index: 1,
    methodType: secp256k1,
    publicKey: otherPublicKey,
    message: (nonce) =>
      concatHex([text('updateVerificationMethod'), text(did), u64(1), text(secp256k1), otherPublicKey, u64(nonce)]),
  },
  relation('removeAuthentication'),
  relation('removeAssertion'),
  relation('removeDelegation'),
  relation('removeRecovery'),
  {
    operation: 'deactivateVerification',
    struct: 'DeactivateVerification',
    fields: [didField, field('uint256', 'index'), nonceField],
    index: 1,
    message: (nonce) => concatHex([text('deactivateVerification'), text(did), u256(1), '0x01', u64(nonce)]),
  },
  {
    operation: 'deactivateDID',
    struct: 'DeactivateDID',
    fields: [didField, nonceField],
    message: (nonce) => concatHex([text('deactivateDID'), text(did), '0x01', u64(nonce)]),
  },
]

/** The whole file. */
export async function makeDidVectors(): Promise<object> {
  const operations = await Promise.all(drafts.map(complete))
  return {
    description: 'Memo DID: ids, keys and the signatures of a whole life of one DID, legacy and EIP-712 (spec/did.md)',
    masterSecretTestKey: masterSecret,
    masterPublicKey: compressed(masterSecret),
    masterAddress: master.address,
    keyOnePublicKey,
    keyOneAddress,
    otherPublicKey,
    otherAddress: privateKeyToAccount(otherSecret).address,
    idNonce,
    did,
    domain,
    operationCount: operations.length,
    operations,
  }
}

async function complete(draft: Draft, nonce: number): Promise<DidVector> {
  const { operation, struct, fields, methodType = '', publicKey = '', index = 0, expiration = 0 } = draft
  const message = draft.message(nonce)
  const values = { did, methodType, controller: did, publicKey, id: url, index, expiration, nonce }
  const digest = hashMessage({ raw: message })
  const typedDigest = hashTypedData({
    domain,
    types: { [struct]: [...fields] },
    primaryType: struct,
    message: Object.fromEntries(fields.map(({ name }) => [name, values[name as keyof typeof values]])),
  })
  const typedSignature = await sign({ hash: typedDigest, privateKey: masterSecret, to: 'hex' })
  return {
    operation,
    structType: `${struct}(${fields.map(({ type, name }) => `${type} ${name}`).join(',')})`,
    methodType,
    publicKey,
    url: draft.url ?? '',
    index,
    expiration,
    nonce,
    message,
    digest,
    signature: await legacySignature(digest),
    typedDigest,
    typedSignature,
  }
}

/** r‖s‖v with v 0 or 1, as the original writes it. */
async function legacySignature(hash: Hex): Promise<Hex> {
  const { r, s, yParity } = await sign({ hash, privateKey: masterSecret })
  return concatHex([r, s, numberToHex(yParity ?? 0, { size: 1 })])
}

/** keccak(address ‖ uvarint(nonce)), as the original derives ids. */
function idOf(address: Hex, nonce: number): string {
  const bytes = [...hexToBytes(address)]
  let rest = nonce
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  bytes.push(rest)
  return keccak256(Uint8Array.from(bytes)).slice(2)
}

function compressed(secret: Hex): Hex {
  const point = hexToBytes(privateKeyToAccount(secret).publicKey)
  return bytesToHex(Uint8Array.from([2 + ((point[64] ?? 0) & 1), ...point.slice(1, 33)]))
}
