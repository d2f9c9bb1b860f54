import { createCipheriv, hash } from 'node:crypto'
import {
  createCidBuilder,
  hashUnits,
  openChunks,
  rootFromUnits,
  STRIP_BYTES,
  sealChunks,
  sealedBytesOf,
  stripePlainBytesOf,
} from '@memo/core'
import type { Bench, BenchRow } from '../row.ts'
import { type Candidate, median, medianRatio, megabytesPerSecond, type Times, timeInTurns } from '../turns.ts'
import { testBytes } from './bytes.ts'

/** How a socket of Node delivers a body. */
export const SOCKET_BYTES = 65_536
const STRIPS = 6
const MIB = 1_048_576

type Stage = Candidate & {
  readonly bytes: number
  readonly baseline: Candidate
}

/** Megabytes per second of processor time of each stage that bytes go through, over one stripe of 4+2. */
export const benchStages: Bench = async ({ isQuick, signal }) => {
  const turns = isQuick ? 9 : 31
  const stages = createStages()
  const baselines = [...new Set(stages.map(({ baseline }) => baseline))]
  const candidates = [...baselines, ...stages]
  const times = await timeInTurns(candidates, { turns, warmUpTurns: 4, isCpu: true, signal })
  const timesOf = (candidate: Candidate): Times => times[candidates.indexOf(candidate)]!
  return [
    ...baselines.map((baseline): BenchRow => {
      const { bytes } = stages.find((stage) => stage.baseline === baseline)!
      return {
        name: baseline.name,
        value: megabytesPerSecond(bytes, median(timesOf(baseline))),
        unit: 'MB/s',
        runs: turns,
      }
    }),
    ...stages.map((stage) => ({
      name: stage.name,
      value: megabytesPerSecond(stage.bytes, median(timesOf(stage))),
      unit: 'MB/s',
      ratio: medianRatio(timesOf(stage.baseline), timesOf(stage)),
      baseline: stage.baseline.name,
      runs: turns,
    })),
  ]
}

function createStages(): Stage[] {
  const key = testBytes(32, 1)
  const plaintext = testBytes(stripePlainBytesOf(4, true), 2)
  const sealed = new Uint8Array(sealedBytesOf(plaintext.length))
  const out = new Uint8Array(sealed.length)
  sealChunks(key, 0, plaintext, false, sealed)
  const pieces = testBytes(STRIPS * STRIP_BYTES, 3)
  const bytes = plaintext.length
  const hashFile = { name: 'plain SHA-256 of a file, 1 MiB at a time', run: () => hashPlainly(plaintext) }
  const hashStrips = { name: 'plain SHA-256 of six strips', run: () => hashPlainly(pieces) }
  const cipher = { name: 'AES-256-GCM, one stream', run: () => cipherPlainly(key, plaintext, out) }
  return [
    { name: 'cid', bytes, baseline: hashFile, run: () => cidOf(plaintext) },
    { name: 'seal', bytes, baseline: cipher, run: () => sealChunks(key, 0, plaintext, false, out) },
    { name: 'open', bytes, baseline: cipher, run: () => void openChunks(key, 0, sealed, false) },
    { name: 'piece tree', bytes: pieces.length, baseline: hashStrips, run: () => treesOf(pieces) },
  ]
}

function hashPlainly(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += MIB) hash('sha256', bytes.subarray(at, at + MIB), 'buffer')
}

/** In the updates in which this cipher is fastest, into memory that is there. */
function cipherPlainly(key: Uint8Array, bytes: Uint8Array, out: Uint8Array): void {
  const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12))
  for (let at = 0; at < bytes.length; at += SOCKET_BYTES)
    out.set(cipher.update(bytes.subarray(at, at + SOCKET_BYTES)), at)
  cipher.final()
}

function cidOf(bytes: Uint8Array): void {
  const builder = createCidBuilder()
  for (let at = 0; at < bytes.length; at += SOCKET_BYTES) builder.update(bytes.subarray(at, at + SOCKET_BYTES))
  builder.finish()
}

function treesOf(pieces: Uint8Array): void {
  for (let at = 0; at < pieces.length; at += STRIP_BYTES) {
    rootFromUnits(hashUnits(pieces.subarray(at, at + STRIP_BYTES)), STRIP_BYTES)
  }
}
