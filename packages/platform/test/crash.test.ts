import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { collectBytes } from '@memo/core'
import { lockDataDirectory, openFilePieceStore, openSqliteIndexStore } from '../src/index.ts'

const KILLS = 4
const MIB = 1_048_576
const base = await mkdtemp(join(tmpdir(), 'memo-crash-'))
after(async () => await rm(base, { recursive: true, force: true }))

/** Runs a writer, kills it in the middle of its work, `afterMs` after it acknowledged `least`; returns all of those. */
async function runAndKill(kind: string, dir: string, afterMs: number, least: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'disk-writer.ts')
  const child = spawn(process.execPath, ['--conditions=source', script, kind, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let heard = ''
  child.stdout.on('data', (data) => {
    heard += data
  })
  const ended = once(child, 'close')
  const acknowledged = () => heard.split('\n').slice(0, -1)
  while (acknowledged().length < least && child.exitCode === null && child.signalCode === null) await wait(10)
  await wait(afterMs)
  child.kill('SIGKILL')
  await ended
  return acknowledged()
}

describe('after kill -9', () => {
  test('every acknowledged piece is whole, with its unit nodes, and nothing half-written is visible', async () => {
    const dir = join(base, 'pieces')
    const acknowledged: string[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      acknowledged.push(...(await runAndKill('pieces', dir, 15 + 37 * kill, 2)))
      const store = await openFilePieceStore(dir)
      await store.recover()
      assert.deepEqual(await readdir(join(dir, 'incoming')), [])
      const visible = new Set<string>()
      for await (const { root, sizeBytes } of store.list()) {
        visible.add(root)
        const stream = await store.read(root, 0, sizeBytes)
        const bytes = await collectBytes(stream ?? [], MIB)
        assert.equal(createHash('sha256').update(bytes).digest('hex'), root)
        const units = await store.readUnits(root)
        assert.deepEqual(units, new Uint8Array(createHash('sha512').update(bytes).digest()))
      }
      for (const root of acknowledged) assert.ok(visible.has(root), `the acknowledged piece ${root} is gone`)
    }
    assert.ok(acknowledged.length > KILLS, 'the writer came too little far to prove anything')
  })

  test('every acknowledged record is there, and records of one change are all there or none', async () => {
    const dir = join(base, 'records')
    const acknowledged: string[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      acknowledged.push(...(await runAndKill('records', dir, 10 + 31 * kill, 11)))
      const store = openSqliteIndexStore(join(dir, 'index.db'))
      for (const key of acknowledged) assert.ok(await store.get(`a/${key}`), `the acknowledged record ${key} is gone`)
      const keys = async (prefix: string) =>
        (await store.list({ prefix, limit: 1_000_000 })).map(({ key }) => key.slice(2))
      assert.deepEqual(await keys('a/'), await keys('b/'))
      await store.close()
    }
    assert.ok(acknowledged.length > KILLS * 10, 'the writer came too little far to prove anything')
  })

  test('a lock does not outlive its holder, in whatever way it ended', async () => {
    const dir = join(base, 'locked')
    const code = `import { lockDataDirectory } from '${import.meta.resolve('../src/index.ts')}'
await lockDataDirectory(${JSON.stringify(dir)}, 'provider')
process.stdout.write('locked')
setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'close')
    await once(child.stdout, 'data')
    await assert.rejects(lockDataDirectory(dir, 'provider'), {
      name: 'DataDirectoryInUseError',
      message: `${dir} is in use by process ${child.pid}`,
    })
    child.kill('SIGKILL')
    await ended
    assert.ok(existsSync(dir))
    const held = await lockDataDirectory(dir, 'provider')
    held.release()
  })
})
