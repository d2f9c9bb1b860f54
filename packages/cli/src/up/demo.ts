import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHttpTransport, createSystemClock, createSystemRandomness } from '@memo/platform'
import { createGatewayClient, type GatewayClient, type PieceStatus } from '@memo/sdk'
import { ProcessFailedError } from '../errors.ts'
import { formatBytes, formatMs, type Output } from '../output.ts'
import { type Runtime, raceAbort } from '../runtime.ts'
import { wordsFor } from '../settings.ts'
import { withStorage } from '../user/open-storage.ts'
import type { Child } from './child.ts'
import type { RunningNetwork } from './run-up.ts'

const FILE_BYTES = 5_000_000
const FILE_NAME = 'memo-demo.bin'

/**
 * Shows what the network is for: a file goes in through the gateway's HTTP API, a provider that holds a piece of it is
 * killed and held down, and the file comes out all the same. Rejects when any of that is not so.
 */
export async function runDemo(runtime: Runtime, output: Output, network: RunningNetwork): Promise<void> {
  const { signal } = runtime
  const say = (step: string, text: string, ms: number | undefined, json: Readonly<Record<string, unknown>>) => {
    const time = ms === undefined ? '' : output.style('dim', formatMs(ms).padStart(8))
    const line = `  ${step.padEnd(11)}${text.padEnd(58)}${time}`.trimEnd()
    output.progress(line, { event: 'demo', step, ...(ms === undefined ? {} : { ms: Math.round(ms) }), ...json })
  }
  output.progress(`\n${output.style('bold', 'demo')}\n`)
  const file = new Uint8Array(randomBytes(FILE_BYTES))
  const path = await keepFile(network.dataDir, file)
  const { transport, close } = createHttpTransport({ blame: 'us' })
  try {
    const client = createGatewayClient({
      endpoint: network.gateway,
      transport,
      did: network.identity.did,
      signer: network.identity.signer,
      clock: createSystemClock(),
      random: createSystemRandomness(),
    })
    const stored = await timed(async () => {
      return await client.upload(file, { name: FILE_NAME, isPublic: true, signal })
    })
    const { cid } = stored.value
    say('stored', `${formatBytes(file.length)} by POST ${network.gateway}/mefs/`, stored.ms, { cid, path })

    const pieces = await listPieces(network, cid, signal)
    const { dataShards = 0 } = pieces[0] ?? {}
    const spread = `${pieces.length} pieces, each at another provider; any ${dataShards} do`
    say('spread', spread, undefined, { pieces: pieces.length, dataShards })

    const { child, piece } = holderOf(network, pieces)
    const pid = child.pid()
    await child.kill()
    say('killed', `${child.name} (process ${pid}), which held piece ${piece.index}`, undefined, {
      name: child.name,
      pid,
    })

    const fetched = await timed(() => fetchSame(client, cid, file, signal))
    const what = `${formatBytes(fetched.value)} while it is down; CID and bytes are the same`
    say('fetched', what, fetched.ms, { cid, sizeBytes: fetched.value })

    const back = await timed(async () => {
      child.start()
      await raceAbort(child.whenReady(), signal)
    })
    say('back', `${child.name} (process ${child.pid()})`, back.ms, { name: child.name, pid: child.pid() })
    reportNext(output, network, cid)
  } finally {
    await close()
  }
}

/** The file is kept, so that whoever fetches it can compare. */
async function keepFile(dataDir: string, file: Uint8Array): Promise<string> {
  const dir = join(dataDir, 'demo')
  await mkdir(dir, { recursive: true })
  const path = join(dir, FILE_NAME)
  await writeFile(path, file)
  return path
}

async function listPieces(
  { identity }: RunningNetwork,
  cid: string,
  signal: AbortSignal,
): Promise<readonly PieceStatus[]> {
  return await withStorage(identity.chain, identity.signer, identity.secretKey, async (storage) => {
    const object = await storage.findPublicObject(cid, { signal })
    return object?.manifest ? await storage.status(object.manifest, { owner: object.did, signal }) : []
  })
}

/** The process that holds the first piece, which carries data, so that its loss is felt. */
function holderOf({ children }: RunningNetwork, pieces: readonly PieceStatus[]): { child: Child; piece: PieceStatus } {
  for (const piece of pieces) {
    const child = children.find((one) => one.address() === piece.provider)
    if (child && piece.alive) return { child, piece }
  }
  throw new ProcessFailedError('no provider of this network holds a piece of the file', {
    blame: 'us',
    retry: 'never',
    fix: 'Report this as a bug.',
  })
}

/** Fetches the file as anybody may; gives its length. The client checks the CID. */
async function fetchSame(client: GatewayClient, cid: string, file: Uint8Array, signal: AbortSignal): Promise<number> {
  const { body } = await client.download(cid, { isPublic: true, signal })
  const hash = createHash('sha256')
  let length = 0
  for await (const part of body) {
    hash.update(part)
    length += part.length
  }
  if (hash.digest('hex') === createHash('sha256').update(file).digest('hex')) return length
  throw new ProcessFailedError('what came back is not what was stored', {
    blame: 'us',
    retry: 'never',
    fix: 'Report this as a bug.',
    details: { cid, length, expected: file.length },
  })
}

/** Three commands that work as they stand. */
function reportNext(output: Output, { gateway, dataDir }: RunningNetwork, cid: string): void {
  const { memo, data } = wordsFor(dataDir)
  const commands = [
    `curl -o ${FILE_NAME} ${gateway}/mefs/${cid}`,
    `${memo} status ${cid}${data}`,
    `${memo} put FILE${data}`,
  ]
  const lines = ['', 'Try, in another terminal:', '', ...commands.map((command) => `  ${command}`), '']
  output.data(lines.join('\n'), { event: 'demo-done', ok: true, cid, next: commands })
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const startedMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startedMs }
}
