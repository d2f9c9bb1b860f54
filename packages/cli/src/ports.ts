import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A port of `host` that is free now. */
export async function findFreePort(host = '127.0.0.1'): Promise<number> {
  return (await findFreePorts(1, host))[0] as number
}

/** Different free ports: all are held before the first is let go. */
export async function findFreePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      server.listen(0, host)
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Whether nothing listens on a port of `host`. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer()
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch {
    return false // in use, or not ours to use: either way not free
  }
  await once(server.close(), 'close')
  return true
}
