import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { accountFromSecretKey, connectNetwork, createChainClient, getBlock, type MemoChain } from '@memo/chain'
import { type Address, createKeySigner, MemoError, NotFoundError } from '@memo/core'
import { deriveMemoDid } from '@memo/did'
import type { RestoreReport, SlotProgress } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { readSecretKey } from '../key-file.ts'
import { isLocalNetwork, localRegistry } from '../local-chain.ts'
import { formatBytes } from '../output.ts'
import type { Verb } from '../program.ts'
import { networkOf } from '../settings.ts'
import { freshName, type TakenNames } from './file-name.ts'
import { writeToFile } from './get.ts'
import { type UserOptions, withStorage } from './open-storage.ts'
import { tellSource, tellUnknown } from './restore-report.ts'

export type RestoreOptions = UserOptions & {
  readonly key: string
  readonly output: string
  readonly did?: string
  readonly fromCheckpoint?: boolean
}

/** Registries that a local network may have, by keepers in a group. */
const LOCAL_LEVELS = [3, 2, 1]

/**
 * `memo restore`: every file of a DID, from its key and one RPC endpoint. No gateway is asked, and where none answers no
 * keeper either (`spec/checkpoint.md` 9).
 */
export const restore: Verb<RestoreOptions> = async (context, options) => {
  const { output, runtime } = context
  const secretKey = await readSecretKey(options.key, options)
  const signer = createKeySigner(secretKey)
  const chain = await connect(options, secretKey)
  const did = options.did ?? deriveMemoDid(signer.address, 0)
  if (!(await chain.findDid(did))) {
    throw new NotFoundError(`there is no ${did} on this chain`, {
      fix: 'Check the key and the RPC endpoint, or name the DID with --did.',
    })
  }
  await mkdir(options.output, { recursive: true })
  const names: TakenNames = new Map()
  let restored = 0
  let failed = 0
  let source: RestoreReport | undefined
  const onReport = (report: RestoreReport) => {
    source = report
    const { lines, json } = tellSource(report)
    if (lines.length > 0) output.progress(lines.join('\n'), json)
    else output.event(json)
  }
  const from = options.fromCheckpoint ? 'checkpoints' : 'any'
  const onProgress = ({ looked, slots }: SlotProgress) =>
    output.live(`looked at ${looked} of ${slots} checkpoint${slots === 1 ? '' : 's'}`)
  await withStorage(chain, signer, secretKey, async (storage, reader) => {
    for await (const { object, open } of storage.restore(did, {
      reader,
      from,
      onReport,
      onProgress,
      signal: runtime.signal,
    })) {
      const { cid, name, sizeBytes } = object
      const path = join(options.output, freshName(names, name ?? '', cid ?? ''))
      try {
        await writeToFile(open(), path)
        restored++
        output.progress(`  ${formatBytes(sizeBytes).padStart(9)}  ${path}`, { event: 'restored', cid, path, sizeBytes })
      } catch (error) {
        if (!(error instanceof MemoError) || runtime.wasInterrupted()) throw error
        failed++
        output.progress(`  cannot restore ${path}: ${error.message}`, { event: 'failed', cid, path, error: error.name })
      }
    }
  })
  const summary = `restored ${restored} file${restored === 1 ? '' : 's'} of ${did}${failed > 0 ? `, ${failed} failed` : ''}`
  const unknown = tellUnknown(source)
  output.data([summary, ...unknown.lines].join('\n'), {
    event: 'done',
    did,
    restored,
    failed,
    dir: options.output,
    ...unknown.json,
  })
  return failed > 0 ? EXIT.unreachable : EXIT.ok
}

async function connect(options: RestoreOptions, secretKey: Uint8Array): Promise<MemoChain> {
  const account = accountFromSecretKey(secretKey)
  if (options.registry !== undefined || process.env.MEMO_REGISTRY !== undefined) {
    return await connectNetwork({ ...networkOf(options, undefined), account })
  }
  const rpcUrl = options.rpc ?? process.env.MEMO_RPC
  if (rpcUrl === undefined) throw new UsageError('--rpc is missing', 'Give the JSON-RPC URL of the chain.')
  await getBlock(createChainClient({ rpcUrl })) // a chain that does not answer is no lack of an option
  if (!(await isLocalNetwork(rpcUrl))) {
    throw new UsageError('--registry is missing', 'Give the address of the network’s registry.')
  }
  return await findLocal(rpcUrl, account, LOCAL_LEVELS.map(localRegistry))
}

/** The first of `candidates` that is a registry. */
async function findLocal(
  rpcUrl: string,
  account: ReturnType<typeof accountFromSecretKey>,
  candidates: readonly Address[],
): Promise<MemoChain> {
  const [registry, ...others] = candidates
  try {
    return await connectNetwork({ rpcUrl, registry: registry as Address, account })
  } catch (error) {
    if (others.length === 0 || !(error instanceof MemoError) || error.name !== 'NotAMemoRegistry') throw error
    return await findLocal(rpcUrl, account, others)
  }
}
