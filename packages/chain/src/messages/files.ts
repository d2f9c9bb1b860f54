import type { Verifier } from '@memo/core'
import { hashTypedData, toBytes } from 'viem'

/** What is registered of a file. `spec/file-did.md` 2 */
export type FileListing = {
  /** The bare hash. */
  readonly mfile: string
  readonly encode: 'mid' | 'cid' | 'md5'
  /** 0 private, 1 public. */
  readonly ftype: 0 | 1
  /** Id of the controlling Memo DID. */
  readonly controller: string
  readonly priceAtto: bigint
  readonly keywords: readonly string[]
  readonly name: string
  readonly sizeBytes: bigint
  /** Root of the sealed shares of the key; zeros where it is not sold sealed. */
  readonly keyRoot: `0x${string}`
}

/** An operation on a file in its EIP-712 form; `controller` is the id of the one whose nonce it uses. */
export type FileOperation =
  | { readonly type: 'RegisterFile'; readonly listing: FileListing }
  | (OnFile & { readonly type: 'ChangeFileController'; readonly newController: string })
  | (OnFile & { readonly type: 'ChangeFileType'; readonly ftype: 0 | 1 })
  | (OnFile & { readonly type: 'ChangeFilePrice'; readonly price: bigint })
  | (OnFile & { readonly type: 'ChangeFileKeywords'; readonly keywords: readonly string[] })
  | (OnFile & { readonly type: 'GrantFileRead' | 'RevokeFileRead'; readonly reader: string })
  | (OnFile & { readonly type: 'DeactivateFile' })

type OnFile = { readonly mfile: string; readonly controller: string }

const common = ['string mfile', 'string controller']
const fieldsOf: Readonly<Record<FileOperation['type'], readonly string[]>> = {
  RegisterFile: [
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
  ChangeFileController: [...common, 'string newController'],
  ChangeFileType: [...common, 'uint8 ftype'],
  ChangeFilePrice: [...common, 'uint256 price'],
  ChangeFileKeywords: [...common, 'string[] keywords'],
  GrantFileRead: [...common, 'string reader'],
  RevokeFileRead: [...common, 'string reader'],
  DeactivateFile: common,
}

/** Digest that the controller's master key signs; the verifier is the proxy of files. `spec/file-did.md` 6 */
export function fileOperationDigest(
  { chainId, verifyingContract }: Verifier,
  operation: FileOperation,
  nonce: bigint,
): Uint8Array {
  const { type } = operation
  const fields = [...fieldsOf[type], 'uint64 nonce'].map((field) => {
    const [fieldType = '', name = ''] = field.split(' ')
    return { type: fieldType, name }
  })
  const values =
    operation.type === 'RegisterFile' ? { ...operation.listing, price: operation.listing.priceAtto } : operation
  return toBytes(
    hashTypedData({
      domain: { name: 'MEMO', version: '1', chainId, verifyingContract: verifyingContract as `0x${string}` },
      types: { [type]: fields },
      primaryType: type,
      message: { ...values, nonce },
    }),
  )
}
