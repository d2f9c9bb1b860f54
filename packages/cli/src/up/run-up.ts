import { join } from 'node:path'
import {
  accountFromSecretKey,
  type ChainClient,
  createChainClient,
  type DeployPlan,
  ensureFunds,
  getBlock,
  planDeploy,
  runDeploy,
} from '@memo/chain'
import { type Address, envelopeFromError, hexFromBytes, keccak256, utf8 } from '@memo/core'
import { ListenError, lockDataDirectory } from '@memo/platform'
import { FundsMissingError } from '../errors.ts'
import { isLocalNetwork, LOCAL_BANK_KEY, localBankAddress, localParams } from '../local-chain.ts'
import { ensureNodeAddress } from '../nodes/init-node.ts'
import { formatMs, formatTable, type Output } from '../output.ts'
import { findFreePort } from '../ports.ts'
import { type ParentMessage, type Runtime, raceAbort, untilStopped } from '../runtime.ts'
import { findProfile, saveProfile, wordsFor } from '../settings.ts'
import { createIdentity, type Identity } from '../user/identity.ts'
import { type Child, type ChildEvent, type ChildRole, createChild } from './child.ts'
import { runDemo } from './demo.ts'
import { keepIdentity } from './keep-identity.ts'
import {
  findLayout,
  type Layout,
  levelOf,
  listTakenPorts,
  namesOf,
  openLayout,
  type RunningNode,
  saveLayout,
} from './layout.ts'
import { untilMatching } from './until-matching.ts'

export type UpOptions = {
  readonly dataDir: string
  /** A chain of this machine that somebody else runs; absent, the embedded one is started. */
  readonly rpc: string | undefined
  readonly port: number | undefined
  readonly providers: number
  readonly keepers: number
  readonly policy: string
  /** How soon the gateway tells the chain what has changed. */
  readonly checkpointSeconds: number
  /** What each provider stores for an account without an order. */
  readonly unpaidBytes: number
  readonly demo: boolean
  readonly restart: boolean
}

const HOST = '127.0.0.1'
const POLLING_INTERVAL_MS = 40
const STOP_GRACE_MS = 8_000
/** What everybody may store and read at the gateway before he buys: enough to try everything. */
const TRIAL_SPACE = '10GiB'
const TRIAL_TRAFFIC = '100GiB'

/** A network that runs: what the demo works on. */
export type RunningNetwork = {
  readonly dataDir: string
  readonly rpcUrl: string
  readonly chainId: number
  readonly registry: Address
  readonly gateway: string
  readonly policy: string
  readonly identity: Identity
  readonly children: readonly Child[]
}

/**
 * A whole network on this machine until the process shall stop: chain, contracts, keepers, providers, gateway, each a
 * process of its own started by the same verbs that a person would type (`spec/cli.md` 5).
 */
export async function runUp(runtime: Runtime, output: Output, options: UpOptions): Promise<void> {
  const directory = await lockDataDirectory(options.dataDir, 'network')
  const children: Child[] = []
  runtime.onForce(() => {
    for (const child of children) void child.kill()
  })
  try {
    await assertVersion(options)
    const layout = await settlePorts(options)
    const network = await start(runtime, output, options, layout, children)
    if (options.demo) await runDemo(runtime, output, network)
    const { dataDir, rpcUrl, registry, identity } = network
    const { signal } = runtime
    const keeping = keepIdentity(output, identity, { dataDir, rpcUrl, registry, signal }).catch(() => undefined) // it was told to stop
    await untilStopped(signal)
    await keeping
  } catch (error) {
    if (!runtime.wasInterrupted()) throw error
  } finally {
    await stopAll(output, children)
    directory.release()
  }
}

/** What was recorded of the contracts spares the look at the chain. */
async function assertVersion({ dataDir, rpc, keepers }: UpOptions): Promise<void> {
  const params = localParams(levelOf(dataDir, { keepers }))
  const plan = planDeploy({ deployer: localBankAddress(), firstNonce: 0, params })
  if (rpc !== undefined || findLayout(dataDir)?.contracts === fingerprintOf(plan)) return
  const { assertOwnNetwork } = await import('./earlier-network.ts')
  await assertOwnNetwork(dataDir, plan)
}

/** Equal for equal contracts at equal addresses. */
function fingerprintOf({ steps }: DeployPlan): string {
  const parts = steps.map(({ address, deployedBytecode }) => `${address} ${deployedBytecode}`)
  return hexFromBytes(keccak256(utf8(parts.join('\n'))))
}

/** Ports that something else took meanwhile are exchanged, but for the gateway's, which people know. */
async function settlePorts(options: UpOptions): Promise<Layout> {
  const layout = await openLayout(options.dataDir, options)
  const { gatewayPort: port } = layout
  const taken = await listTakenPorts([layout.rpcPort, port, ...Object.values(layout.ports)])
  if (taken.includes(port)) {
    throw new ListenError(`port ${port} is in use, so the gateway cannot listen there`, {
      blame: 'user',
      retry: 'later',
      fix: `Stop what uses it, or take another: memo up --port ${await findFreePort()}`,
      details: { port },
    })
  }
  const exchanged = async (old: number) => (taken.includes(old) ? await findFreePort() : old)
  const ports: Record<string, number> = {}
  for (const [name, old] of Object.entries(layout.ports)) ports[name] = await exchanged(old)
  return { ...layout, rpcPort: await exchanged(layout.rpcPort), ports }
}

async function start(
  runtime: Runtime,
  output: Output,
  options: UpOptions,
  layout: Layout,
  children: Child[],
): Promise<RunningNetwork> {
  const { signal } = runtime
  const startedMs = performance.now()
  const say = createReporter(output, startedMs)
  output.progress(`${output.style('bold', 'memo up')}  ${options.dataDir}\n`)
  const rpcUrl = options.rpc ?? `http://${HOST}:${layout.rpcPort}`
  const params = localParams(layout.level, await ensureNodeAddress(join(options.dataDir, 'gateway')))
  const plan = planDeploy({ deployer: localBankAddress(), firstNonce: 0, params })
  const { addresses } = plan
  const { registry } = addresses
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const bank = createChainClient({ rpcUrl, account, pollingIntervalMs: POLLING_INTERVAL_MS })
  const fund = async (funds: { to: string; memoAtto: bigint; gasWei: bigint }): Promise<ParentMessage> => {
    try {
      await ensureFunds(bank, { addresses, ...funds, to: funds.to as Address, signal })
      return { type: 'funded' }
    } catch (error) {
      return { type: 'funded', error: envelopeFromError(error) }
    }
  }
  const make = (name: string, role: ChildRole, args: readonly string[]): Child => {
    const child = createChild({
      name,
      role,
      args,
      logFile: join(options.dataDir, 'logs', `${name}.log`),
      restarts: options.restart,
      onFundsWanted: fund,
      onEvent: (event) => reportChild(output, child, event),
    })
    children.push(child)
    return child
  }
  const networkArgs = ['--rpc', rpcUrl, '--registry', registry]
  const nodeArgs = (role: ChildRole, name: string, port: number) => [
    ...[role, 'run', '--init', '--json', ...networkArgs],
    ...['--data', join(options.dataDir, name), '--port', `${port}`],
  ]
  const chains = options.rpc
    ? []
    : [
        make('chain', 'chain', [
          ...['chain', 'run', '--json', '--data', join(options.dataDir, 'chain'), '--port', `${layout.rpcPort}`],
        ]),
      ]
  const argsOf = { keeper: [], provider: ['--unpaid-bytes', `${options.unpaidBytes}`] }
  const group = (role: 'keeper' | 'provider', count: number) =>
    namesOf(role, count).map((name) => {
      return make(name, role, [...nodeArgs(role, name, layout.ports[name] as number), ...argsOf[role]])
    })
  const keepers = group('keeper', options.keepers)
  const providers = group('provider', options.providers)
  const gateway = make('gateway', 'gateway', [
    ...nodeArgs('gateway', 'gateway', layout.gatewayPort),
    ...['--policy', layout.policy, '--checkpoint-every', `${options.checkpointSeconds}`],
    ...['--trial-space', TRIAL_SPACE, '--trial-traffic', TRIAL_TRAFFIC],
  ])

  // One thing after the other: processes that load their code side by side would only hold up what all wait for.
  for (const chain of chains) {
    chain.start()
    await raceAbort(chain.whenReady(), signal)
  }
  if (options.rpc) await assertBankOn(bank)
  const chainId = await bank.rpc.getChainId()
  say('chain', rpcUrl, { chainId, rpc: rpcUrl })
  await raceAbort(runDeploy(bank, { params, signal }), signal)
  if (!options.rpc) await saveLayout(options.dataDir, { ...layout, contracts: fingerprintOf(plan) })
  say('contracts', registry, { registry })
  for (const child of children) child.start()
  for (const child of [...chains, ...providers]) child.go()
  const identifying = createIdentity({ dataDir: options.dataDir, rpcUrl, registry, signal })
  // Whichever fails first ends the start, so all are waited for at once.
  const all = Promise.all([identifying, ...children.map((child) => child.whenReady())])
  const ready = async (what: string, group: readonly Child[]) => {
    let serving = 0
    const count = () => {
      serving++
      if (serving < group.length) output.live(`  ${what.padEnd(11)}${serving} of ${group.length} serving`)
    }
    // Who fails is seen below.
    for (const child of group) child.whenReady().then(count, () => undefined)
    const some = Promise.all(group.map((child) => child.whenReady()))
    await raceAbort(Promise.race([some, all]), signal)
  }
  await ready('providers', providers)
  say('providers', `${providers.length} serving`, { count: providers.length })
  // Keepers look for providers when they start, and gateways read from keepers what they have written before.
  for (const keeper of keepers) keeper.go()
  await ready('keepers', keepers)
  say('keepers', `${keepers.length} serving`, { count: keepers.length })
  gateway.go()
  await raceAbort(all, signal)
  say('gateway', gateway.url(), { gateway: gateway.url() })
  const identity = await identifying
  if (!(await untilMatching(identity.chain.network, keepers, layout.policy, signal))) {
    output.progress(`  the keepers do not know enough providers for ${layout.policy} yet`, { event: 'few-providers' })
  }
  const { dataDir } = options
  const profile = { ...findProfile(dataDir), rpc: rpcUrl, registry, chainId }
  await saveProfile(dataDir, { ...profile, gateway: gateway.url(), did: identity.did, policy: layout.policy })
  const network = {
    dataDir,
    rpcUrl,
    chainId,
    registry,
    gateway: gateway.url(),
    policy: layout.policy,
    identity,
    children,
  }
  reportReady(output, network, performance.now() - startedMs)
  return network
}

/** Everybody knows the bank's key, so it works only on a chain of this machine, and only where it has coins. */
async function assertBankOn(bank: ChainClient): Promise<void> {
  const { rpcUrl } = bank
  await getBlock(bank)
  if (await isLocalNetwork(rpcUrl)) return
  throw new FundsMissingError(
    `the chain at ${rpcUrl} is not on this machine, or gives ${localBankAddress()} no coins to deploy with`,
    {
      blame: 'user',
      retry: 'never',
      fix: 'Give that account 10^26 wei or more on a test chain of this machine. Networks where money counts are joined with: memo provider init',
    },
  )
}

function createReporter(output: Output, startedMs: number) {
  return (what: string, where: string, json: Readonly<Record<string, unknown>>): void => {
    const ms = Math.round(performance.now() - startedMs)
    const time = output.style('dim', formatMs(ms).padStart(8))
    output.progress(`  ${what.padEnd(11)}${where.padEnd(44)}${time}`, { event: what, ms, ...json })
  }
}

function reportChild(output: Output, child: Child, event: ChildEvent): void {
  const { name, role } = child
  if (event.type === 'ready') {
    const json = { event: 'node-up', name, role, pid: child.pid(), url: event.url }
    if (event.isAgain) output.progress(`  ${name} is up again`, json)
    else output.event(json)
    return
  }
  const { code, signal, restartInMs } = event
  const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
  const json = { event: 'node-down', name, role, code, signal, ...(restartInMs === undefined ? {} : { restartInMs }) }
  if (restartInMs === undefined) output.event(json)
  else output.progress(`  ${name} ${how}; starting it again in ${formatMs(restartInMs)}`, json)
}

function reportReady(output: Output, network: RunningNetwork, ms: number): void {
  const { gateway, rpcUrl, chainId, registry, identity, children, dataDir } = network
  const nodes = children.map(
    (child): RunningNode => ({
      name: child.name,
      role: child.role,
      pid: child.pid() ?? 0,
      url: child.url(),
      ...(child.address() ? { address: child.address() as Address } : {}),
    }),
  )
  const ready = { gateway, rpc: rpcUrl, chainId, registry, did: identity.did }
  output.progress('')
  output.data(
    [
      `ready in ${formatMs(ms)}`,
      '',
      `  gateway   ${gateway}`,
      `  chain     ${rpcUrl}  (chain id ${chainId})`,
      `  registry  ${registry}`,
      `  you are   ${identity.did}`,
      `  your key  ${identity.keyFile}`,
      `  data      ${dataDir}`,
      '',
      'beside it, in another terminal:',
      ...nextSteps(dataDir),
      '',
      'Ctrl-C stops everything and keeps the data.',
    ].join('\n'),
    { event: 'ready', ...ready, keyFile: identity.keyFile, dataDir, nodes, ms: Math.round(ms) },
  )
}

/** What can be typed next, as it works where this was typed. */
function nextSteps(dataDir: string): string[] {
  const { memo, data } = wordsFor(dataDir)
  const steps = [
    ['put FILE', 'stores a file'],
    ['ls --long', 'shows your files, and until when they are paid for'],
    ['wallet', 'shows your MEMO'],
    ['buy space 10GiB', 'shows what space at the gateway costs, and asks'],
  ]
  return formatTable(steps.map(([verb, what]) => [`  ${memo} ${verb}${data}`, what as string])).split('\n')
}

/** What others lean on stops last: gateway, then nodes, then the chain. */
async function stopAll(output: Output, children: readonly Child[]): Promise<void> {
  if (children.length === 0) return
  output.progress('\nstopping …', { event: 'stopping' })
  const phases: readonly (readonly ChildRole[])[] = [['gateway'], ['keeper', 'provider'], ['chain']]
  for (const roles of phases) {
    await Promise.all(children.filter(({ role }) => roles.includes(role)).map((child) => child.stop(STOP_GRACE_MS)))
  }
  output.progress('stopped; the data is kept', { event: 'stopped' })
}
