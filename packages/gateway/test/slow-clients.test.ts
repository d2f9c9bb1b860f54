import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as breathe } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { ApiError } from '../src/errors.ts'
import { readCall } from '../src/request.ts'
import { readUploadForm } from '../src/upload-form.ts'

const HEAD =
  '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: application/octet-stream\r\n\r\n'

/** A request whose body comes as it is written; time passes as the test says. */
function slowRequest(context: TestContext, type: string) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const raw = Object.assign(new PassThrough(), { headers: { 'content-type': type } })
  raw.on('error', () => undefined)
  return {
    raw: raw as unknown as IncomingMessage,
    write: async (text: string) => {
      raw.write(text)
      for (let i = 0; i < 5; i++) await breathe()
    },
    end: (text: string) => raw.end(text),
    pass: (ms: number) => context.mock.timers.tick(ms),
  }
}

const isCut = (error: unknown) => error instanceof ApiError && error.status === 516

describe('a client that sends slowly', () => {
  test('has half a minute until its file begins', async (context) => {
    const request = slowRequest(context, 'multipart/form-data; boundary=b')
    const form = readUploadForm(request.raw)
    const refused = assert.rejects(form, isCut)
    await request.write('--b\r\nContent-Disposition: form-data; name="did"\r\n\r\nx')
    request.pass(30_000)
    await refused
  })

  test('has two minutes for each next piece of its file, however long all of it takes', async (context) => {
    const request = slowRequest(context, 'multipart/form-data; boundary=b')
    const opening = readUploadForm(request.raw)
    await request.write(`${HEAD}first`)
    const { file } = await opening
    const got: string[] = []
    const read = (async () => {
      for await (const bytes of file.bytes) got.push(Buffer.from(bytes).toString())
    })()
    const cut = assert.rejects(read, isCut)
    await breathe()
    for (const text of ['second', 'third']) {
      request.pass(119_000)
      await request.write(text)
    }
    assert.deepEqual(got.join('').startsWith('firstsecond'), true)
    request.pass(120_000)
    await cut
  })

  test('is not hurried while nobody reads what it sent', async (context) => {
    const request = slowRequest(context, 'multipart/form-data; boundary=b')
    const opening = readUploadForm(request.raw)
    await request.write(`${HEAD}first`)
    const form = await opening
    request.pass(3_600_000)
    request.end('\r\n--b--\r\n')
    const parts = await Array.fromAsync(form.file.bytes)
    assert.equal(Buffer.concat(parts).toString(), 'first')
    await form.ended
  })

  test('has half a minute for the fields of a call', async (context) => {
    const request = slowRequest(context, 'application/json')
    const call = readCall({ raw: request.raw, headers: request.raw.headers, query: {} } as unknown as FastifyRequest)
    const refused = assert.rejects(call, isCut)
    await request.write('{"did": ')
    request.pass(30_000)
    await refused
  })
})
