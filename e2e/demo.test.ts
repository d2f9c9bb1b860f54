import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freePort, freshDir, isRunning, memo, type Ready, start } from './support/memo.ts'

describe('memo up --demo', () => {
  test('a file goes in over HTTP, a holder dies, the file comes out, the holder returns, and all goes on', async () => {
    const dir = await freshDir()
    const port = await freePort()
    const server = start(['up', '--demo', '--data', dir, '--port', `${port}`])
    const ready = (await server.event('ready')) as unknown as Ready
    const done = await server.event('demo-done')
    const steps = server.seen('demo')
    assert.deepEqual(
      steps.map(({ step }) => step),
      ['stored', 'spread', 'killed', 'fetched', 'back'],
    )
    assert.ok(steps.every(({ ms }) => ms === undefined || (typeof ms === 'number' && ms >= 0)))

    const killed = steps.find(({ step }) => step === 'killed')
    const victim = ready.nodes.find(({ name }) => name === killed?.name)
    assert.equal(victim?.role, 'provider')
    assert.equal(killed?.pid, victim?.pid)
    assert.ok(!isRunning(victim?.pid ?? 0))
    const back = steps.find(({ step }) => step === 'back')
    assert.ok(isRunning(back?.pid as number))

    // It keeps serving, to anybody who speaks HTTP.
    const original = await readFile(join(dir, 'demo', 'memo-demo.bin'))
    const response = await fetch(`${ready.gateway}/mefs/${done.cid}`)
    assert.equal(response.status, 200)
    assert.ok(original.equals(Buffer.from(await response.arrayBuffer())))
    assert.equal(ready.gateway, `http://127.0.0.1:${port}`)

    const status = await memo(['status', String(done.cid), '--data', dir, '--json'])
    assert.deepEqual([status.last.alive, status.last.isReadable], [6, true])
    assert.equal(await server.stop(), 0)
  })

  test('a policy that so many providers cannot keep is refused before anything starts', async () => {
    const dir = await freshDir()
    const args = ['--data', dir, '--port', `${await freePort()}`]
    const few = await memo(['up', ...args, '--providers', '2', '--policy', 'rs:4+2'])
    assert.equal(few.code, 2)
    assert.match(few.stderr, /rs:4\+2 needs 6 providers/)
    const nonsense = await memo(['up', ...args, '--policy', 'rs:0+0'])
    assert.equal(nonsense.code, 2)
    assert.deepEqual(await readdir(dir), [])
  })
})
