import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { findBytesFromHex, hexFromBytes } from '@memo/core'
import type { Hex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import {
  buyFileRead,
  changeFileController,
  changeFileKeywords,
  changeFilePrice,
  changeFileType,
  checkpointDigest,
  deactivateFile,
  type FileListing,
  type FileOperation,
  fileOperationDigest,
  findFile,
  getFileNonce,
  getFileWithdrawable,
  getReadRight,
  grantFileRead,
  listCheckpoints,
  type MemoChain,
  refundFileSale,
  registerFile,
  registerMfileDid,
  registerUser,
  relayCheckpoint,
  releaseFileSale,
  revokeFileRead,
  withdrawFileSales,
  writeCheckpoint,
} from '../src/index.ts'
import { createTestDid } from './support/dids.ts'
import { makeFileVectors } from './support/file-vectors.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'
import { refusedFor } from './support/refused.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/file-did.json', import.meta.url), 'utf8'))
const bytes = (hex: string): Uint8Array => findBytesFromHex(hex) ?? new Uint8Array()
const ownerSecret: Hex = `0x${'61'.padStart(64, '0')}`
const readerSecret: Hex = `0x${'62'.padStart(64, '0')}`
const controller = 'cd'.repeat(32)
const reader = 'ef'.repeat(32)
const mfile = 'bafkreih6n5g5w4y6u7uvc4mh7jhjm7gidmkrbbpi7phyiyg54gplvngcpm'

test('the vector file is what viem alone computes, and holds the published registration', async () => {
  assert.deepEqual(vectors, JSON.parse(JSON.stringify(await makeFileVectors())))
  assert.equal(vectors.original.digest, '0x867a02a41ee9cadc3ebe45a92812de92a7747e101bcbd151181d5be544c80b0e')
  assert.equal(bytes(vectors.original.message).length, 207)
})

test('our digests are those of the vectors', () => {
  const verifier = { chainId: vectors.chainId, verifyingContract: vectors.verifyingContract }
  for (const { name, message, digest } of vectors.messages) {
    const listing = { ...message, priceAtto: BigInt(message.price ?? 0) }
    const operation = { type: name, listing, ...message } as FileOperation
    assert.equal(hexFromBytes(fileOperationDigest(verifier, operation, BigInt(message.nonce))), digest, name)
  }
})

describe('a file on the chain', () => {
  let network: TestNetwork
  let relayer: MemoChain
  let buyer: MemoChain
  const listing: FileListing = {
    mfile,
    encode: 'mid',
    ftype: 0,
    controller,
    priceAtto: 500n,
    keywords: ['ab', 'c'],
    name: '文件.txt',
    sizeBytes: 5n,
    keyRoot: `0x${'00'.repeat(32)}`,
  }

  before(async () => {
    network = await startNetwork()
    relayer = network.owner
    buyer = await network.join(0x62)
    await createTestDid(relayer, ownerSecret, controller)
    await createTestDid(relayer, readerSecret, reader)
  })
  after(() => network.devnet.close())

  test('is registered by its controller through anyone, with name and size', async () => {
    const { client, addresses } = relayer
    assert.equal(await findFile(client, { addresses, mfile }), undefined)
    const signature = await signed({ type: 'RegisterFile', listing })
    const cut = { ...listing, keywords: ['a', 'bc'] }
    await assert.rejects(registerFile(client, { addresses, listing: cut, signature }), refusedFor('WrongSignature'))
    await assert.rejects(
      registerMfileDid(client, { addresses, listing, signature }),
      refusedFor('KeywordsNeedTypedData'),
    )
    const sealed = { ...listing, keyRoot: `0x${'01'.repeat(32)}` } as const
    await assert.rejects(
      registerFile(client, { addresses, listing: sealed, signature }),
      refusedFor('SealedSalesUnavailable'),
    )
    await registerFile(client, { addresses, listing, signature })
    assert.deepEqual(await findFile(client, { addresses, mfile }), { ...listing, deactivated: false })
  })

  test('is changed, granted and revoked by its controller', async () => {
    const { client, addresses } = relayer
    const common = { addresses, mfile }
    const on = { mfile, controller }
    let signature = await signed({ ...on, type: 'ChangeFilePrice', price: 700n })
    await changeFilePrice(client, { ...common, priceAtto: 700n, signature })
    await assert.rejects(
      changeFilePrice(client, { ...common, priceAtto: 700n, signature }),
      refusedFor('WrongSignature'),
    )
    signature = await signed({ ...on, type: 'ChangeFileKeywords', keywords: ['x'] })
    await changeFileKeywords(client, { ...common, keywords: ['x'], signature })
    signature = await signed({ ...on, type: 'ChangeFileType', ftype: 1 })
    await changeFileType(client, { ...common, ftype: 1, signature })
    signature = await signed({ ...on, type: 'ChangeFileType', ftype: 0 })
    await changeFileType(client, { ...common, ftype: 0, signature })
    signature = await signed({ ...on, type: 'GrantFileRead', reader })
    await grantFileRead(client, { ...common, reader, signature })
    assert.equal(await getReadRight(client, { ...common, reader }), 'granted')
    signature = await signed({ ...on, type: 'RevokeFileRead', reader })
    await revokeFileRead(client, { ...common, reader, signature })
    assert.equal(await getReadRight(client, { ...common, reader }), 'none')
  })

  test('is bought within a limit, and pays its controller', async () => {
    const { client, addresses } = buyer
    const purchase = { addresses, mfile, reader }
    await assert.rejects(buyFileRead(client, { ...purchase, maxAtto: 699n }), refusedFor('PriceAboveLimit'))
    await buyFileRead(client, { ...purchase, maxAtto: 700n })
    assert.equal(await getReadRight(client, purchase), 'bought')
    const account = privateKeyToAccount(ownerSecret).address
    assert.equal(await getFileWithdrawable(client, { addresses, account }), 700n)
    await assert.rejects(withdrawFileSales(client, { addresses }), refusedFor('AmountMissing'))
    await withdrawFileSales((await network.join(0x61)).client, { addresses })
    assert.equal(await getFileWithdrawable(client, { addresses, account }), 0n)
    await assert.rejects(releaseFileSale(client, purchase), refusedFor('NotReleaser'))
    await assert.rejects(refundFileSale(client, purchase), refusedFor('NoSale'))
  })

  test('goes to another controller, and ends for good', async () => {
    const { client, addresses } = relayer
    let signature = await signed({ type: 'ChangeFileController', mfile, controller, newController: reader })
    await changeFileController(client, { addresses, mfile, controller: reader, signature })
    signature = await signed({ type: 'DeactivateFile', mfile, controller })
    await assert.rejects(deactivateFile(client, { addresses, mfile, signature }), refusedFor('WrongSignature'))
    signature = await signed({ type: 'DeactivateFile', mfile, controller: reader }, readerSecret)
    await deactivateFile(client, { addresses, mfile, signature })
    assert.equal((await findFile(client, { addresses, mfile }))?.deactivated, true)
  })

  test('has an index whose checkpoints are found by the DID alone', async () => {
    const { client, addresses } = buyer
    await registerUser(client, { addresses })
    const state = (seq: bigint) => ({
      did: controller,
      seq,
      hash: new Uint8Array(32).fill(Number(seq)),
      placement: bytes('0xa0'),
    })
    await writeCheckpoint(client, { addresses, ...state(1n) })
    await writeCheckpoint(client, { addresses, ...state(4n) })
    await assert.rejects(writeCheckpoint(client, { addresses, ...state(4n) }), refusedFor('NotNewer'))
    const writer = privateKeyToAccount(ownerSecret).address.toLowerCase() as Hex
    const verifier = { chainId: buyer.network.chainId, verifyingContract: addresses.checkpoints }
    const digest = checkpointDigest(verifier, { ...state(9n), writer })
    const signature = bytes(await sign({ hash: hexFromBytes(digest) as Hex, privateKey: ownerSecret, to: 'hex' }))
    await relayCheckpoint(client, { addresses, ...state(9n), signature })
    const found = await listCheckpoints(client, { addresses, did: `did:memo:${controller}` })
    const user = client.account?.address.toLowerCase()
    assert.deepEqual(
      found.map(({ writer, seq, hash }) => [writer, seq, hash[0]]),
      [
        [user, 4n, 4],
        [writer, 9n, 9],
      ],
    )
  })

  /** Signs with the nonce of now. */
  async function signed(operation: FileOperation, secret: Hex = ownerSecret): Promise<Uint8Array> {
    const { client, addresses } = relayer
    const signer = operation.type === 'RegisterFile' ? operation.listing.controller : operation.controller
    const nonce = await getFileNonce(client, { addresses, controller: signer })
    const verifier = { chainId: relayer.network.chainId, verifyingContract: addresses.fileProxy }
    const digest = fileOperationDigest(verifier, operation, nonce)
    return bytes(await sign({ hash: hexFromBytes(digest) as Hex, privateKey: secret, to: 'hex' }))
  }
})
