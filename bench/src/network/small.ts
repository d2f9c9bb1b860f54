import type { BenchRow, NetworkBench } from '../row.ts'
import { median } from '../turns.ts'
import { createBody, createBytes } from './bodies.ts'
import type { Place } from './place.ts'
import { cpuSecondsOfAll } from './processes.ts'
import { getPlainly, putPlainly, removeAll } from './transfers.ts'

const KIB = 1_024
const SIZES: readonly number[] = [KIB, 64 * KIB]
const ROUNDS = 5
const QUICK_ROUNDS = 2
const CLIENTS = 32
const SETTLE_MS = 500

/** Rates of one round, what each request waited for its first byte, and the processor time of all who served it. */
type Round = { readonly perSecond: number; readonly firstBytesMs: readonly number[]; readonly cpuMs: number }

/** Many small objects from 32 clients: private, durable, each request signed, as against a plain server's files. */
export const benchSmall: NetworkBench = async (place, { isQuick, signal, progress }) => {
  const rows: BenchRow[] = []
  for (const sizeBytes of SIZES) {
    const [perClient, timedRounds] = isQuick ? [1, QUICK_ROUNDS] : [4, ROUNDS]
    const rounds = { plainPut: [] as Round[], put: [] as Round[], plainGet: [] as Round[], get: [] as Round[] }
    for (let i = 0; i <= timedRounds; i++) {
      const round = await runRound(place, sizeBytes, perClient)
      // The first one compiles and connects.
      if (i > 0) for (const key of ['plainPut', 'put', 'plainGet', 'get'] as const) rounds[key].push(round[key])
      signal.throwIfAborted()
    }
    const name = `${sizeBytes / KIB} KiB`
    progress(`  small: ${name}`)
    rows.push(
      ...rowsOf(`put ${name}`, rounds.plainPut, rounds.put),
      ...rowsOf(`get ${name}`, rounds.plainGet, rounds.get),
    )
  }
  return rows
}

async function runRound(place: Place, sizeBytes: number, perClient: number) {
  const clients = place.clients.slice(0, CLIENTS)
  const cids: string[][] = clients.map(() => [])
  const { pids } = place.network
  const timeAll = async (
    serving: readonly number[],
    work: (client: number, turn: number) => Promise<number>,
  ): Promise<Round> => {
    const firstBytesMs: number[] = []
    const cpuBefore = cpuSecondsOfAll(serving)
    const startMs = performance.now()
    await Promise.all(
      clients.map(async (_, client) => {
        for (let turn = 0; turn < perClient; turn++) firstBytesMs.push(await work(client, turn))
      }),
    )
    const count = CLIENTS * perClient
    const perSecond = (count * 1e3) / (performance.now() - startMs)
    // What follows from a put, such as that keepers tell each other, is part of its cost and not of the next get's.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const cpuMs = ((cpuSecondsOfAll(serving) - cpuBefore) * 1e3) / count
    return { perSecond, firstBytesMs, cpuMs }
  }
  const nameOf = (client: number, turn: number) => `small-${client}-${turn}`
  const plainPut = await timeAll(
    [place.plainPid],
    async (i, j) => await putPlainly(place, nameOf(i, j), createBody(sizeBytes)),
  )
  const put = await timeAll(pids, async (i) => {
    const { client, timing } = clients[i]!
    const { cid } = await client.upload(createBytes(sizeBytes), { name: 'small.bin' })
    cids[i]!.push(cid)
    return timing.headMs - timing.startMs
  })
  const plainGet = await timeAll([place.plainPid], async (i, j) => await getPlainly(place, nameOf(i, j), sizeBytes))
  const get = await timeAll(pids, async (i, j) => {
    const { client, timing } = clients[i]!
    const { body } = await client.download(cids[i]![j]!)
    for await (const _ of body);
    return timing.firstByteMs - timing.startMs
  })
  await Promise.all(clients.map(removeAll))
  return { plainPut, put, plainGet, get }
}

function rowsOf(name: string, plain: readonly Round[], rounds: readonly Round[]): BenchRow[] {
  const runs = rounds.length
  const waits = rounds.flatMap(({ firstBytesMs }) => firstBytesMs).sort((a, b) => a - b)
  const rate = (all: readonly Round[]) => median(all.map(({ perSecond }) => perSecond))
  const ratio = median(rounds.map(({ perSecond }, i) => perSecond / plain[i]!.perSecond))
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? Number.NaN
  return [
    { name: `plain ${name}`, value: rate(plain), unit: '/s', runs },
    { name, value: rate(rounds), unit: '/s', ratio, baseline: `plain ${name}`, runs },
    { name: `${name}: CPU of all nodes`, value: median(rounds.map(({ cpuMs }) => cpuMs)), unit: 'ms each', runs },
    { name: `${name}: first byte, half of all within`, value: at(0.5), unit: 'ms', runs },
    { name: `${name}: first byte, 99 % within`, value: at(0.99), unit: 'ms', runs },
  ]
}
