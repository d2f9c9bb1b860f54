import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AssertionError,
  BadAnswerError,
  BadInputError,
  BodyTooLargeError,
  bytesResponse,
  collectBytes,
  envelopeFromError,
  errorFromEnvelope,
  errorOfAnswer,
  errorResponse,
  MemoError,
  NotFoundError,
  parseJson,
  RemoteError,
  readAnswer,
  readBody,
  statusOfError,
  streamResponse,
  TooFewShardsError,
  textFromUtf8,
  UnauthorizedError,
  utf8,
} from '@memo/core'
import fc from 'fast-check'

const overWire = (thrown: unknown) => errorFromEnvelope(JSON.parse(JSON.stringify(envelopeFromError(thrown))))

describe('an error envelope', () => {
  test('carries all that an error says', () => {
    const cause = new NotFoundError('inner', { cause: new TypeError('innermost') })
    const error = new BadInputError('outer', { fix: 'Do so.', details: { n: 5 }, cause })
    const back = overWire(error)
    assert.ok(back instanceof RemoteError && back instanceof MemoError)
    const { name, message, blame, retry, fix, details, causes } = back
    assert.deepEqual(
      { name, message, blame, retry, fix, details, causes },
      {
        name: 'BadInputError',
        message: 'outer',
        blame: 'user',
        retry: 'never',
        fix: 'Do so.',
        details: { n: 5 },
        causes: ['NotFoundError: inner', 'TypeError: innermost'],
      },
    )
  })

  test('of an error that was passed on names the first causes still', () => {
    const first = overWire(new BadInputError('a', { cause: new NotFoundError('b') }))
    assert.deepEqual(overWire(first)?.causes, ['NotFoundError: b'])
  })

  test('lists each of several causes, and ends with a circle of them', () => {
    const several = new AggregateError([new NotFoundError('one'), new NotFoundError('two')], 'both')
    const seen = overWire(new BadInputError('x', { cause: several }))?.causes
    assert.deepEqual(seen, ['NotFoundError: one', 'NotFoundError: two'])
    const circle = new TypeError('round')
    circle.cause = circle
    assert.equal(overWire(new BadInputError('x', { cause: circle }))?.causes.length, 5)
  })

  test('of what is no MemoError blames us', () => {
    for (const thrown of [new TypeError('t'), 'text', 5, null, undefined, { message: 'm' }]) {
      assert.equal(overWire(thrown)?.blame, 'us')
    }
    assert.equal(overWire(new AssertionError('bug'))?.fix, 'Report this as a bug.')
  })

  test('from elsewhere is cut to size, and moves no cursor', () => {
    const error = {
      name: 'N\u001b[2J',
      message: `m\r\n${'x'.repeat(100_000)}`,
      blame: 'god',
      retry: 5,
      causes: ['\u0007', 6],
    }
    const back = errorFromEnvelope({ error })
    assert.ok(back)
    assert.doesNotMatch(back.name + back.message + back.causes.join(), /\p{Cc}/u)
    assert.ok(back.message.length <= 2_000)
    assert.deepEqual([back.blame, back.retry, back.causes.length], ['us', 'later', 1])
  })

  test('is none in any other form, and no value crashes its reader', () => {
    for (const none of [null, 5, 'x', [], {}, { error: null }, { error: 'x' }, { error: { name: 'x' } }]) {
      assert.equal(errorFromEnvelope(none), undefined)
    }
    fc.assert(fc.property(fc.jsonValue(), (value) => void errorFromEnvelope(value)))
    fc.assert(fc.property(fc.jsonValue(), (value) => void errorFromEnvelope({ error: value })))
  })
})

describe('the HTTP status of an error', () => {
  test('follows its name, else its blame', () => {
    const later = { retry: 'later' } as const
    assert.deepEqual(
      [
        new NotFoundError(''),
        new BodyTooLargeError(''),
        new UnauthorizedError(''),
        new BadInputError(''),
        new AssertionError(''),
        new TooFewShardsError(1, 0),
        new MemoError('', { blame: 'chain', ...later }),
        new TypeError(''),
        'text',
      ].map(statusOfError),
      [404, 413, 401, 400, 500, 503, 503, 500, 500],
    )
  })

  test('is that of the class that an error extends, at any distance, unless it has one of its own', () => {
    class GoneError extends NotFoundError {
      override readonly name: string = 'GoneError'
    }
    class LongGoneError extends GoneError {
      override readonly name: string = 'LongGoneError'
    }
    assert.equal(statusOfError(new LongGoneError('', { blame: 'provider' })), 404)
    assert.equal(statusOfError(new BodyTooLargeError('')), 413)
    const said = { name: 'BusyError', message: '', blame: 'us', retry: 'later' } as const
    assert.equal(statusOfError(new RemoteError({ error: said })), 503)
  })

  test('and its envelope are an answer, whatever the details are', async () => {
    const error = new BadInputError('big', { details: { amount: 5n as unknown as number } })
    const response = errorResponse(error)
    assert.equal(response.status, 400)
    const body = JSON.parse(textFromUtf8(await collectBytes(response.body, 10_000)))
    assert.equal(body.error.details.amount, '5')
  })
})

describe('bodies', () => {
  test('are read whole up to a limit, and not beyond', async () => {
    const parts = async function* () {
      for (let i = 0; i < 10; i++) yield new Uint8Array(10).fill(i)
    }
    assert.equal((await readBody({ body: parts() }, 100)).length, 100)
    assert.equal((await readBody({ body: undefined }, 0)).length, 0)
    await assert.rejects(readBody({ body: parts() }, 99), BodyTooLargeError)
    await assert.rejects(readBody({ body: new Uint8Array(100) }, 99), BodyTooLargeError)
  })

  test('an endless one is given up at the limit, and its source told', async () => {
    let stopped = false
    const endless = (async function* () {
      try {
        for (;;) yield new Uint8Array(1_000)
      } finally {
        stopped = true
      }
    })()
    await assert.rejects(readAnswer(streamResponse(200, endless, {}), 10_000, 'keeper'), {
      name: 'BadAnswerError',
      blame: 'keeper',
    })
    assert.ok(stopped)
  })

  test('of an error is read only so far', async () => {
    let given = 0
    const endless = (async function* () {
      for (;;) {
        given += 10_000
        yield new Uint8Array(10_000)
      }
    })()
    const error = await errorOfAnswer(streamResponse(500, endless, {}), 'provider')
    assert.ok(error instanceof BadAnswerError)
    assert.ok(given < 200_000)
  })

  test('that are not JSON are bad input', () => {
    for (const text of ['', '{', 'undefined', '\u0000']) assert.throws(() => parseJson(utf8(text)), BadInputError)
    assert.throws(() => parseJson(Uint8Array.of(0xff, 0xfe)), BadInputError)
    assert.deepEqual(parseJson(utf8('{"a":1}')), { a: 1 })
  })

  test('say their length and type', () => {
    const { headers } = bytesResponse(200, new Uint8Array(7))
    assert.deepEqual(headers, { 'content-type': 'application/octet-stream', 'content-length': '7' })
  })
})
