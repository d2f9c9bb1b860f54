import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { type Handler, streamResponse, utf8 } from '@memo/core'
import { serveHandler } from '../src/index.ts'

const BLOCK_BYTES = 65_536
const BLOCKS = 100

/** A server whose answers are long, and how many of them were open at one time. */
async function serveLongAnswers(): Promise<{ port: number; peak: () => number; close: () => Promise<void> }> {
  let open = 0
  let peak = 0
  const handler: Handler = async ({ url }) => {
    if (url.startsWith('/short')) return streamResponse(200, [utf8(url)], { 'content-length': `${url.length}` })
    peak = Math.max(peak, ++open)
    const body = async function* () {
      try {
        for (let i = 0; i < BLOCKS; i++) yield new Uint8Array(BLOCK_BYTES)
      } finally {
        open--
      }
    }
    return streamResponse(200, body(), { 'content-length': `${BLOCKS * BLOCK_BYTES}` })
  }
  const server = await serveHandler(handler, { port: 0, limits: { closeGraceMs: 10 } })
  return { port: server.port, peak: () => peak, close: server.close }
}

const head = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

test('requests of one connection that come before they are answered are answered one after another', async () => {
  const server = await serveLongAnswers()
  const socket = connect(server.port, '127.0.0.1')
  socket.write([1, 2, 3, 4].map((i) => head(`/long${i}`)).join('') + head('/short-last'))
  let received = 0
  let tail = ''
  for await (const bytes of socket) {
    received += bytes.length
    tail = (tail + bytes.toString('latin1')).slice(-20)
    if (tail.endsWith('/short-last')) break
  }
  assert.ok(received > 4 * BLOCKS * BLOCK_BYTES)
  assert.equal(server.peak(), 1)
  await server.close()
})

test('who sends hundreds and reads nothing is cut off; others are served', async () => {
  const server = await serveLongAnswers()
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => undefined) // cut off in the middle
  socket.write(head('/long').repeat(700))
  await once(socket, 'close')
  assert.ok(server.peak() <= 1)
  const answer = await fetch(`http://127.0.0.1:${server.port}/short`)
  assert.equal(await answer.text(), '/short')
  await server.close()
})
