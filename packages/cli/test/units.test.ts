import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { BadInputError, MemoError, NotFoundError, UnreachableError } from '@memo/core'
import { DiskFullError, WrongPasswordError } from '@memo/platform'
import { GatewayError } from '@memo/sdk'
import fc from 'fast-check'
import { exitCodeOf } from '../src/exit-codes.ts'
import { callGateway } from '../src/money/gateway.ts'
import { formatBytes, formatMs, formatTable, toJson } from '../src/output.ts'
import { printable, printableLines } from '../src/printable.ts'
import { dataDirOf, networkOf, sizeInBytes } from '../src/settings.ts'
import { freshName, type TakenNames } from '../src/user/file-name.ts'
import { heldBack } from '../src/user/held-back.ts'
import { describeUntil } from '../src/user/put.ts'

describe('exit codes', () => {
  const blamed = (blame: MemoError['blame'], retry: MemoError['retry']) => new MemoError('x', { blame, retry })
  test('they follow from whose fault it is and whether to try again', () => {
    assert.equal(exitCodeOf(new TypeError('a bug')), 1)
    assert.equal(exitCodeOf('thrown text'), 1)
    assert.equal(exitCodeOf(new DiskFullError('here', undefined)), 1)
    assert.equal(exitCodeOf(new BadInputError('x')), 2)
    assert.equal(exitCodeOf(new NotFoundError('x')), 3)
    assert.equal(exitCodeOf(new WrongPasswordError('x')), 4)
    assert.equal(exitCodeOf(blamed('user', 'later')), 5)
    const byStatus = [401, 403, 404, 526, 518].map((status) => exitCodeOf(new GatewayError(status, 'x', 'never')))
    assert.deepEqual(byStatus, [4, 4, 3, 4, 2])
    assert.equal(exitCodeOf(new GatewayError(503, 'x', 'later')), 5)
    assert.equal(exitCodeOf(new UnreachableError('x', { blame: 'us', retry: 'later' })), 5)
    for (const blame of ['provider', 'keeper', 'chain'] as const) {
      assert.equal(exitCodeOf(blamed(blame, 'now')), 5)
      assert.equal(exitCodeOf(blamed(blame, 'later')), 5)
      assert.equal(exitCodeOf(blamed(blame, 'never')), 6)
    }
  })
})

describe('what people read', () => {
  test('sizes and times have units', () => {
    const sizes = [0, 1, 1023, 1024, 1536, 1_048_575, 1_048_576, 5_000_000, 2 ** 40, 2 ** 53]
    const shown = ['0 B', '1 B', '1023 B', '1.0 KiB', '1.5 KiB', '1024 KiB', '1.0 MiB', '4.8 MiB', '1.0 TiB', '8.0 PiB']
    assert.deepEqual(sizes.map(formatBytes), shown)
    assert.deepEqual([0, 999.4, 1_000, 65_432].map(formatMs), ['0 ms', '999 ms', '1.0 s', '65.4 s'])
  })

  test('columns stand under each other, Chinese names too', () => {
    const lines = formatTable([
      ['去中心化', 'a'],
      ['abc', 'b'],
      ['', 'c'],
    ]).split('\n')
    assert.deepEqual(lines, ['去中心化  a', 'abc       b', '          c'])
    assert.equal(formatTable([]), '')
    const address = `0x${'12345678'.repeat(5)}`
    const wide = [[`  ${address}`, address, 'http://x', `took ${address}`]]
    assert.match(
      formatTable(wide, 80),
      /^ {2}0x12345678…12345678 {2}0x12345678…12345678 {2}http:\/\/x {2}took 0x1234567812345678/,
    )
    assert.equal(formatTable(wide, 200), formatTable(wide, undefined))
    assert.ok(formatTable(wide, undefined).includes(address))
  })

  test('names of others move no cursor, begin no line and turn no text around', () => {
    const hostile = 'a\u001b[2J\u001b]0;t\u0007\u009b1A\rb\nc\u202egpj.exe'
    assert.equal(printable(hostile), 'a?[2J?]0;t??1A?b?c?gpj.exe')
    assert.equal(printable('猫 – ünïcode 😀.jpg'), '猫 – ünïcode 😀.jpg')
    assert.equal(formatTable([[hostile, 'x']]).split('\n').length, 1)
    const lines = printableLines(`\u001b[31mred\u001b[39m\nnext \u001b[2J\u001b[31;99999999999999999mx\u0007`)
    assert.equal(lines, '\u001b[31mred\u001b[39m\nnext ?[2J?[31;99999999999999999mx?')
  })

  test('amounts in JSON are decimal strings', () => {
    assert.equal(toJson({ atto: 10n ** 30n, list: [1n] }), `{"atto":"1${'0'.repeat(30)}","list":["1"]}`)
  })
})

describe('settings', () => {
  const kept = { ...process.env }
  afterEach(() => {
    for (const name of ['MEMO_DATA', 'XDG_DATA_HOME', 'MEMO_RPC', 'MEMO_REGISTRY']) {
      if (kept[name] === undefined) delete process.env[name]
      else process.env[name] = kept[name]
    }
  })

  test('the data directory: flag, then MEMO_DATA, then XDG_DATA_HOME', () => {
    process.env.XDG_DATA_HOME = '/xdg'
    delete process.env.MEMO_DATA
    assert.equal(dataDirOf({}), join('/xdg', 'memo', 'network'))
    assert.equal(dataDirOf({}, 'keeper'), join('/xdg', 'memo', 'keeper'))
    process.env.MEMO_DATA = '/env'
    assert.equal(dataDirOf({}), '/env')
    assert.equal(dataDirOf({ data: '/flag' }), '/flag')
    assert.equal(dataDirOf({ data: 'relative' }), join(process.cwd(), 'relative'))
    process.env.MEMO_DATA = ''
    process.env.XDG_DATA_HOME = 'not-absolute'
    assert.ok(!dataDirOf({}).startsWith('not-absolute'))
  })

  test('the network: flag, then environment, then what is kept', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit) => `0x${digit.repeat(40)}`) as [string, string, string]
    delete process.env.MEMO_RPC
    delete process.env.MEMO_REGISTRY
    assert.throws(() => networkOf({}, undefined), { name: 'NotSetUpError' })
    const profile = { rpc: 'http://kept', registry: a }
    const whereOf = (given: { readonly rpc?: string; readonly registry?: string }) => {
      const { gas, ...where } = networkOf(given, profile)
      assert.ok(gas.maxFeePerGasWei)
      return where
    }
    assert.deepEqual(whereOf({}), { rpcUrl: 'http://kept', registry: a })
    process.env.MEMO_RPC = 'http://env'
    process.env.MEMO_REGISTRY = b
    assert.deepEqual(whereOf({}), { rpcUrl: 'http://env', registry: b })
    const flags = { rpc: 'https://flag', registry: c.toUpperCase().replace('0X', '0x') }
    assert.deepEqual(whereOf(flags), { rpcUrl: 'https://flag', registry: c })
  })

  test('sizes are read with binary and decimal units, and nothing else is', () => {
    const read = sizeInBytes('--capacity')
    const sizes: Readonly<Record<string, number>> = {
      '0': 0,
      '7B': 7,
      '1KiB': 1024,
      '1.5 MiB': 1.5 * 2 ** 20,
      '10GiB': 10 * 2 ** 30,
      '10gib': 10 * 2 ** 30,
      '2TiB': 2 * 2 ** 40,
      '1.5TB': 1.5e12,
      '500 MB': 5e8,
      '3kB': 3_000,
    }
    for (const [text, bytes] of Object.entries(sizes)) assert.equal(read(text), bytes, text)
    for (const text of ['', 'GiB', '10G', '-1', '1e9', 'NaN', '1 2', '0x10', '10 Gb/s', '1,5GiB', '٣']) {
      assert.throws(() => read(text), { name: 'UsageError', message: /^--capacity .* is not a size$/ }, text)
    }
    assert.equal(read('9007199254740991'), Number.MAX_SAFE_INTEGER)
    for (const text of ['9007199254740992', '8PiB', '9.1PB', '99999999999PiB', '1EiB', '1YB', '9'.repeat(30)]) {
      const message = /^--capacity .* is too large: at most 9,007,199,254,740,991 bytes, a byte less than 8 PiB$/
      assert.throws(() => read(text), { name: 'UsageError', message }, text)
    }
    for (const text of ['1.5', '0.5B', '0.000001kB']) {
      assert.throws(() => read(text), { name: 'UsageError', message: /is not a whole number of bytes$/ }, text)
    }
    assert.equal(read('1.1MiB'), 1_153_434, 'to the nearest byte')
  })
})

test('a put says until when it is paid for, and what keeps it longer', () => {
  const expiresAt = Math.floor(Date.now() / 1_000) + 30 * 86_400
  const day = new Date(expiresAt * 1_000).toISOString().slice(0, 10)
  const paid = describeUntil({ expiresAt, orderIds: [3, 4] })
  assert.ok(paid.startsWith(`paid until ${day} (in 30 days); `), paid)
  assert.match(paid, /renew it from your escrow: memo escrow deposit AMOUNT$/)
  assert.match(describeUntil({ expiresAt, orderIds: [0, 4] }), /^stored until .*, not paid: put it again/)
  assert.match(describeUntil(undefined), /memo status CID/)
})

describe('what goes to stdout', () => {
  const streamOf = async function* (parts: readonly Uint8Array[], end?: Error): AsyncGenerator<Uint8Array> {
    yield* parts
    if (end) throw end
  }

  test('it is the same bytes, and of a short stream that fails at its end none', async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(parts, fc.nat({ max: 200 }), async (given, limit) => {
        const all = Buffer.concat(given)
        const out = await Array.fromAsync(heldBack(streamOf(given), limit))
        assert.deepEqual(Buffer.concat(out), all)
        const seen: Uint8Array[] = []
        await assert.rejects(async () => {
          for await (const part of heldBack(streamOf(given, new RangeError('false bytes')), limit)) seen.push(part)
        }, RangeError)
        assert.equal(Buffer.concat(seen).length, all.length > limit ? all.length : 0)
      }),
    )
  })
})

describe('names of restored files', () => {
  test('they stay in their directory, fit it, and are never the same twice, whatever somebody called his file', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom(
        '..',
        '.',
        '../../etc/passwd',
        '/etc/passwd',
        'a\0b',
        '',
        'C:\\x',
        '.bashrc',
        'A',
        'a',
        '存储.txt',
      ),
    )
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 30 }), (names) => {
        const taken: TakenNames = new Map()
        const fresh = names.map((name) => freshName(taken, name, 'bafycid'))
        assert.equal(new Set(fresh.map((name) => name.normalize('NFC').toLowerCase())).size, names.length)
        for (const name of fresh) {
          assert.match(name, /^[^/\\\0]+$/)
          assert.ok(name !== '.' && name !== '..' && !name.startsWith('.'))
          assert.ok(Buffer.byteLength(name) <= 255)
        }
      }),
    )
  })

  test('many files of one name do not wait for each other, and no name reads otherwise than it is', () => {
    const taken: TakenNames = new Map()
    const startedMs = performance.now()
    const names = Array.from({ length: 50_000 }, () => freshName(taken, 'same', 'cid'))
    assert.equal(new Set(names).size, names.length)
    assert.equal(names.at(-1), '50000-same')
    assert.ok(performance.now() - startedMs < 10_000)
    assert.equal(freshName(taken, '\u0065\u0301.txt', 'cid'), '\u0065\u0301.txt')
    assert.equal(freshName(taken, '\u00c9.txt', 'cid'), '2-\u00c9.txt')
    assert.equal(freshName(taken, 'a\u202egpj.exe\u009b', 'cid'), 'a_gpj.exe_')
  })

  test('an honest name is kept as it is', () => {
    const taken: TakenNames = new Map()
    assert.deepEqual(
      ['去中心化存储.pdf', 'a b (1).txt', 'a b (1).txt'].map((name) => freshName(taken, name, 'cid')),
      ['去中心化存储.pdf', 'a b (1).txt', '2-a b (1).txt'],
    )
  })
})

describe('what a gateway answers', () => {
  test('is no more than any answer says: one that floods is its fault, not a fault of this program', async () => {
    const flood = createServer((_request, answer) => {
      answer.on('error', () => undefined)
      for (let i = 0; i < 5; i++) answer.write(Buffer.alloc(1_048_576, 0x20))
      answer.end('{}')
    })
    flood.listen(0, '127.0.0.1')
    await once(flood, 'listening')
    const url = `http://127.0.0.1:${(flood.address() as AddressInfo).port}`
    try {
      const call = callGateway(url, { method: 'GET', path: '/info', signal: new AbortController().signal })
      await assert.rejects(call, { name: 'BadGatewayAnswerError' })
    } finally {
      flood.closeAllConnections()
      flood.close()
    }
  })
})
