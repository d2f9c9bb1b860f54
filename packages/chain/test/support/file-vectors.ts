/** Makes spec/vectors/file-did.json with viem alone. The key is a test key that was published long ago. */
import { concatHex, type Hex, hashMessage, hashTypedData, numberToHex, stringToHex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'

const secret = '0x9db5e51e62c438bc32e0137bab95d73892d057faeea15d9868eb71c983945a80'
const verifyingContract = '0x00000000000000000000000000000000000f11e0'
const domain = { name: 'MEMO', version: '1', chainId: 985, verifyingContract } as const
const mfile = 'bafkreibkkylda7ub52hkpl4ulbysvazjm2mcs2zjbjvfvy4hdaa2qnk4ne'
const controller = 'f3053946d7fcb75e380f8e4151ded1456abe67dd7607101fdd9cc19c0d1b3f20'
const reader = 'aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
const keywords = ['picture', 'animal', 'dog', 'white', 'big']
const file = { mfile, encode: 'mid', ftype: 0, controller, price: 3, keywords }
const nonce = 3

type Draft = {
  readonly name: string
  readonly fields: readonly string[]
  readonly message: Readonly<Record<string, string | number | readonly string[]>>
}

const common = ['string mfile', 'string controller']

const drafts: readonly Draft[] = [
  {
    name: 'RegisterFile',
    fields: [
      'string mfile',
      'string encode',
      'uint8 ftype',
      'string controller',
      'uint256 price',
      'string[] keywords',
      'string name',
      'uint64 sizeBytes',
      'bytes32 keyRoot',
    ],
    message: { ...file, name: 'dog.jpg', sizeBytes: 2_048, keyRoot: numberToHex(7, { size: 32 }) },
  },
  { name: 'ChangeFileController', fields: [...common, 'string newController'], message: { newController: reader } },
  { name: 'ChangeFileType', fields: [...common, 'uint8 ftype'], message: { ftype: 1 } },
  { name: 'ChangeFilePrice', fields: [...common, 'uint256 price'], message: { price: 9 } },
  { name: 'ChangeFileKeywords', fields: [...common, 'string[] keywords'], message: { keywords } },
  { name: 'GrantFileRead', fields: [...common, 'string reader'], message: { reader } },
  { name: 'RevokeFileRead', fields: [...common, 'string reader'], message: { reader } },
  { name: 'DeactivateFile', fields: common, message: {} },
]

/** The whole file. */
export async function makeFileVectors(): Promise<object> {
  const message = concatHex([
    stringToHex('registerMfileDid'),
    stringToHex(mfile),
    stringToHex(file.encode),
    numberToHex(file.ftype, { size: 1 }),
    stringToHex(controller),
    numberToHex(file.price, { size: 32 }),
    numberToHex(nonce, { size: 8 }),
    stringToHex(keywords.join('')),
  ])
  const digest = hashMessage({ raw: message })
  const { r, s, yParity } = await sign({ hash: digest, privateKey: secret })
  return {
    description:
      'Mfile DID: the published registration in the original form, and every operation in EIP-712 (spec/file-did.md)',
    secretTestKey: secret,
    signer: privateKeyToAccount(secret).address,
    chainId: domain.chainId,
    verifyingContract,
    original: {
      ...file,
      nonce,
      message,
      digest,
      signature: concatHex([r, s, numberToHex(yParity ?? 0, { size: 1 })]),
    },
    messages: await Promise.all(drafts.map(complete)),
  }
}

async function complete({ name, fields, message }: Draft, place: number): Promise<object> {
  const all = [...fields, 'uint64 nonce']
  const values = { mfile, controller, ...message, nonce: nonce + place }
  const types = { [name]: all.map((field) => ({ type: field.split(' ')[0] ?? '', name: field.split(' ')[1] ?? '' })) }
  const digest: Hex = hashTypedData({ domain, types, primaryType: name, message: values })
  return {
    name,
    structType: `${name}(${all.join(',')})`,
    message: values,
    digest,
    signature: await sign({ hash: digest, privateKey: secret, to: 'hex' }),
  }
}
