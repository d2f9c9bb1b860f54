/**
 * Makes spec/vectors/orders.json with viem alone, apart from the code that the vectors test. All keys are test keys that
 * were published long ago.
 */
import { type Hex, hashTypedData } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'

const userSecret = '0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4'
const providerSecret = '0x9b4fc2a14cbc63a0d338377413ca72949cbb2fd5be1b08844b4b5e332597d91e'
const user = privateKeyToAccount(userSecret).address
const provider = privateKeyToAccount(providerSecret).address

const domain = { name: 'MEMO', version: '1', chainId: 985 } as const
const ordersContract = '0x00000000000000000000000000000000000ade50'
const readsContract = '0x000000000000000000000000000000000004ead0'

type Field = readonly [type: string, name: string]
type Draft = {
  readonly name: string
  readonly verifyingContract: Hex
  readonly fields: readonly Field[]
  readonly message: Readonly<Record<string, string | number>>
  readonly signers: readonly Hex[]
}

const drafts: readonly Draft[] = [
  {
    name: 'Order',
    verifyingContract: ordersContract,
    fields: [
      ['address', 'user'],
      ['address', 'provider'],
      ['uint64', 'nonce'],
      ['uint64', 'sizeBytes'],
      ['uint256', 'priceAttoPerGiBSecond'],
      ['uint64', 'start'],
      ['uint64', 'end'],
      ['uint64', 'submitBy'],
    ],
    message: {
      user,
      provider,
      nonce: 7,
      sizeBytes: 1_073_741_825,
      priceAttoPerGiBSecond: '1000000000000',
      start: 101,
      end: 1_111,
      submitBy: 1_700_000_060,
    },
    signers: [userSecret, providerSecret],
  },
  {
    name: 'Amendment',
    verifyingContract: ordersContract,
    fields: [
      ['uint64', 'orderId'],
      ['uint64', 'seq'],
      ['uint64', 'sizeBytes'],
      ['uint256', 'priceAttoPerGiBSecond'],
      ['uint64', 'end'],
      ['uint64', 'submitBy'],
    ],
    message: {
      orderId: 1,
      seq: 1,
      sizeBytes: 2_147_483_648,
      priceAttoPerGiBSecond: '1000000000001',
      end: 2_000,
      submitBy: 1_700_000_120,
    },
    signers: [userSecret, providerSecret],
  },
  {
    name: 'SetCommitment',
    verifyingContract: ordersContract,
    fields: [
      ['uint64', 'orderId'],
      ['uint64', 'seq'],
      ['bytes32', 'setRoot'],
      ['uint64', 'usedBytes'],
      ['uint64', 'fromEpoch'],
    ],
    message: { orderId: 1, seq: 3, setRoot: `0x${'5e'.repeat(32)}`, usedBytes: 65_536, fromEpoch: 102 },
    signers: [userSecret, providerSecret],
  },
  {
    name: 'ReadVoucher',
    verifyingContract: readsContract,
    fields: [
      ['uint64', 'orderId'],
      ['address', 'payer'],
      ['uint64', 'seq'],
      ['uint64', 'bytesRead'],
    ],
    message: { orderId: 1, payer: user, seq: 0, bytesRead: 1_048_576 },
    signers: [userSecret],
  },
]

const GIB = 2n ** 30n
/** size, price in attomemo per GiB-second, seconds of an epoch. */
const priceCases: readonly (readonly [bigint, bigint, bigint])[] = [
  [GIB, 1_000n, 60n],
  [1n, 1n, 1n],
  [GIB - 1n, 1n, 1n],
  [12_345_678_901n, 987_654_321n, 86_400n],
  [2n ** 63n, 3n, 7n],
  [0n, 5n, 60n],
]

/** The whole file. */
export async function makeOrderVectors(): Promise<object> {
  return {
    description: 'Orders: signed messages with digests and signatures, and prices of an epoch (spec/orders.md 5 and 6)',
    userSecretTestKey: userSecret,
    providerSecretTestKey: providerSecret,
    user,
    provider,
    chainId: domain.chainId,
    ordersContract,
    readsContract,
    messages: await Promise.all(drafts.map(complete)),
    prices: priceCases.map(([sizeBytes, price, epochSeconds]) => {
      const product = sizeBytes * price * epochSeconds
      const totalUnits = GIB * 100n
      return {
        sizeBytes: String(sizeBytes),
        priceAttoPerGiBSecond: String(price),
        epochSeconds: String(epochSeconds),
        incomeAtto: String(product / GIB),
        totalAtto: String((product * 105n + totalUnits - 1n) / totalUnits),
      }
    }),
  }
}

async function complete({ name, verifyingContract, fields, message, signers }: Draft): Promise<object> {
  const digest = hashTypedData({
    domain: { ...domain, verifyingContract },
    types: { [name]: fields.map(([type, field]) => ({ type, name: field })) },
    primaryType: name,
    message,
  })
  return {
    name,
    structType: `${name}(${fields.map((field) => field.join(' ')).join(',')})`,
    verifyingContract,
    message,
    digest,
    signatures: await Promise.all(signers.map((privateKey) => sign({ hash: digest, privateKey, to: 'hex' }))),
  }
}
