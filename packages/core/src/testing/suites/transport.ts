import { type ByteStream, collectBytes, concatBytes, textFromUtf8, utf8 } from '../../bytes/index.ts'
import { BadInputError, errorFromEnvelope, MemoError } from '../../errors/index.ts'
import type { Handler, Transport, WireRequest } from '../../ports.ts'
import { bytesResponse, jsonResponse, streamResponse } from '../../wire/index.ts'
import {
  type ConformanceCase,
  casesOf,
  claim,
  claimBytes,
  claimEqual,
  claimFails,
  type Examined,
  patternBytes,
  rejectionOf,
} from './case.ts'

/** A transport to examine, together with the server that it reaches. */
export type ExaminedTransport = Examined<Transport> & {
  /** Serves a handler; gives its base URL, and the way to end it. */
  readonly serve: (handler: Handler) => Promise<{ readonly endpoint: string; readonly close: () => Promise<void> }>
  /** A base URL at which nothing listens. */
  readonly deadEndpoint: string
}

const MAX_BYTES = 16_777_216
const BODY_BYTES = 3_000_001
const CHUNK_BYTES = 70_000

type Send = (request: Partial<WireRequest> & { readonly path?: string }) => ReturnType<Transport>

/** What every transport and every server keep (`spec/ports.md` 3). */
export function describeTransport(name: string, create: () => Promise<ExaminedTransport>): ConformanceCase[] {
  const served = (handler: Handler, check: (send: Send) => Promise<void>) => {
    return async (transport: Transport, { serve }: ExaminedTransport) => {
      const { endpoint, close } = await serve(handler)
      try {
        await check(({ path = '/', method = 'GET', headers = {}, body, signal }) =>
          transport({ method, url: `${endpoint}${path}`, headers, body, signal }),
        )
      } finally {
        await close()
      }
    }
  }
  return casesOf<ExaminedTransport>(name, create, {
    'a handler sees method, path, query, headers and body as they were sent': served(
      async ({ method, url, headers, body }) => {
        const text = textFromUtf8(await collectBytes(body ?? [], MAX_BYTES))
        return jsonResponse(200, { method, url, header: headers['x-test'], text })
      },
      async (send) => {
        const path = '/a/b%20c?x=1&y=%2F'
        const answer = await send({ method: 'POST', path, headers: { 'x-test': 'here' }, body: utf8('grüße') })
        const seen = JSON.parse(textFromUtf8(await collectBytes(answer.body, MAX_BYTES)))
        claimEqual(seen, { method: 'POST', url: path, header: 'here', text: 'grüße' }, 'what the handler saw')
      },
    ),
    'status and headers come back as the handler gave them': served(
      async ({ url }) => bytesResponse(Number(url.slice(1)), utf8('x'), 'text/plain', { 'x-answer': url }),
      async (send) => {
        for (const status of [200, 206, 404, 409, 416, 500, 503, 507]) {
          const answer = await send({ path: `/${status}` })
          claimEqual(answer.status, status, 'status')
          claimEqual(answer.headers['x-answer'], `/${status}`, 'header')
          claimEqual(answer.headers['content-type'], 'text/plain', 'content type')
          claimBytes(await collectBytes(answer.body, MAX_BYTES), utf8('x'), 'body')
        }
      },
    ),
    'large bodies flow both ways unchanged': served(
      async ({ body }) => streamResponse(200, body as ByteStream, {}),
      async (send) => {
        const bytes = patternBytes(BODY_BYTES)
        for (const body of [bytes, chunksOf(bytes)]) {
          const answer = await send({ method: 'POST', body })
          claimBytes(await collectBytes(answer.body, MAX_BYTES), bytes, 'the echo')
        }
      },
    ),
    'answers do not mix, however many are under way': served(
      async ({ url }) => streamResponse(200, chunksOf(patternBytes(200_000, Number(url.slice(1)))), {}),
      async (send) => {
        const numbers = Array.from({ length: 20 }, (_, i) => i)
        await Promise.all(
          numbers.map(async (number) => {
            const answer = await send({ path: `/${number}` })
            const body = await collectBytes(answer.body, MAX_BYTES)
            claimBytes(body, patternBytes(200_000, number), `answer ${number}`)
          }),
        )
      },
    ),
    'an answer to HEAD has headers and no body': served(
      async () => bytesResponse(200, patternBytes(1_234)),
      async (send) => {
        const answer = await send({ method: 'HEAD' })
        claimEqual(answer.headers['content-length'], '1234', 'length')
        claimEqual((await collectBytes(answer.body, MAX_BYTES)).length, 0, 'bytes of the body')
      },
    ),
    'an answer without body is one': served(
      async () => streamResponse(204, [], {}),
      async (send) => {
        const answer = await send({})
        claimEqual([answer.status, (await collectBytes(answer.body, MAX_BYTES)).length], [204, 0], 'answer')
      },
    ),
    'what a handler throws is answered as an error envelope': served(
      async () => {
        throw new BadInputError('not so', { fix: 'Otherwise.' })
      },
      async (send) => {
        const answer = await send({})
        const error = errorFromEnvelope(JSON.parse(textFromUtf8(await collectBytes(answer.body, MAX_BYTES))))
        const seen = [answer.status, error?.name, error?.message, error?.fix]
        claimEqual(seen, [400, 'BadInputError', 'not so', 'Otherwise.'], 'the envelope')
      },
    ),
    'nobody there is a MemoError that blames the other side': async (transport, { deadEndpoint }) => {
      const request = { method: 'GET', url: `${deadEndpoint}/info`, headers: {} }
      const error = await claimFails(transport(request), 'a request to nobody')
      claim(error.blame !== 'us' && error.blame !== 'user', `blame is ${error.blame}`)
    },
    'a body that breaks off is a failure, not a short body': served(
      async () => streamResponse(200, breakingOff(), { 'content-length': '500000' }),
      async (send) => {
        const reading = async () => await collectBytes((await send({})).body, MAX_BYTES)
        await claimFails(reading(), 'reading it')
      },
    ),
    'an abort before the answer rejects with its reason and reaches the handler': async (transport, { serve }) => {
      let handlerEnded = (): void => undefined
      const ended = new Promise<void>((resolve) => {
        handlerEnded = resolve
      })
      const controller = new AbortController()
      const reason = new BadInputError('nobody waits')
      const { endpoint, close } = await serve(async ({ signal }) => {
        controller.abort(reason)
        if (signal && !signal.aborted) {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
        }
        handlerEnded()
        return jsonResponse(200, {})
      })
      const request = { method: 'GET', url: `${endpoint}/`, headers: {}, signal: controller.signal }
      claim((await rejectionOf(transport(request), 'the request')) === reason, 'it rejects with the reason')
      await ended
      await close()
    },
    'an abort in the middle of the answer rejects with its reason': served(
      async () => streamResponse(200, endless(), {}),
      async (send) => {
        const controller = new AbortController()
        const reason = new BadInputError('enough')
        const answer = await send({ signal: controller.signal })
        const reading = async () => {
          for await (const part of answer.body) {
            claim(part.length > 0, 'parts are not empty')
            controller.abort(reason)
          }
        }
        claim((await rejectionOf(reading(), 'reading')) === reason, 'it rejects with the reason')
      },
    ),
    'a request that was aborted before it began is not sent': served(
      async () => jsonResponse(200, {}),
      async (send) => {
        const reason = new BadInputError('too late')
        const sent = rejectionOf(send({ signal: AbortSignal.abort(reason) }), 'the request')
        claim((await sent) === reason, 'it rejects with the reason')
      },
    ),
    'a reader that stops early ends the answer, and the next request works': async (transport, { serve }) => {
      let stopped = (): void => undefined
      const bodyEnded = new Promise<void>((resolve) => {
        stopped = resolve
      })
      const { endpoint, close } = await serve(async ({ url }) => {
        return url === '/endless' ? streamResponse(200, endless(stopped), {}) : jsonResponse(200, {})
      })
      const answer = await transport({ method: 'GET', url: `${endpoint}/endless`, headers: {} })
      for await (const part of answer.body) {
        claim(part.length > 0, 'parts are not empty')
        break
      }
      await bodyEnded
      const next = await transport({ method: 'GET', url: `${endpoint}/`, headers: {} })
      claimEqual(
        [next.status, textFromUtf8(await collectBytes(next.body, MAX_BYTES))],
        [200, '{}\n'],
        'the next answer',
      )
      await close()
    },
    'a handler may answer before it has read the body': served(
      async () => jsonResponse(413, { early: true }),
      async (send) => {
        const sending = async () => {
          const answer = await send({ method: 'POST', body: chunksOf(patternBytes(BODY_BYTES)) })
          await collectBytes(answer.body, MAX_BYTES)
          return answer.status
        }
        // Over sockets the refusal may cross the body under way; what must not happen is that it hangs, or succeeds.
        const outcome = await sending().catch((error: unknown) => error)
        claim(outcome === 413 || outcome instanceof MemoError, `the outcome is ${String(outcome)}`)
      },
    ),
    'a body that fails at the sender fails the request with that error': served(
      async ({ body }) => bytesResponse(200, await collectBytes(body ?? [], MAX_BYTES)),
      async (send) => {
        const reason = new BadInputError('the source failed')
        const failing = (async function* () {
          yield patternBytes(10_000)
          throw reason
        })()
        const sending = async () => await collectBytes((await send({ method: 'POST', body: failing })).body, MAX_BYTES)
        claim((await rejectionOf(sending(), 'the request')) === reason, 'it rejects with the reason')
      },
    ),
  })
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.slice(at, at + CHUNK_BYTES)
}

async function* breakingOff(): AsyncGenerator<Uint8Array> {
  yield patternBytes(100_000)
  throw new BadInputError('the disk failed')
}

async function* endless(stopped?: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) yield concatBytes(patternBytes(CHUNK_BYTES))
  } finally {
    stopped?.()
  }
}
