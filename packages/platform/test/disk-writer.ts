/**
 * A process to be killed: writes pieces or records without end, and prints each one after it was promised to be
 * durable. Arguments: `pieces` or `records`, then the directory.
 */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { openFilePieceStore, openSqliteIndexStore } from '../src/index.ts'

const [kind, dir = ''] = process.argv.slice(2)
/** Several at once, so that commits overlap. */
const WRITERS = 4

/** A line reaches the pipe before anything else happens: an acknowledgement that is not lost with the process. */
function acknowledge(line: string): void {
  writeSync(1, `${line}\n`)
}

async function writePieces(): Promise<void> {
  const store = await openFilePieceStore(dir)
  const run = async (writer: number) => {
    for (let i = 0; ; i++) {
      const bytes = new Uint8Array(300_000 + i).fill(writer + i)
      const root = createHash('sha256').update(bytes).digest('hex')
      const piece = await store.create()
      for (let at = 0; at < bytes.length; at += 50_000) await piece.write(bytes.subarray(at, at + 50_000))
      await piece.commit(root, createHash('sha512').update(bytes).digest())
      acknowledge(root)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => run(writer)))
}

async function writeRecords(): Promise<void> {
  const store = openSqliteIndexStore(join(dir, 'index.db'))
  const run = async (writer: number) => {
    for (let i = 0; ; i++) {
      const key = `${writer}/${String(i).padStart(8, '0')}`
      const value = new Uint8Array(500).fill(i)
      await store.apply([
        { key: `a/${key}`, value },
        { key: `b/${key}`, value },
      ])
      acknowledge(key)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => run(writer)))
}

await (kind === 'pieces' ? writePieces() : writeRecords())
