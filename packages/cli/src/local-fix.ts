import { envelopeFromError, MemoError, RemoteError } from '@memo/core'
import { type CommonOptions, dataDirOf } from './settings.ts'
import { findLocalRpcUrl } from './up/layout.ts'

/** The error, with how to start the chain that did not answer where it is that of the local network in the data directory. */
export function withLocalFix(error: unknown, options: CommonOptions): unknown {
  if (!(error instanceof MemoError) || error.name !== 'RpcUnreachable') return error
  const { rpcUrl } = error.details
  const local = findUrl(dataDirOf(options))
  if (local === undefined || URL.parse(String(rpcUrl))?.origin !== local) return error
  const at =
    options.data === undefined ? '' : ` --data ${/\s/.test(options.data) ? JSON.stringify(options.data) : options.data}`
  return new RemoteError({ error: { ...envelopeFromError(error).error, fix: `Start it with: memo up${at}` } })
}

function findUrl(dataDir: string): string | undefined {
  try {
    return findLocalRpcUrl(dataDir)
  } catch {
    return undefined // what is to be told is that the chain does not answer
  }
}
