import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { collectBytes } from '@memo/core'
import { sendBody } from '../src/send-body.ts'
import { startedStream } from '../src/started-stream.ts'

const BLOCK_BYTES = 1_048_576
/** More than sockets hold on the way. */
const BLOCKS = 24

/** Answers one request with `answer` and gives the client's side of it. */
async function exchange(
  answer: (response: ServerResponse) => Promise<void>,
  use: (response: IncomingMessage) => Promise<void>,
): Promise<void> {
  let answering = Promise.resolve()
  const server = createServer((_request, response) => {
    answering = answer(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const request = get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    await use(response)
    await answering
  } finally {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
}

async function* blocks(count: number, onEnd: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  try {
    for (let i = 0; i < count; i++) yield new Uint8Array(BLOCK_BYTES).fill(i)
  } finally {
    onEnd()
  }
}

describe('a body on its way out', () => {
  test('tells of each block once, in order, when it is sent: memory that is written to then changes nothing', async () => {
    const told: number[] = []
    await exchange(
      async (response) =>
        await sendBody(response, await startedStream(blocks(BLOCKS)), (block) => {
          told.push(block[0]!)
          block.fill(0xee)
        }),
      async (response) => {
        const body = await collectBytes(response, BLOCKS * BLOCK_BYTES)
        assert.equal(body.length, BLOCKS * BLOCK_BYTES)
        for (let i = 0; i < BLOCKS; i++) {
          const block = body.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
          assert.ok(block.every((byte) => byte === i))
        }
      },
    )
    assert.deepEqual(
      told,
      Array.from({ length: BLOCKS }, (_, i) => i),
    )
  })

  test('waits for a client that does not read, and tells of nothing that is still to be sent', async () => {
    let told = 0
    await exchange(
      async (response) =>
        await sendBody(response, await startedStream(blocks(BLOCKS)), () => {
          told++
        }),
      async (response) => {
        await new Promise((resolve) => setTimeout(resolve, 200))
        assert.ok(told < BLOCKS - 2, `${told} blocks are gone already`)
        await collectBytes(response, BLOCKS * BLOCK_BYTES)
      },
    )
    assert.equal(told, BLOCKS)
  })

  test('ends its source when the client goes, and ends itself', async () => {
    let ends = 0
    await exchange(
      async (response) => await sendBody(response, await startedStream(blocks(BLOCKS, () => ends++)), () => undefined),
      async (response) => void response.destroy(),
    )
    assert.equal(ends, 1)
  })

  test('breaks the connection when its source fails', async () => {
    const failing = async function* () {
      yield* blocks(3)
      throw new RangeError('the source broke')
    }
    await exchange(
      async (response) => await sendBody(response, await startedStream(failing()), () => undefined),
      async (response) => await assert.rejects(collectBytes(response, BLOCKS * BLOCK_BYTES), { code: 'ECONNRESET' }),
    )
  })
})
