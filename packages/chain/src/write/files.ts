import { fileProxyAbi } from '@memo/contracts'
import { hexFromBytes } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import type { FileListing } from '../messages/files.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'
import { signPermit } from './permit.ts'

type Signed = WriteOptions & { readonly signature: Uint8Array }
type SignedFile = Signed & { readonly mfile: string }
type OfReader = { readonly mfile: string /** DID or id of who reads. */; readonly reader: string }

/** Relays the registration of a file with name and size, signed in the EIP-712 form. `spec/file-did.md` 5 */
export async function registerFile(
  client: ChainClient,
  { listing, signature, ...common }: Signed & { readonly listing: FileListing },
): Promise<WriteResult> {
  const { priceAtto, ...rest } = listing
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'registerFile',
    args: [{ ...rest, price: priceAtto }, hexFromBytes(signature)],
  })
}

/** Relays a registration in the original's form, which carries neither name nor size. `spec/file-did.md` 7 */
export async function registerMfileDid(
  client: ChainClient,
  { listing, signature, ...common }: Signed & { readonly listing: Omit<FileListing, 'name' | 'sizeBytes' | 'keyRoot'> },
): Promise<WriteResult> {
  const { mfile, encode, ftype, controller, priceAtto, keywords } = listing
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'registerMfileDid',
    args: [mfile, encode, ftype, controller, priceAtto, keywords, hexFromBytes(signature)],
  })
}

/** Relays a change of who controls a file; signed by who controls it now. */
export async function changeFileController(
  client: ChainClient,
  { mfile, controller, signature, ...common }: SignedFile & { readonly controller: string },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'changeController',
    args: [mfile, idFromDid(controller), hexFromBytes(signature)],
  })
}

/** Relays a change between private (0) and public (1). */
export async function changeFileType(
  client: ChainClient,
  { mfile, ftype, signature, ...common }: SignedFile & { readonly ftype: 0 | 1 },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'changeFtype',
    args: [mfile, ftype, hexFromBytes(signature)],
  })
}

/** Relays a change of price, in attomemo. */
export async function changeFilePrice(
  client: ChainClient,
  { mfile, priceAtto, signature, ...common }: SignedFile & { readonly priceAtto: bigint },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'changePrice',
    args: [mfile, priceAtto, hexFromBytes(signature)],
  })
}

/** Relays the replacement of all keywords. */
export async function changeFileKeywords(
  client: ChainClient,
  { mfile, keywords, signature, ...common }: SignedFile & { readonly keywords: readonly string[] },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'changeKeywords',
    args: [mfile, keywords, hexFromBytes(signature)],
  })
}

/** Relays the grant of a read right. */
export async function grantFileRead(
  client: ChainClient,
  { mfile, reader, signature, ...common }: Signed & OfReader,
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'grantRead',
    args: [mfile, idFromDid(reader), hexFromBytes(signature)],
  })
}

/** Relays taking back a read right that was granted; what was bought stays. */
export async function revokeFileRead(
  client: ChainClient,
  { mfile, reader, signature, ...common }: Signed & OfReader,
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'deactivateRead',
    args: [mfile, idFromDid(reader), hexFromBytes(signature)],
  })
}

/** Relays the deactivation of a file, which is final. */
export async function deactivateFile(
  client: ChainClient,
  { mfile, signature, ...common }: SignedFile,
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'deactivateMfileDid',
    args: [mfile, true, hexFromBytes(signature)],
  })
}

/** Buys the right to read for a DID with MEMO of the client's account, with a permit over the limit. `spec/file-did.md` 8 */
export async function buyFileRead(
  client: ChainClient,
  { mfile, reader, maxAtto, ...common }: WriteOptions & OfReader & { readonly maxAtto: bigint },
): Promise<WriteResult> {
  const { addresses } = common
  const permit = await signPermit(client, { addresses, spender: addresses.fileProxy, amountAtto: maxAtto })
  const { deadline, v, r, s } = permit
  return callWrite(client, {
    ...proxyOf(common),
    functionName: 'buyReadWithPermit',
    args: [mfile, idFromDid(reader), maxAtto, deadline, v, r, s],
  })
}

/** Gives the money of a sealed sale to the seller; the releaser alone. `spec/file-did.md` 8 */
export async function releaseFileSale(
  client: ChainClient,
  { mfile, reader, ...common }: WriteOptions & OfReader,
): Promise<WriteResult> {
  return callWrite(client, { ...proxyOf(common), functionName: 'release', args: [mfile, idFromDid(reader)] })
}

/** Gives the money of a sealed sale back whose key did not come in time. `spec/file-did.md` 8 */
export async function refundFileSale(
  client: ChainClient,
  { mfile, reader, ...common }: WriteOptions & OfReader,
): Promise<WriteResult> {
  return callWrite(client, { ...proxyOf(common), functionName: 'refund', args: [mfile, idFromDid(reader)] })
}

/** Pays the client's account what sales brought it, or what came back. */
export async function withdrawFileSales(client: ChainClient, common: WriteOptions): Promise<WriteResult> {
  return callWrite(client, { ...proxyOf(common), functionName: 'withdraw', args: [] })
}

function proxyOf({ addresses, signal }: WriteOptions): {
  address: Addresses['fileProxy']
  abi: typeof fileProxyAbi
  signal: AbortSignal | undefined
} {
  return { address: addresses.fileProxy, abi: fileProxyAbi, signal }
}
