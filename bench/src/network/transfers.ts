import { createHash } from 'node:crypto'
import type { Body } from './bodies.ts'
import type { TimedClient } from './clients.ts'
import type { Place } from './place.ts'

/** Sends a body to the plain server; milliseconds until it was durable. */
export async function putPlainly({ transport, plainUrl }: Place, name: string, body: Body): Promise<number> {
  const startMs = performance.now()
  const answer = await transport({ method: 'PUT', url: `${plainUrl}/${name}`, headers: {}, body: body.open() })
  for await (const _ of answer.body);
  assertOk(answer.status)
  return performance.now() - startMs
}

/** Fetches a file of the plain server and hashes it; milliseconds until the hash was known. */
export async function getPlainly({ transport, plainUrl }: Place, name: string, sizeBytes: number): Promise<number> {
  const startMs = performance.now()
  const answer = await transport({ method: 'GET', url: `${plainUrl}/${name}`, headers: {} })
  const hash = createHash('sha256')
  let length = 0
  for await (const bytes of answer.body) {
    hash.update(bytes)
    length += bytes.length
  }
  hash.digest()
  assertOk(answer.status)
  assertLength(length, sizeBytes)
  return performance.now() - startMs
}

export async function deletePlainly({ transport, plainUrl }: Place, name: string): Promise<void> {
  const answer = await transport({ method: 'DELETE', url: `${plainUrl}/${name}`, headers: {} })
  for await (const _ of answer.body);
}

/** Uploads a private object; milliseconds from the request to the answer, which comes when it is durable. */
export async function put({ client, timing }: TimedClient, body: Body): Promise<{ cid: string; ms: number }> {
  const { cid } = await client.upload(() => body.open(), { name: 'bench.bin' })
  return { cid, ms: timing.headMs - timing.startMs }
}

/** Downloads a private object and checks its CID; milliseconds from the request to the end of the check. */
export async function get({ client, timing }: TimedClient, cid: string, sizeBytes: number): Promise<number> {
  const { body } = await client.download(cid)
  let length = 0
  for await (const bytes of body) length += bytes.length
  assertLength(length, sizeBytes)
  return performance.now() - timing.startMs
}

/** Deletes all objects of a client. */
export async function removeAll({ client }: TimedClient): Promise<void> {
  for (const { id } of await client.list()) await client.remove(id)
}

function assertOk(status: number): void {
  if (status !== 200) throw new Error(`the plain server answered ${status}`)
}

function assertLength(actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${actual} bytes came where ${expected} were to come`)
}
