import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { startNetwork } from './support/local-network.ts'
import { runLines } from './support/run-lines.ts'

const home = mkdtempSync(join(tmpdir(), 'memo-wrong-'))
const network = await startNetwork()
after(async () => {
  await network.close()
  rmSync(home, { recursive: true, force: true })
})
const ENV = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: join(home, 'cache') }

describe('a network that is not the one which was meant', () => {
  test('is told by the number of its chain, by who named it, and by what mends it', async () => {
    const data = join(home, 'other')
    mkdirSync(data)
    const { rpcUrl, registry } = network
    const did = `did:memo:${'1'.repeat(64)}`
    writeFileSync(join(data, 'profile.json'), JSON.stringify({ rpc: rpcUrl, registry, chainId: 7, did }))
    const nobody = `0x${'1'.repeat(40)}`
    const ended = await runLines(
      [
        ['info', '--data', data],
        ['wallet', '--data', data, '--rpc', rpcUrl],
        ['info', '--data', data, '--registry', nobody],
        ['info', '--rpc', rpcUrl, '--registry', registry],
      ],
      ENV,
    )
    const [kept, given, wrong, right] = ended.map(({ code, stderr }) => ({ code, stderr }))
    assert.match(
      kept?.stderr ?? '',
      /serves chain 985, not 7 \(from .*other\/profile\.json\)\nfix +Give the --rpc URL of chain 7/,
    )
    assert.match(given?.stderr ?? '', /serves chain 985, not 7 \(from --rpc\)/)
    assert.match(
      wrong?.stderr ?? '',
      /not a registry of MEMO on chain 985 \(from --registry\)\nfix +Check the address of the registry, and the RPC \(from .*profile/,
    )
    assert.deepEqual([kept?.code, given?.code, wrong?.code, right?.code], [2, 2, 2, 0], right?.stderr)
  })
})
