import type { BenchRow, NetworkBench } from '../row.ts'
import { createBody } from './bodies.ts'
import type { Place } from './place.ts'
import { forgetPeak, peakMiBOf } from './processes.ts'
import { get, put, removeAll } from './transfers.ts'

const KIB = 1_024
const MIB = 1_048_576
const GIB = 1_024 * MIB
const STREAMS = 4
const MIXED_SIZES: readonly number[] = [KIB, 64 * KIB, MIB, 5 * MIB, 16 * MIB, 48 * MIB, 100 * KIB, 9 * MIB]

/**
 * The most memory that the gateway's process holds: with four large uploads at once, and with 64 streams of all sizes,
 * half of them up and half down. The largest of all runs counts, since one that is too large ends a process.
 */
export const benchMemory: NetworkBench = async (place, { isQuick, signal, progress }) => {
  const sizeBytes = isQuick ? 64 * MIB : GIB
  const rows: BenchRow[] = []
  const benches = [
    // A thousand stripes and more, of which each may set the peak: one run of them is enough.
    { name: `${STREAMS} uploads of ${sizeBytes / MIB} MiB`, runs: 1, run: () => uploadAtOnce(place, sizeBytes) },
    { name: '64 mixed streams', runs: isQuick ? 1 : 2, run: () => mixStreams(place) },
  ]
  for (const { name, runs, run } of benches) {
    const peaks: number[] = []
    for (let i = 0; i < runs; i++) {
      peaks.push(await run())
      progress(`  memory: ${name}, peak ${peaks.at(-1)?.toFixed(0)} MiB`)
      signal.throwIfAborted()
    }
    rows.push({ name: name.replace(/ of \d+ MiB/, ''), value: Math.max(...peaks), unit: 'MiB', runs })
  }
  return rows
}

async function uploadAtOnce(place: Place, sizeBytes: number): Promise<number> {
  const clients = place.clients.slice(0, STREAMS)
  const peak = await peakDuring(place, async () => {
    await Promise.all(clients.map(async (client) => await put(client, createBody(sizeBytes))))
  })
  await Promise.all(clients.map(removeAll))
  return peak
}

async function mixStreams(place: Place): Promise<number> {
  const sizeOf = (index: number) => MIXED_SIZES[index % MIXED_SIZES.length]!
  const half = place.clients.length >> 1
  const readers = place.clients.slice(0, half)
  const writers = place.clients.slice(half)
  const stored = await Promise.all(
    readers.map(async (client, i) => ({ client, size: sizeOf(i), ...(await put(client, createBody(sizeOf(i)))) })),
  )
  const peak = await peakDuring(place, async () => {
    await Promise.all([
      ...stored.map(async ({ client, cid, size }) => await get(client, cid, size)),
      ...writers.map(async (client, i) => await put(client, createBody(sizeOf(i)))),
    ])
  })
  await Promise.all(place.clients.map(removeAll))
  return peak
}

async function peakDuring({ network }: Place, work: () => Promise<void>): Promise<number> {
  forgetPeak(network.gatewayPid)
  await work()
  return peakMiBOf(network.gatewayPid)
}
