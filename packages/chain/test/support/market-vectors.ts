/** Makes spec/vectors/space-market.json with viem alone. All keys are test keys that were published long ago. */
import { concatHex, type Hex, hashTypedData, keccak256, numberToHex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'

const buyerSecret = '0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4'
const buyer = privateKeyToAccount(buyerSecret).address
const payAddress = '0x1111111111111111111111111111111111111111'
const seller = '0xdFF2A42524df7574361A90aac9141DE3f4D8eA02'
const sizeByte = 1_048_576
const domain = { name: 'MEMO', version: '1', chainId: 985, verifyingContract: payAddress } as const

/** The whole file. */
export async function makeMarketVectors(): Promise<object> {
  const hash = keccak256(
    concatHex([payAddress, numberToHex(0, { size: 32 }), numberToHex(sizeByte, { size: 8 }), seller]),
  )
  const { r, s, yParity } = await sign({ hash, privateKey: buyerSecret })
  return {
    description:
      'Space and traffic: vouchers in the original and the EIP-712 form, signed purchases (spec/space-market.md)',
    buyerSecretTestKey: buyerSecret,
    buyer,
    chainId: domain.chainId,
    original: {
      payAddress,
      seller,
      nonce: 0,
      sizeByte,
      hash,
      signature: concatHex([r, s, numberToHex(yParity ?? 0, { size: 1 })]),
    },
    messages: [
      await typed('QuotaVoucher', voucherFields, { buyer, seller, nonce: 0, sizeByte }),
      await typed('Purchase', purchaseFields, {
        payer: buyer,
        buyer,
        sizeByte: 4_096,
        maxAtto: '5000000',
        nonce: 2,
        deadline: 1_700_000_600,
      }),
    ],
  }
}

const voucherFields = ['address buyer', 'address seller', 'uint256 nonce', 'uint64 sizeByte']
const purchaseFields = [
  'address payer',
  'address buyer',
  'uint64 sizeByte',
  'uint256 maxAtto',
  'uint256 nonce',
  'uint64 deadline',
]

async function typed(
  name: string,
  fields: readonly string[],
  message: Readonly<Record<string, string | number>>,
): Promise<object> {
  const types = {
    [name]: fields.map((field) => ({ type: field.split(' ')[0] ?? '', name: field.split(' ')[1] ?? '' })),
  }
  const digest: Hex = hashTypedData({ domain, types, primaryType: name, message })
  return {
    name,
    structType: `${name}(${fields.join(',')})`,
    message,
    digest,
    signature: await sign({ hash: digest, privateKey: buyerSecret, to: 'hex' }),
  }
}
