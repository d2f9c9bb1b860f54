import { findBytesFromHex } from '@memo/core'
import { concatHex, type Hex, stringToHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { createDid, type MemoChain } from '../../src/index.ts'

const methodType = 'EcdsaSecp256k1RecoveryMethod2020'
const bytes = (hex: string): Uint8Array => findBytesFromHex(hex) ?? new Uint8Array()

/** Creates a DID whose master key is the address of a test key; answers its id. */
export async function createTestDid({ client, addresses }: MemoChain, secret: Hex, id: string): Promise<string> {
  const account = privateKeyToAccount(secret)
  const raw = concatHex([stringToHex(`createDID${id}${methodType}`), account.address, `0x${'00'.repeat(8)}`])
  const signature = bytes(await account.signMessage({ message: { raw } }))
  await createDid(client, { addresses, did: id, methodType, publicKey: bytes(account.address), signature })
  return id
}
