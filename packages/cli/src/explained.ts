import { join } from 'node:path'
import { type ErrorEnvelope, envelopeFromError, MemoError, RemoteError } from '@memo/core'
import { fileError } from './file-error.ts'
import { findNodeConfig } from './nodes/node-config.ts'
import { type CommonOptions, dataDirOf, findProfile, type NetworkOptions, quotedPath } from './settings.ts'
import { findLocalRpcUrl } from './up/layout.ts'

type Options = CommonOptions & NetworkOptions
type Change = Partial<Pick<MemoError, 'message' | 'blame' | 'retry'>> & {
  readonly why?: string | undefined
  readonly fix?: string
}

const MAX_CAUSES = 12

/** What lies under an unanswered request, by code or words, for people. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'the connection was refused: no program listens there'],
  [/ENOTFOUND|EAI_AGAIN/, 'this host name is not known; the network may be down'],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN/, 'there is no way to this host; the network may be down'],
  [/ETIMEDOUT|UND_ERR_\w*TIMEOUT|TimeoutError|aborted due to timeout/, 'no answer came in time'],
  [/ERR_SSL|EPROTO|CERT|SSL routines/i, 'what listens there does not speak https as it should'],
  [
    /and no JSON-RPC|an answer to another question|an answer without|an error without/,
    'what answers there is no chain',
  ],
  [/bad port/, 'this port is one on which nobody may be asked'],
  [/ECONNRESET|UND_ERR_SOCKET|other side closed/, 'the connection broke'],
]

/** The error, with what it means for who called with these options, and which of them mends it. */
export function explained(thrown: unknown, options: Options): unknown {
  const error = fileError(ownError(thrown))
  if (!(error instanceof MemoError)) return error
  const change = explain(error, options)
  if (!change) return error
  const { why, ...changed } = change
  const envelope = envelopeFromError(error).error
  const causes = why === undefined ? {} : { causes: [why, ...(envelope.causes ?? [])] }
  return new RemoteError({ error: { ...envelope, ...changed, ...causes } satisfies ErrorEnvelope['error'] })
}

/** The embedded chain has errors of its own, which say as much. */
function ownError(thrown: unknown): unknown {
  if (thrown instanceof MemoError || !(thrown instanceof Error) || !('blame' in thrown && 'retry' in thrown))
    return thrown
  const { name, message, fix } = thrown as Error & { readonly fix?: string }
  const blame = thrown.blame === 'user' || thrown.blame === 'chain' ? thrown.blame : 'us'
  const retry = thrown.retry === 'never' ? 'never' : 'later'
  return new RemoteError({ error: { name, message, blame, retry, ...(fix === undefined ? {} : { fix }) } })
}

function explain(error: MemoError, options: Options): Change | undefined {
  switch (error.name) {
    case 'RpcUnreachable':
      return unreachable(error, options)
    case 'NotAMemoRegistry':
      return {
        message: `${error.message} (${registrySource(options)})`,
        fix: `Check the address of the registry, and the RPC (${rpcSource(options)}), which must be one of its chain.`,
      }
    case 'WrongChainId':
      return {
        message: `${error.message} (${rpcSource(options)})`,
        fix: `Give the --rpc URL of chain ${error.details.expected}, or the directory of the other network with --data DIR.`,
      }
    case 'RpcBehind':
      return { fix: `Run the command again in a moment, or give --rpc a node that keeps up with the chain.` }
    case 'BadCidError':
      return { fix: 'A CID is what memo put has printed; memo ls lists those of your files.' }
    case 'DataDirectoryInUseError':
      return inUse(error, options)
    case 'DiskFaultError':
      return findFileFault(error)
    default:
      return undefined
  }
}

function unreachable(error: MemoError, options: Options): Change {
  const { rpcUrl } = error.details
  const local = findUrl(dataDirOf(options))
  const message = `${error.message} (${rpcSource(options)})`
  const why = reasonOf(error)
  if (local !== undefined && URL.parse(String(rpcUrl))?.origin === local) {
    const at = options.data === undefined ? '' : ` --data ${quotedPath(options.data)}`
    return { message, why, fix: `Start it with: memo up${at}` }
  }
  return {
    message,
    why,
    fix: 'Start the chain, or give --rpc the URL of one that runs; memo up starts one of your own.',
  }
}

function inUse({ details }: MemoError, options: Options): Change {
  const other = 'take another directory with --data DIR'
  const isNetwork = details.path === dataDirOf(options) && findUrl(dataDirOf(options)) !== undefined
  if (!isNetwork) return { fix: `Stop the other process, or ${other}.` }
  return { fix: `The network runs already: memo info shows it. For a second one, ${other} and another --port.` }
}

/** Why nothing answered, where the errors under it say so. */
function reasonOf(error: MemoError): string | undefined {
  const words: string[] = []
  let current: unknown = error
  for (let i = 0; i < MAX_CAUSES && current instanceof Error; i++) {
    const [first] = current instanceof AggregateError ? current.errors : []
    const { code, name, message } = current as NodeJS.ErrnoException
    words.push(`${code ?? ''} ${name} ${message}`)
    current = current.cause ?? first
  }
  if (error instanceof RemoteError) words.push(...error.causes)
  return REASONS.find(([pattern]) => words.some((word) => pattern.test(word)))?.[1]
}

/** Who named the RPC: in the order of `networkOf`. */
function rpcSource(options: Options): string {
  return sourceOf(options, { flag: '--rpc', given: options.rpc, variable: 'MEMO_RPC' })
}

function registrySource(options: Options): string {
  return sourceOf(options, { flag: '--registry', given: options.registry, variable: 'MEMO_REGISTRY' })
}

function sourceOf(
  options: Options,
  { flag, given, variable }: { readonly flag: string; readonly given: string | undefined; readonly variable: string },
): string {
  if (given !== undefined) return `from ${flag}`
  if (process.env[variable] !== undefined) return `from ${variable}`
  const dataDir = dataDirOf(options)
  return `from ${join(dataDir, hasProfile(dataDir) ? 'profile.json' : 'node.json')}`
}

function hasProfile(dataDir: string): boolean {
  try {
    return findProfile(dataDir) !== undefined || findNodeConfig(dataDir) === undefined
  } catch {
    return true // what is to be told is what went wrong before
  }
}

/** A disk that does not fail: it is only not ours to write. */
function findFileFault(error: MemoError): Change | undefined {
  const { path } = error.details
  const known = fileError(error.cause, typeof path === 'string' ? path : undefined)
  if (!(known instanceof MemoError)) return undefined
  const { message, blame, retry, fix } = known
  return { message, blame, retry, ...(fix === undefined ? {} : { fix }) }
}

function findUrl(dataDir: string): string | undefined {
  try {
    return findLocalRpcUrl(dataDir)
  } catch {
    return undefined // what is to be told is that the chain does not answer
  }
}
