import type { BenchOptions, BenchRow, NetworkBench } from '../row.ts'
import { median, medianRatio, megabytesPerSecond } from '../turns.ts'
import { createBody } from './bodies.ts'
import type { Place } from './place.ts'
import { cpuSecondsOf, cpuSecondsOfAll, forgetPeak, peakMiBOf } from './processes.ts'
import { deletePlainly, get, getPlainly, put, putPlainly, removeAll } from './transfers.ts'

const MIB = 1_048_576
const GIB = 1_024 * MIB
const QUICK_BYTES = 64 * MIB
const TURNS = 5
const QUICK_TURNS = 2

/** What one transfer took, in all processes that had a part in it. */
type Sample = {
  readonly plainMs: number
  readonly plainCpu: number
  readonly ms: number
  readonly gatewayCpu: number
  readonly providersCpu: number
  readonly peakMiB: number
}

/**
 * One stream through a gateway and back, with seven providers as processes of their own on the same machine and disk:
 * sealed, coded 4+2, durable. Held against a plain server with the same bytes on the same disk, turn by turn.
 */
export const benchHttp: NetworkBench = async (place, options) => {
  const [sizeBytes, turns] = options.isQuick ? [QUICK_BYTES, QUICK_TURNS] : [GIB, TURNS]
  const puts: Sample[] = []
  const gets: Sample[] = []
  await runTurn(place, Math.min(sizeBytes, 6 * QUICK_BYTES)) // code is compiled, connections are open
  for (let turn = 0; turn < turns; turn++) {
    const { up, down } = await runTurn(place, sizeBytes)
    puts.push(up)
    gets.push(down)
    report(options, sizeBytes, `${turn + 1}/${turns}`, up, down)
    options.signal.throwIfAborted()
  }
  return [...rowsOf('put', puts, sizeBytes), ...rowsOf('get', gets, sizeBytes)]
}

async function runTurn(place: Place, sizeBytes: number): Promise<{ up: Sample; down: Sample }> {
  const client = place.clients[0]!
  const body = createBody(sizeBytes)
  let cid = ''
  const up = await sampleOf(
    place,
    async () => await putPlainly(place, 'file', body),
    async () => {
      const done = await put(client, body)
      cid = done.cid
      return done.ms
    },
  )
  const down = await sampleOf(
    place,
    async () => await getPlainly(place, 'file', sizeBytes),
    async () => await get(client, cid, sizeBytes),
  )
  await removeAll(client)
  await deletePlainly(place, 'file')
  return { up, down }
}

async function sampleOf(
  { network, plainPid }: Place,
  plainly: () => Promise<number>,
  through: () => Promise<number>,
): Promise<Sample> {
  const { gatewayPid, providerPids } = network
  const plainBefore = cpuSecondsOf(plainPid)
  const plainMs = await plainly()
  const plainCpu = cpuSecondsOf(plainPid) - plainBefore
  forgetPeak(gatewayPid)
  const gatewayBefore = cpuSecondsOf(gatewayPid)
  const providersBefore = cpuSecondsOfAll(providerPids)
  const ms = await through()
  return {
    plainMs,
    plainCpu,
    ms,
    gatewayCpu: cpuSecondsOf(gatewayPid) - gatewayBefore,
    providersCpu: cpuSecondsOfAll(providerPids) - providersBefore,
    peakMiB: peakMiBOf(gatewayPid),
  }
}

function rowsOf(way: string, samples: readonly Sample[], sizeBytes: number): BenchRow[] {
  const runs = samples.length
  const perGiB = (seconds: number) => (seconds * GIB) / sizeBytes
  const of = (key: keyof Sample) => samples.map((sample) => sample[key])
  const plain = `plain ${way}`
  const cpuRow = (name: string, key: 'gatewayCpu' | 'providersCpu'): BenchRow => ({
    name,
    value: perGiB(median(of(key))),
    unit: 'CPU s/GiB',
    ratio: median(samples.map((sample) => sample[key] / sample.plainCpu)),
    baseline: `CPU of ${plain}`,
    runs,
  })
  const rate = (ms: readonly number[]) => megabytesPerSecond(sizeBytes, median(ms))
  return [
    { name: plain, value: rate(of('plainMs')), unit: 'MB/s', runs },
    {
      name: way,
      value: rate(of('ms')),
      unit: 'MB/s',
      ratio: medianRatio(of('plainMs'), of('ms')),
      baseline: plain,
      runs,
    },
    { name: `${way}: plain server`, value: perGiB(median(of('plainCpu'))), unit: 'CPU s/GiB', runs },
    cpuRow(`${way}: gateway`, 'gatewayCpu'),
    cpuRow(`${way}: seven providers`, 'providersCpu'),
    { name: `${way}: peak memory of the gateway`, value: Math.max(...of('peakMiB')), unit: 'MiB', runs },
  ]
}

function report({ progress }: BenchOptions, sizeBytes: number, turn: string, up: Sample, down: Sample): void {
  const rate = ({ plainMs, ms }: Sample) =>
    `${megabytesPerSecond(sizeBytes, ms).toFixed(0)} of ${megabytesPerSecond(sizeBytes, plainMs).toFixed(0)} MB/s`
  progress(`  http ${turn}: put ${rate(up)}, get ${rate(down)}`)
}
