import type { ServerResponse } from 'node:http'
import type { StartedStream } from './started-stream.ts'

/**
 * Sends a body whose head is given, no faster than the client reads it, and ends it. The next block is fetched while one is
 * being sent. Each block is told to `onSent` once the operating system has it, and its memory is nobody's any more
 * (`spec/performance.md` 6); one of which that is not known is not told. A body that fails breaks the connection, so that it
 * shows. Never rejects.
 */
export async function sendBody(
  response: ServerResponse,
  body: StartedStream,
  onSent: (block: Uint8Array) => void,
): Promise<void> {
  let sending: Promise<boolean> = Promise.resolve(true)
  try {
    for (let step = await body.next(); !step.done; step = await body.next()) {
      if (!(await sending)) return
      sending = send(response, step.value, onSent)
    }
    if (await sending) response.end()
  } catch {
    response.destroy() // the head is sent: a broken connection is the only way left to say that it failed
  } finally {
    await body.return?.().catch(() => undefined) // nobody is left to be told
  }
}

/** False when the client has gone. */
async function send(
  response: ServerResponse,
  block: Uint8Array,
  onSent: (block: Uint8Array) => void,
): Promise<boolean> {
  if (response.destroyed) return false
  return await new Promise((resolve) => {
    const gone = () => resolve(false)
    response.once('close', gone)
    response.write(block, (error) => {
      response.off('close', gone)
      if (!error) onSent(block)
      resolve(!error)
    })
  })
}
