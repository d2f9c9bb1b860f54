import { fileDidAbi, fileProxyAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import type { FileListing } from '../messages/files.ts'
import { callView } from './call.ts'

type Common = { readonly addresses: Addresses }

/** A file as the chain has it. */
export type FileInfo = FileListing & { readonly deactivated: boolean }

/** The file with this bare hash, or undefined where none is registered. `spec/file-did.md` 2 */
export async function findFile(
  client: ChainClient,
  { addresses, mfile }: Common & { readonly mfile: string },
): Promise<FileInfo | undefined> {
  const [{ price, ...listing }, deactivated] = await callView(client, {
    address: addresses.fileDid,
    abi: fileDidAbi,
    functionName: 'data',
    args: [mfile],
  })
  if (listing.controller === '') return undefined
  return { ...listing, priceAtto: price, deactivated } as FileInfo
}

/** How a DID may read a file by purchase or grant; controllers and public files need neither. */
export type ReadRight = 'none' | 'bought' | 'granted'

/** The read right of a DID. `spec/file-did.md` 4 */
export async function getReadRight(
  client: ChainClient,
  { addresses, mfile, reader }: Common & { readonly mfile: string; readonly reader: string },
): Promise<ReadRight> {
  const right = await callView(client, {
    address: addresses.fileDid,
    abi: fileDidAbi,
    functionName: 'read',
    args: [mfile, idFromDid(reader)],
  })
  return right === 1 ? 'bought' : right === 2 ? 'granted' : 'none'
}

/** The number that a controller signs next about files. `spec/file-did.md` 6 */
export async function getFileNonce(
  client: ChainClient,
  { addresses, controller }: Common & { readonly controller: string },
): Promise<bigint> {
  return callView(client, {
    address: addresses.fileProxy,
    abi: fileProxyAbi,
    functionName: 'getFileDidNonce',
    args: [idFromDid(controller)],
  })
}

/** What an account can withdraw from sales. */
export async function getFileWithdrawable(
  client: ChainClient,
  { addresses, account }: Common & { readonly account: Address },
): Promise<bigint> {
  return callView(client, {
    address: addresses.fileProxy,
    abi: fileProxyAbi,
    functionName: 'withdrawableOf',
    args: [account],
  })
}
