/**
 * What the tests run in a page: the SDK as an application would use it, and nothing of the tests' own. Bytes stay in the
 * page; the tests see hashes, sizes and errors.
 */
import { accountFromSecretKey, connectNetwork, type MemoChain, registerUser } from '@memo/chain'
import {
  type Address,
  collectBytes,
  createCidBuilder,
  createKeySigner,
  DEFAULT_CID_PROFILE,
  equalBytes,
  MemoError,
  type Signer,
} from '@memo/core'
import { createMemoDid } from '@memo/did'
import {
  createGatewayClient,
  createStorage,
  type GatewayClient,
  type NodeFault,
  type PieceStatus,
  type Storage,
} from '@memo/sdk'
import {
  BROWSER_LIMITS,
  createBrowserClock,
  createBrowserPorts,
  createBrowserRandomness,
  createBrowserTimers,
  createFetchTransport,
  createWebCryptoEncoder,
} from '@memo/sdk/browser'
import { runPortSuites } from './port-suites.ts'
import { measureSpeeds, type Speeds } from './speeds.ts'

const MAX_FILE_BYTES = 67_108_864
const POLICY = 'rs:2+1'
const POLLING_INTERVAL_MS = 50

type Session = {
  readonly secretKey: Uint8Array
  readonly signer: Signer
  readonly chain: MemoChain
  readonly storage: Storage
  readonly faults: NodeFault[]
  did: string
}

type Range = { readonly offset: number; readonly length: number }

type Put = {
  readonly cid: string
  readonly sizeBytes: number
  readonly providers: readonly Address[]
  readonly acks: number
  readonly stages: readonly string[]
  /** Whether the page computes the same CID by itself. */
  readonly isOwnCid: boolean
}

type Got = { readonly isSame: boolean; readonly sizeBytes: number; readonly faults: readonly string[] }

type GatewayRound = {
  readonly isOwnCid: boolean
  readonly isSame: boolean
  readonly isSameRange: boolean
  /** Objects with this CID, before and after they were removed. */
  readonly listed: number
  readonly left: number
  /** How the client names the answer for a file that is not there. */
  readonly refusal: string
}

/** What a test can have done in the page. Arguments and results are plain data. */
export type Page = {
  /** Makes a key and a storage for it. */
  create(network: { readonly rpcUrl: string; readonly registry: Address }): Promise<{ readonly address: Address }>
  /** Makes the account a user with a DID. It must have coins for gas. */
  register(): Promise<{ readonly did: string; readonly state: string }>
  /** Random bytes under a label. */
  makeFile(label: string, sizeBytes: number): void
  put(label: string, isPublic: boolean): Promise<Put>
  /** Reads an object back, or a stretch of it; compares it with the file of that label. */
  get(label: string, cid: string, range?: Range): Promise<Got>
  /** As anybody reads it, who has no key of its owner. */
  getAsStranger(label: string, cid: string): Promise<'not found' | 'same' | 'different'>
  pieces(cid: string): Promise<readonly PieceStatus[]>
  /** `name cid` of each object. */
  list(): Promise<readonly string[]>
  remove(cid: string): Promise<void>
  /** A put that is aborted, after so many bytes were encoded or at the last moment; gives how it ended. */
  abortedPut(when: { readonly afterBytes: number } | 'commit', sizeBytes: number): Promise<string>
  /** A file to a gateway and back. */
  throughGateway(endpoint: string, label: string): Promise<GatewayRound>
  /** What the transport says of `url`: how many bytes, or which error. */
  ask(url: string, options?: { readonly maxBytes?: number; readonly abortAfterMs?: number }): Promise<string>
  /** What of Node is there by accident. */
  nodeGlobals(): readonly string[]
  measureSpeeds(): Promise<Speeds>
  runPortSuites(): Promise<{ readonly held: number; readonly broken: readonly string[] }>
}

/** Files that the page made, by label. */
const files = new Map<string, Uint8Array>()
let session: Session | undefined

function current(): Session {
  if (!session) throw new TypeError('connect first')
  return session
}

async function create(network: { rpcUrl: string; registry: Address }): Promise<{ address: Address }> {
  const random = createBrowserRandomness()
  const secretKey = random.bytes(32) // a test key: it lives as long as the page
  const signer = createKeySigner(secretKey)
  const account = accountFromSecretKey(secretKey)
  const chain = await connectNetwork({ ...network, account, pollingIntervalMs: POLLING_INTERVAL_MS })
  const faults: NodeFault[] = []
  const storage = createStorage({
    chain,
    ports: createBrowserPorts({ network: chain.network, signer }),
    reader: { publicKey: signer.publicKey, secretKey },
    limits: BROWSER_LIMITS,
    encode: createWebCryptoEncoder(),
    onFault: (fault) => faults.push(fault),
  })
  session = { secretKey, signer, chain, storage, faults, did: '' }
  return { address: signer.address }
}

async function register(): Promise<{ did: string; state: string }> {
  const now = current()
  const { client, addresses } = now.chain
  const account = await registerUser(client, { addresses })
  now.did = await createMemoDid(now.chain, now.signer)
  return { did: now.did, state: `${account.role} ${account.state}` }
}

function makeFile(label: string, sizeBytes: number): void {
  files.set(label, createBrowserRandomness().bytes(sizeBytes))
}

async function put(label: string, isPublic: boolean): Promise<Put> {
  const { storage, did, signer } = current()
  const bytes = getFile(label)
  const stages: string[] = []
  const result = await storage.put(bytes, {
    did,
    name: label,
    contentType: 'application/octet-stream',
    isPublic,
    policy: POLICY,
    readers: [signer.publicKey],
    onStage: ({ stage }) => {
      if (stages.at(-1) !== stage) stages.push(stage)
    },
  })
  const { cid, sizeBytes, providers, acks } = result
  return { cid, sizeBytes, providers, acks: acks.length, stages, isOwnCid: cid === cidOf(bytes) }
}

async function get(label: string, cid: string, range?: Range): Promise<Got> {
  const { storage, did, faults } = current()
  faults.length = 0
  const object = await storage.findObject(did, cid)
  if (!object?.manifest) throw new TypeError(`${cid} is not listed`)
  const bytes = await collectBytes(storage.read(object.manifest, range), MAX_FILE_BYTES)
  const { offset = 0, length = Number.MAX_SAFE_INTEGER } = range ?? {}
  return {
    isSame: equalBytes(bytes, getFile(label).subarray(offset, offset + length)),
    sizeBytes: bytes.length,
    faults: faults.map((fault) => `${fault.name} of ${fault.address}`),
  }
}

async function getAsStranger(label: string, cid: string): ReturnType<Page['getAsStranger']> {
  const { chain } = current()
  const signer = createKeySigner(createBrowserRandomness().bytes(32))
  const storage = createStorage({ chain, ports: createBrowserPorts({ network: chain.network, signer }) })
  try {
    const object = await storage.findPublicObject(cid)
    if (!object?.manifest) return 'not found'
    const bytes = await collectBytes(storage.read(object.manifest), MAX_FILE_BYTES)
    return equalBytes(bytes, getFile(label)) ? 'same' : 'different'
  } finally {
    await storage.close()
  }
}

async function pieces(cid: string) {
  const { storage, did } = current()
  const object = await storage.findObject(did, cid)
  return object?.manifest ? await storage.status(object.manifest) : []
}

async function list() {
  const { storage, did } = current()
  const objects: string[] = []
  for await (const { name, cid } of storage.list(did)) objects.push(`${name} ${cid}`)
  return objects
}

async function remove(cid: string) {
  const { storage, did } = current()
  const object = await storage.findObject(did, cid)
  if (object) await storage.remove(did, object)
}

async function abortedPut(when: { afterBytes: number } | 'commit', sizeBytes: number): Promise<string> {
  const { storage, did, signer } = current()
  const controller = new AbortController()
  const abort = () => controller.abort(new TypeError('the page changed its mind'))
  try {
    await storage.put(createBrowserRandomness().bytes(sizeBytes), {
      did,
      name: 'never',
      contentType: 'text/plain',
      isPublic: false,
      policy: POLICY,
      readers: [signer.publicKey],
      signal: controller.signal,
      onStage(event) {
        if (when !== 'commit' && event.stage === 'encoded' && event.sizeBytes >= when.afterBytes) abort()
      },
      beforeCommit: () => (when === 'commit' ? abort() : undefined),
    })
    return 'stored'
  } catch (error) {
    return (error as Error).message
  }
}

async function throughGateway(endpoint: string, label: string): Promise<GatewayRound> {
  const { did, signer } = current()
  const client = createGatewayClient({
    endpoint,
    did,
    signer,
    transport: createFetchTransport({ blame: 'us' }),
    clock: createBrowserClock(),
    random: createBrowserRandomness(),
  })
  const bytes = getFile(label)
  const { cid } = await client.upload(bytes, { name: label, isPublic: false })
  const whole = await client.download(cid)
  const isSame = equalBytes(await collectBytes(whole.body, MAX_FILE_BYTES), bytes)
  const range = { offset: 1_000, length: 5_000 }
  const part = await client.download(cid, { range })
  const isSameRange = equalBytes(await collectBytes(part.body, MAX_FILE_BYTES), bytes.subarray(1_000, 6_000))
  const listed = (await client.list()).filter((object) => object.cid === cid)
  const refusal = await refusalOf(client)
  for (const { id } of listed) await client.remove(id)
  const left = (await client.list()).filter((object) => object.cid === cid).length
  return { isOwnCid: cid === cidOf(bytes), isSame, isSameRange, listed: listed.length, left, refusal }
}

/** A refusal reaches the page as what it is, not as a failure of the network. */
async function refusalOf(client: GatewayClient): Promise<string> {
  try {
    await client.download(cidOf(new Uint8Array([1, 2, 3])))
    return 'none'
  } catch (error) {
    return error instanceof MemoError ? error.name : String(error)
  }
}

async function ask(url: string, options: { maxBytes?: number; abortAfterMs?: number } = {}): Promise<string> {
  const { maxBytes = MAX_FILE_BYTES, abortAfterMs } = options
  const controller = new AbortController()
  if (abortAfterMs !== undefined) setTimeout(() => controller.abort(new TypeError('enough')), abortAfterMs)
  try {
    const { signal } = controller
    const answer = await createFetchTransport({ blame: 'keeper' })({ method: 'GET', url, headers: {}, signal })
    return `${answer.status} with ${(await collectBytes(answer.body, maxBytes)).length} bytes`
  } catch (error) {
    return error instanceof MemoError ? `${error.name} ${error.blame} ${error.retry}` : String(error)
  }
}

function getFile(label: string): Uint8Array {
  const bytes = files.get(label)
  if (!bytes) throw new TypeError(`no file ${label}`)
  return bytes
}

function cidOf(bytes: Uint8Array): string {
  const builder = createCidBuilder(DEFAULT_CID_PROFILE)
  builder.update(bytes)
  return builder.finish()
}

function nodeGlobals(): string[] {
  return ['Buffer', 'process', 'require', 'global'].filter((name) => name in globalThis)
}

const page: Page = {
  create,
  register,
  makeFile,
  put,
  get,
  getAsStranger,
  pieces,
  list,
  remove,
  abortedPut,
  throughGateway,
  ask,
  nodeGlobals,
  measureSpeeds,
  runPortSuites: () => runPortSuites({ createBrowserClock, createBrowserTimers, createBrowserRandomness }),
}

;(globalThis as unknown as { memo: Page }).memo = page
