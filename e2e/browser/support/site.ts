import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'

const servers: Server[] = []

after(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await once(server.close(), 'close')
  }
})

/** Serves on a free port of this machine until the test file ends; gives the URL without a slash at its end. */
export async function serveSite(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A page with one script and nothing else, of an origin of its own. */
export async function servePage(script: string): Promise<string> {
  return await serveSite((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(
      isScript ? script : '<!doctype html><meta charset="utf-8"><script type="module" src="page.js"></script>',
    )
  })
}
