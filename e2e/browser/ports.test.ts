import { test } from 'node:test'
import { jsonResponse } from '@memo/core'
import { describeClock, describeRandomness, describeTimers, describeTransport } from '@memo/core/testing'
import { serveHandler } from '@memo/platform'
import {
  createBrowserClock,
  createBrowserRandomness,
  createBrowserTimers,
  createFetchTransport,
} from '@memo/sdk/browser'

// Node has all that these need of a browser; the pages of this folder's other tests run them in one.
const suites = [
  ...describeClock('browser clock', async () => ({ subject: createBrowserClock() })),
  ...describeTimers('browser timers', async () => ({ subject: createBrowserTimers(), clock: createBrowserClock() })),
  ...describeRandomness('browser randomness', async () => ({ subject: createBrowserRandomness() })),
  ...describeTransport('fetch', async () => {
    const dead = await serveHandler(async () => jsonResponse(200, {}), { port: 0 })
    await dead.close()
    return {
      subject: createFetchTransport(),
      deadEndpoint: dead.url,
      async serve(handler) {
        const server = await serveHandler(handler, { port: 0, limits: { closeGraceMs: 500 } })
        return { endpoint: server.url, close: server.close }
      },
    }
  }),
]

for (const { name, run } of suites) test(name, run)
