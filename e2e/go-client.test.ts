import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, describe, test } from 'node:test'
import { openKeyStore } from '@memo/platform'
import { freshDir, type Ready, type Server, startNetwork } from './support/memo.ts'

const PEER = join(import.meta.dirname, 'peers', 'go')
const TINY = ['--keepers', '1', '--providers', '2', '--policy', 'rs:1+1']
const SIZE = 1_500_001
const RUN_TIMEOUT_MS = 120_000
const DOWNLOAD_TIMEOUT_MS = 30_000
const OLDEST_GO = 21
/** Nothing is written where the sources are, and no other Go is fetched. */
const GO_ENV = { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', GOTOOLCHAIN: 'local' }

const reason = whyWithoutGo()
// It shares no line of code and no library with us, and is written as the examples of the original are.
if (reason === false) describe('a client in Go', suite)
else test('a client in Go', { skip: reason })

function suite(): void {
  const file = randomBytes(SIZE)
  let base: string
  let binary: string
  let server: Server
  let ready: Ready
  let key: string

  before(async () => {
    base = await freshDir()
    binary = join(base, 'peer')
    const built = await run('go', ['build', '-o', binary, '.'], GO_ENV, PEER)
    assert.equal(built.code, 0, built.stderr)
    await writeFile(join(base, 'file.bin'), file)
    ;({ server, ready } = await startNetwork(join(base, 'network'), TINY))
    const keys = dirname(ready.keyFile)
    const store = await openKeyStore(keys, (await readFile(join(keys, 'password'), 'utf8')).trim())
    key = Buffer.from(await store.load('user')).toString('hex')
  })

  const peer = async (secret: string) =>
    await run(binary, [], {
      ...process.env,
      MEMO_GATEWAY: ready.gateway,
      MEMO_DID: ready.did,
      MEMO_KEY: secret,
      MEMO_FILE: join(base, 'file.bin'),
    })

  test('logs in, uploads, lists, downloads and deletes', async () => {
    const { code, stdout, stderr } = await peer(key)
    assert.equal(code, 0, stderr)
    const steps = stdout.trim().split('\n')
    assert.deepEqual(
      steps.map((line) => line.replace(/ .*$/, '')),
      ['logged', 'listed', 'uploaded', 'found', 'downloaded', 'deleted', 'gone'],
    )
    assert.equal(steps[1], 'listed 0')
    assert.match(steps[2] ?? '', /^uploaded baf[a-z2-7]{56}$/)
    assert.equal(steps[4], `downloaded ${SIZE}`)
  })

  test('gets nowhere with the key of somebody else', async () => {
    const { code, stdout, stderr } = await peer('51'.repeat(32))
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^login answered 401 .*can't log in as did:memo:/)
  })

  test('leaves a network that ends well, and nothing beside its sources', async () => {
    assert.equal(await server.stop(), 0)
    assert.deepEqual(await readdir(PEER), ['go.mod', 'go.sum', 'main.go'])
  })
}

/** Why no client in Go can be built here; false where one can. */
function whyWithoutGo(): string | false {
  const { status, stdout } = spawnSync('go', ['version'], { encoding: 'utf8', env: GO_ENV })
  if (status !== 0) return 'Go is not installed'
  const minor = Number(/go1\.(\d+)/.exec(stdout)?.[1] ?? OLDEST_GO)
  if (minor < OLDEST_GO) return `Go 1.${minor} is older than 1.${OLDEST_GO}`
  const options = { cwd: PEER, env: GO_ENV, encoding: 'utf8', timeout: DOWNLOAD_TIMEOUT_MS } as const
  const download = spawnSync('go', ['mod', 'download'], options)
  if (download.status !== 0) return `the modules of the client cannot be downloaded: ${download.stderr.trim()}`
  return false
}

type Ended = { readonly code: unknown; readonly stdout: string; readonly stderr: string }

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Promise<Ended> {
  return await new Promise((resolve) => {
    execFile(command, args, { env, timeout: RUN_TIMEOUT_MS, ...(cwd ? { cwd } : {}) }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
    )
  })
}
