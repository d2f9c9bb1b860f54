/**
 * Stores a file at a gateway, lists it, reads it back and deletes it: all that an application needs which keeps its users'
 * files with MEMO.
 */
import { collectBytes, createKeySigner, findBytesFromHex } from '@memo/core'
import { createGatewayClient } from '@memo/sdk'
import { createBrowserClock, createBrowserRandomness, createFetchTransport } from '@memo/sdk/browser'

const { MEMO_GATEWAY = 'http://127.0.0.1:8080', MEMO_DID, MEMO_KEY } = process.env
const secretKey = findBytesFromHex(MEMO_KEY, 32)
if (!MEMO_DID || !secretKey) throw new TypeError('set MEMO_DID, and MEMO_KEY to 0x and the 64 digits of its key')

const client = createGatewayClient({
  endpoint: MEMO_GATEWAY,
  transport: createFetchTransport(),
  did: MEMO_DID,
  signer: createKeySigner(secretKey),
  clock: createBrowserClock(),
  random: createBrowserRandomness(),
})

const text = new TextEncoder().encode('Hello, MEMO.\n')
// Resolves when providers have it on their disks and keepers have signed where it is: not before it is safe.
const { cid } = await client.upload(text, { name: 'hello.txt', contentType: 'text/plain' })
console.log(`stored ${cid}`)

for (const object of await client.list()) console.log(`listed ${object.id} ${object.name} ${object.sizeBytes}`)

// Ends with an error where the bytes are not those of the CID.
const { body, sizeBytes } = await client.download(cid)
console.log(`read ${JSON.stringify(new TextDecoder().decode(await collectBytes(body, sizeBytes)))}`)

const stored = (await client.list()).find((object) => object.cid === cid)
if (stored) await client.remove(stored.id)
console.log('deleted')
