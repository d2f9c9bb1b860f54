import { randomBytes } from 'node:crypto'
import {
  ATTOMEMO_PER_MEMO,
  accountFromSecretKey,
  connectNetwork,
  createChainClient,
  depositEscrow,
  devnetParams,
  ensureFunds,
  ensurePledge,
  type GasOptions,
  getBlock,
  getEscrow,
  getGasBalance,
  getMemoBalance,
  getPledge,
  getRequirementFor,
  type MemoChain,
  registerKeeper,
  registerProvider,
  registerUser,
  setEndpoint,
  WrongRoleError,
} from '@memo/chain'
import { type Account, type Address, findAddress, type KeyStore } from '@memo/core'
import { FundsMissingError, UsageError } from '../errors.ts'
import { isLocalNetwork, LOCAL_BANK_KEY, LOCAL_CHAIN_ID, LOCAL_GAS_WEI, LOCAL_GATEWAY_ATTO } from '../local-chain.ts'
import { openKeys } from '../password.ts'
import { findFreePort } from '../ports.ts'
import type { Supervisor } from '../runtime.ts'
import { findNodeConfig, NODE_KEY, type NodeConfig, type NodeKind, saveNodeConfig } from './node-config.ts'

export type InitOptions = {
  readonly kind: NodeKind
  readonly dataDir: string
  readonly rpcUrl: string
  readonly registry: Address
  /** Refuses any other chain: that of an earlier set-up. */
  readonly chainId?: number
  readonly host?: string
  readonly port?: number
  /** How others reach this node; `http://host:port` when absent. */
  readonly endpoint?: string
  readonly operator?: string
  readonly region?: string
  readonly capacityBytes?: number
  readonly passwordFile?: string
  /** What transactions may pay for gas. */
  readonly gas?: GasOptions
  /** Kept, where it is given: in gwei. */
  readonly maxGasPrice?: string
  readonly supervisor?: Supervisor | undefined
  readonly signal: AbortSignal
  /** Told of each step that is done. */
  readonly onStep?: (step: string) => void
}

export type InitResult = { readonly config: NodeConfig; readonly account: Account; readonly secretKey: Uint8Array }

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_CAPACITY_BYTES = 100 * 1024 ** 3
/** One MEMO for a GiB and month, about. */
const STORAGE_PRICE_ATTO: bigint = ATTOMEMO_PER_MEMO / 2_592_000n
const RETRIEVAL_PRICE_ATTO: bigint = ATTOMEMO_PER_MEMO / 10n ** 11n
/** Gas of registering and pledging at a busy hour, with room to spare. */
const NEEDED_GAS_WEI: bigint = 10n ** 16n
const POLLING_INTERVAL_MS = 100

/**
 * Sets a node up: key, funds, registration, pledge, endpoint. Every step is looked for before it is done, so that the
 * same call again goes on where an earlier one ended. Errors: {@link FundsMissingError}; those of the chain and the
 * key store.
 */
export async function initNode(options: InitOptions): Promise<InitResult> {
  const { kind, dataDir, rpcUrl, registry, chainId, gas, signal, onStep = () => undefined } = options
  assertSameRegistry(dataDir, registry)
  // Whoever is asked for a password shall not learn afterwards that the chain is down.
  await getBlock(createChainClient({ rpcUrl }))
  const isLocal = await isLocalNetwork(rpcUrl)
  const keys = await openKeys(dataDir, { ...options, isLocal })
  const secretKey = await loadOrCreateKey(keys)
  const account = accountFromSecretKey(secretKey)
  const network = { rpcUrl, registry, chainId, account, gas, pollingIntervalMs: POLLING_INTERVAL_MS }
  const chain = await connectNetwork(network)
  const address = findAddress(account.address) as Address
  await assertFreeFor(chain, address, kind)
  const config = await configOf(options, chain, address)
  await saveNodeConfig(dataDir, config)
  onStep('key')
  const escrowAtto = await expectedEscrow(chain, options, isLocal)
  await fund(chain, options, isLocal, (await expectedPledge(chain, options)) + escrowAtto)
  onStep('funds')
  await register(chain, options, config)
  onStep('registration')
  if (escrowAtto > 0n) {
    await depositEscrow(chain.client, { addresses: chain.addresses, amountAtto: escrowAtto, signal })
    onStep('escrow')
  }
  if (kind !== 'gateway') {
    const { requiredAtto } = await getPledge(chain.client, { addresses: chain.addresses, address: config.address })
    await fund(chain, options, isLocal, requiredAtto)
    await ensurePledge(chain.client, { addresses: chain.addresses, signal })
    onStep('pledge')
  }
  return { config, account: await moveEndpoint(chain, config, signal), secretKey }
}

/** What a node keeps is of one network. Errors: UsageError. */
function assertSameRegistry(dataDir: string, registry: Address): void {
  const before = findNodeConfig(dataDir)
  if (!before || findAddress(before.registry) === findAddress(registry)) return
  throw new UsageError(
    `${dataDir} belongs to the network of registry ${before.registry}, not to that of ${registry}`,
    'Give another --data directory for another network.',
  )
}

/** An account has one role for ever; nothing is sent or written for one that has another. */
async function assertFreeFor(chain: MemoChain, address: Address, kind: NodeKind): Promise<void> {
  const role = (await chain.findAccount(address))?.role ?? 'none'
  if (role === 'none' || role === roleOf(kind)) return
  throw new WrongRoleError(`${address} is registered as a ${role} and cannot become a ${roleOf(kind)}`, {
    fix: `Run \`memo ${kind} init\` with another --data directory, which makes another key.`,
    details: { address, role: roleOf(kind), actualRole: role },
  })
}

function roleOf(kind: NodeKind): 'provider' | 'keeper' | 'user' {
  return kind === 'gateway' ? 'user' : kind
}

/** The address of a node before it is set up; its key is made where there is none. */
export async function ensureNodeAddress(dataDir: string): Promise<Address> {
  const secretKey = await loadOrCreateKey(await openKeys(dataDir, { isLocal: true }))
  return findAddress(accountFromSecretKey(secretKey).address) as Address
}

async function loadOrCreateKey(keys: KeyStore): Promise<Uint8Array> {
  if ((await keys.list()).includes(NODE_KEY)) return await keys.load(NODE_KEY)
  const secretKey = new Uint8Array(randomBytes(32))
  await keys.save(NODE_KEY, secretKey)
  return secretKey
}

/** What was decided before stays, unless this call says otherwise. */
async function configOf(options: InitOptions, { network }: MemoChain, address: Address): Promise<NodeConfig> {
  const { kind, dataDir, rpcUrl, registry } = options
  const before = findNodeConfig(dataDir)
  const host = options.host ?? before?.host ?? DEFAULT_HOST
  const port = options.port ?? before?.port ?? (await findFreePort(host))
  const isMoved = host !== before?.host || port !== before.port
  const endpoint = options.endpoint ?? (isMoved ? `http://${host}:${port}` : before.endpoint)
  const maxGasPrice = options.maxGasPrice ?? before?.maxGasPrice
  const kept = maxGasPrice === undefined ? {} : { maxGasPrice }
  const where = { rpc: rpcUrl, registry, chainId: network.chainId }
  return { kind, ...where, address, host, port, endpoint: endpoint.replace(/\/+$/, ''), ...kept }
}

/** Has the account hold what it needs: from the supervisor, from the bank of a local network, or from its owner. */
async function fund(chain: MemoChain, options: InitOptions, isLocal: boolean, requiredAtto: bigint): Promise<void> {
  const { supervisor, signal } = options
  const { client, addresses } = chain
  const to = findAddress(client.account?.address) as Address
  const [pledge, memoAtto, gasWei] = await Promise.all([
    getPledge(client, { addresses, address: to }),
    getMemoBalance(client, { addresses, address: to }),
    getGasBalance(client, { address: to }),
  ])
  const missingAtto = requiredAtto - pledge.pledgedAtto
  if (memoAtto >= missingAtto && gasWei >= NEEDED_GAS_WEI) return
  const needed = { to, memoAtto: missingAtto > 0n ? missingAtto : 0n, gasWei: LOCAL_GAS_WEI }
  if (supervisor) return await supervisor.requestFunds(needed)
  if (!isLocal) throw fundsMissing(to, needed.memoAtto, memoAtto, gasWei)
  const bank = createChainClient({
    rpcUrl: options.rpcUrl,
    account: accountFromSecretKey(LOCAL_BANK_KEY),
    pollingIntervalMs: POLLING_INTERVAL_MS,
  })
  await ensureFunds(bank, { addresses, ...needed, signal })
}

/** What the account will have to pledge, as far as it can be known before it has registered. */
async function expectedPledge(chain: MemoChain, { kind, capacityBytes }: InitOptions): Promise<bigint> {
  const { client, addresses } = chain
  if (kind !== 'provider') return kind === 'keeper' && isLocalChain(chain) ? devnetParams.pledge.keeperAtto : 0n
  return await getRequirementFor(client, { addresses, capacityBytes: capacityBytes ?? DEFAULT_CAPACITY_BYTES })
}

/**
 * What the escrow of a gateway lacks, on networks of this machine; elsewhere its owner decides how much he deposits. It is filled
 * again at a start once half of it is spent.
 */
async function expectedEscrow(chain: MemoChain, { kind }: InitOptions, isLocal: boolean): Promise<bigint> {
  const { client, addresses } = chain
  if (kind !== 'gateway' || !isLocal) return 0n
  const account = findAddress(client.account?.address) as Address
  const { freeAtto } = await getEscrow(client, { addresses, account })
  return freeAtto > LOCAL_GATEWAY_ATTO / 2n ? 0n : LOCAL_GATEWAY_ATTO - freeAtto
}

/** There the sum is known, and one transfer does for all. */
function isLocalChain(chain: MemoChain): boolean {
  return chain.network.chainId === LOCAL_CHAIN_ID
}

function fundsMissing(to: Address, memoAtto: bigint, hasMemoAtto: bigint, hasWei: bigint): FundsMissingError {
  const needs = [
    ...(hasMemoAtto < memoAtto ? [`${formatMemo(memoAtto - hasMemoAtto)} MEMO for its pledge`] : []),
    ...(hasWei < NEEDED_GAS_WEI ? ['some of the chain’s coin for gas'] : []),
  ]
  return new FundsMissingError(`${to} needs ${needs.join(' and ')}`, {
    blame: 'user',
    retry: 'later',
    fix: `Send it to ${to}, then run the same command again.`,
    details: { address: to, memoAtto: `${memoAtto}`, hasMemoAtto: `${hasMemoAtto}`, hasWei: `${hasWei}` },
  })
}

function formatMemo(atto: bigint): string {
  return (Number(atto / 10n ** 15n) / 1000).toLocaleString('en')
}

async function register(chain: MemoChain, options: InitOptions, config: NodeConfig): Promise<Account> {
  const { kind, signal, operator = 'local', region = 'local', capacityBytes = DEFAULT_CAPACITY_BYTES } = options
  const common = { addresses: chain.addresses, signal }
  const contact = { endpoint: config.endpoint, operator, region }
  if (kind === 'gateway') return await registerUser(chain.client, common)
  if (kind === 'keeper') return await registerKeeper(chain.client, { ...common, contact })
  const offer = {
    capacityBytes,
    storagePriceAttoPerGiBSecond: STORAGE_PRICE_ATTO,
    retrievalPriceAttoPerByte: RETRIEVAL_PRICE_ATTO,
  }
  return await registerProvider(chain.client, { ...common, contact, offer })
}

/** Registered before under another address: says so on chain. */
async function moveEndpoint(chain: MemoChain, config: NodeConfig, signal: AbortSignal): Promise<Account> {
  const { client, addresses } = chain
  const account = (await chain.findAccount(config.address)) as Account
  if (config.kind === 'gateway' || account.endpoint === config.endpoint) return account
  await setEndpoint(client, { addresses, endpoint: config.endpoint, signal })
  return { ...account, endpoint: config.endpoint }
}
