import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { jsonResponse } from '@memo/core'
import {
  type ConformanceCase,
  describeClock,
  describeIndexStore,
  describeKeyStore,
  describePieceStore,
  describeRandomness,
  describeTimers,
  describeTransport,
} from '@memo/core/testing'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  openFilePieceStore,
  openKeyStore,
  openSqliteIndexStore,
  serveHandler,
} from '../src/index.ts'

const base = await mkdtemp(join(tmpdir(), 'memo-ports-'))
after(async () => await rm(base, { recursive: true, force: true }))
const freshDir = () => mkdtemp(join(base, 'case-'))

const suites: readonly ConformanceCase[] = [
  ...describeClock('system clock', async () => ({ subject: createSystemClock() })),
  ...describeTimers('system timers', async () => ({ subject: createSystemTimers(), clock: createSystemClock() })),
  ...describeRandomness('system randomness', async () => ({ subject: createSystemRandomness() })),
  ...describePieceStore('pieces in files', async () => {
    const dir = await freshDir()
    return { subject: await openFilePieceStore(dir), reopen: () => openFilePieceStore(dir) }
  }),
  ...describeIndexStore('records in SQLite', async () => {
    const path = join(await freshDir(), 'index.db')
    const store = openSqliteIndexStore(path)
    return { subject: store, reopen: async () => openSqliteIndexStore(path), end: () => store.close() }
  }),
  ...describeKeyStore('key files', async () => {
    const dir = await freshDir()
    return { subject: (password) => openKeyStore(dir, password, { scryptN: 1_024 }) }
  }),
  ...describeTransport('HTTP', async () => {
    const { transport, close } = createHttpTransport()
    const dead = await serveHandler(async () => jsonResponse(200, {}), { port: 0 })
    await dead.close()
    return {
      subject: transport,
      deadEndpoint: dead.url,
      end: close,
      async serve(handler) {
        const server = await serveHandler(handler, { port: 0, limits: { closeGraceMs: 500 } })
        return { endpoint: server.url, close: server.close }
      },
    }
  }),
]

for (const { name, run } of suites) test(name, run)
