import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBody } from '../network/bodies.ts'
import { get, put, removeAll } from '../network/transfers.ts'
import type { BenchRow, NetworkBench } from '../row.ts'
import { megabytesPerSecond } from '../turns.ts'
import { PEERS } from './all-peers.ts'
import { drain, findProgram, type Peer } from './peer.ts'

const MIB = 1_048_576
const SIZE_BYTES = 256 * MIB
const QUICK_BYTES = 32 * MIB

/**
 * The same file through other stores, where they are installed on this machine: one run each, and what we make of theirs.
 * They keep it once and in clear, ours is sealed, coded and durable at six providers: a sense of place, not a contest.
 */
export const benchPeers: NetworkBench = async (place, { isQuick, signal, progress }) => {
  const sizeBytes = isQuick ? QUICK_BYTES : SIZE_BYTES
  const rows: BenchRow[] = []
  for (const peer of PEERS) {
    const program = findProgram(peer.program)
    if (!program) {
      progress(`  peers: ${peer.name} is not measured: there is no ${peer.program} on the PATH`)
      continue
    }
    try {
      const theirs = await measurePeer(peer, program, sizeBytes, signal)
      const client = place.clients[0]!
      const stored = await put(client, createBody(sizeBytes))
      const getMs = await get(client, stored.cid, sizeBytes)
      await removeAll(client)
      rows.push(...rowsOf(peer.name, sizeBytes, theirs, { putMs: stored.ms, getMs }))
    } catch (error) {
      signal.throwIfAborted()
      progress(`  peers: ${peer.name} is not measured: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return rows
}

type Took = { readonly putMs: number; readonly getMs: number }

async function measurePeer(peer: Peer, program: string, sizeBytes: number, signal: AbortSignal): Promise<Took> {
  const dir = await mkdtemp(join(process.env.MEMO_BENCH_DIR ?? tmpdir(), `memo-bench-${peer.program}-`))
  try {
    const running = await peer.start(program, dir, signal)
    try {
      await running.put('warm', createBody(MIB).open(), MIB)
      const body = createBody(sizeBytes)
      const putMs = await timed(async () => await running.put('file', body.open(), sizeBytes))
      const getMs = await timed(async () => {
        const length = await drain(await running.get('file'))
        if (length !== sizeBytes) throw new Error(`${length} bytes came where ${sizeBytes} were to come`)
      })
      return { putMs, getMs }
    } finally {
      await running.stop()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function rowsOf(name: string, sizeBytes: number, theirs: Took, ours: Took): BenchRow[] {
  return (['put', 'get'] as const).flatMap((way): BenchRow[] => {
    const [their, our] = [theirs[`${way}Ms`], ours[`${way}Ms`]]
    const baseline = `${way} of ${name}`
    return [
      { name: baseline, value: megabytesPerSecond(sizeBytes, their), unit: 'MB/s', runs: 1 },
      {
        name: `${way} beside ${name}`,
        value: megabytesPerSecond(sizeBytes, our),
        unit: 'MB/s',
        ratio: their / our,
        baseline,
        runs: 1,
      },
    ]
  })
}
