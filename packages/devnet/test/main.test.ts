import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createPublicClient, http } from 'viem'
import { runChild, startChild } from './child.ts'
import { alice, chain, tempDir } from './helpers.ts'

describe('the chain as a process', () => {
  test('says where it is, serves, and ends cleanly on either signal', async (t) => {
    const dir = join(tempDir(t), 'chain')
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = await startChild([
        '--data',
        dir,
        '--port',
        '0',
        '--alloc',
        `${alice.address}=100000000000000000000`,
      ])
      assert.equal(child.chainId, 985)
      const client = createPublicClient({ chain, transport: http(child.url) })
      assert.equal(await client.getBalance({ address: alice.address }), 100n * 10n ** 18n)
      assert.deepEqual(await child.end(signal), { code: 0, signal: null, stderr: '' })
    }
  })

  test('refuses a taken directory and a taken port in one line, and exits with 1', async (t) => {
    const dir = tempDir(t)
    const child = await startChild(['--data', dir, '--port', '0'])
    t.after(() => child.end('SIGTERM'))
    const { port } = new URL(child.url)
    const sameDir = await runChild(['--data', dir, '--port', '0'])
    assert.equal(sameDir.code, 1)
    assert.match(
      sameDir.stderr,
      new RegExp(`^error: the chain directory .* is in use by process ${child.process.pid}; stop .*\\n$`),
    )
    const samePort = await runChild(['--port', port])
    assert.equal(samePort.code, 1)
    assert.match(samePort.stderr, /^error: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/)
  })

  test('refuses flags that it does not know or understand', async () => {
    const bad = [
      ['--prot', '1'],
      [],
      ['--port', '70000'],
      ['--port', '0', '--alloc', 'x=1'],
      ['--port', '0', '--chain-id', 'one'],
    ]
    for (const { code, stderr } of await Promise.all(bad.map(runChild))) {
      assert.equal(code, 1)
      assert.match(stderr, /^error: .*usage: .*\n$/)
    }
  })
})
