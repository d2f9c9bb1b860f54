import { deriveMemoDid } from '@memo/did'
import { NotSetUpError, UsageError } from '../errors.ts'
import { formatBytes } from '../output.ts'
import type { Verb } from '../program.ts'
import { type CommonOptions, dataDirOf, findProfile } from '../settings.ts'
import { type AccountOptions, openPayer } from './account.ts'
import { kindOf, sizeOf } from './buy.ts'
import { callGateway } from './gateway.ts'
import { createStamp } from './stamp.ts'

export type ApplyOptions = AccountOptions & {
  readonly type: string
  readonly size: string
  readonly evidence: string
  readonly gateway?: string
}

/** `memo apply`: asks the administrators of a gateway for free space or traffic. */
export const apply: Verb<ApplyOptions> = async (context, options) => {
  const kind = kindOf(options.type)
  const sizeBytes = sizeOf(options.size)
  const { evidence } = options
  assertWebAddress(evidence)
  const endpoint = gatewayOf(options)
  const { address, chain, secretKey, ...own } = await openPayer(options)
  // A key file says of no DID; its first one is that of `memo restore` as well.
  const did = options.key === undefined ? own.did : deriveMemoDid(address, 0)
  if (did === undefined) throw new NotSetUpError('whoever applies has a DID', 'Make one with: memo did create')
  const { signal } = context.runtime
  const stamp = await createStamp(context, endpoint, { purpose: 'apply', subject: did })
  const { id } = await callGateway(endpoint, {
    method: 'POST',
    path: '/applications',
    body: { did, type: kind, evidence, sizeBytes, stamp },
    signer: { network: chain.network, secretKey },
    signal,
  })
  const text = `application ${id} for ${formatBytes(sizeBytes)} of ${kind} waits for a decision; look with: memo balance`
  context.output.data(text, { event: 'applied', id, kind, sizeBytes, did, evidence, gateway: endpoint })
  return undefined
}

/** The gateway of `--gateway`, else of the data directory. Errors: {@link NotSetUpError}, {@link UsageError}. */
export function gatewayOf(options: CommonOptions & { readonly gateway?: string }): string {
  const endpoint = options.gateway ?? findProfile(dataDirOf(options))?.gateway
  if (endpoint === undefined) throw new NotSetUpError('no gateway is known here', 'Give --gateway URL.')
  return webAddress('--gateway', endpoint)
}

/** An http URL without a slash at its end. Errors: {@link UsageError}. */
export function webAddress(flag: string, text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text.replace(/\/+$/, '')
  throw new UsageError(`${flag} ${text} is not an http URL`, 'Write it as https://gateway.example')
}

function assertWebAddress(text: string): void {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return
  throw new UsageError(`--evidence ${text} is not an http URL`, 'Give the address of what you show, such as a post.')
}
