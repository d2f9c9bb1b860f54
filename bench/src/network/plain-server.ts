/**
 * What a gateway is held against: a process with `node:http` alone. PUT hashes the body with SHA-256, writes it to a
 * file and makes that durable; GET sends the file. Arguments: the directory. Sends its port to its parent.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const [dir = ''] = process.argv.slice(2)
const READ_BYTES = 262_144

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.destroy(error))
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit(0))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(dir, encodeURIComponent(request.url ?? ''))
  if (request.method === 'PUT') response.end(await store(request, path))
  else if (request.method === 'DELETE') {
    await rm(path, { force: true })
    response.end()
  } else {
    response.setHeader('content-length', (await stat(path)).size)
    await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), response)
  }
}

async function store(request: IncomingMessage, path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  try {
    for await (const bytes of request as AsyncIterable<Uint8Array>) {
      hash.update(bytes)
      await file.write(bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
