import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { exitCodeOf } from '../src/exit-codes.ts'
import { type FileSystemError, fileError } from '../src/file-error.ts'
import { findFreePort } from '../src/ports.ts'
import { writeToFile } from '../src/user/get.ts'
import { type LineEnded, runLines } from './support/run-lines.ts'

const MEMO = join(import.meta.dirname, '..', 'bin', 'memo.js')
const home = mkdtempSync(join(tmpdir(), 'memo-cli-'))
after(() => rmSync(home, { recursive: true, force: true }))

/** Nothing of the machine that runs the tests gets in. */
const ENV = {
  PATH: process.env.PATH,
  HOME: home,
  XDG_DATA_HOME: join(home, 'data'),
  XDG_CACHE_HOME: join(home, 'cache'),
}
const OLD_NODE = (process.env.PATH ?? '')
  .split(delimiter)
  .map((dir) => join(dir, 'node'))
  .find((node) => /^v(1\d|20|21)\./.test(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? ''))
const NO_OLD_NODE = 'this machine has no Node that is too old'
const DEAD = ['--rpc', 'http://127.0.0.1:9', '--registry', `0x${'1'.repeat(40)}`]

function memo(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, [MEMO, ...args], { encoding: 'utf8', env: { ...ENV, ...env } })
}

describe('the memo command', () => {
  test('wrong commands and options end with 2, say what, and name the right one', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['pot x', /unknown command 'pot'\nfix +Did you mean: put/],
      ['provider rnu', /unknown command 'rnu'\nfix +Did you mean: run/],
      ['up --prot 1', /unknown option '--prot'\nfix +Did you mean: --port/],
      ['put', /missing required argument 'file'\nfix +See: memo put --help/],
      ['escrow deposit', /missing required argument 'amount'\nfix +See: memo escrow deposit --help/],
      ['escrow withdraw 1e9', /“1e9” is not an amount of MEMO\nfix +Write it as 12.5/],
      ['zzz put', /unknown command 'zzz'\nfix +See: memo --help/],
      ['keeper run --take-over', /unknown option '--take-over'/],
      ['gateway run --take-over', /there is no gateway in/],
      ['gateway run --hashcash-bits 41', /--hashcash-bits 41 is not a whole number from 0 to 40/],
      ['put a b', /too many arguments/],
      ['restore', /required option '--key/],
      ['up --port 70000', /--port 70000 is not a whole number from 1 to 65535/],
      ['gateway run --public-reads-per-hour lots', /--public-reads-per-hour lots is not a size/],
      ['gateway run --quota-grace -1', /--quota-grace -1 is not a whole number/],
      ['gateway run --gas-worth 0.5', /--gas-worth 0.5 is not a whole number/],
      ['provider run --gas-worth -1', /--gas-worth -1 is not a whole number/],
      ['up --providers 0', /--providers 0/],
      ['provider init --capacity lots', /--capacity lots is not a size\nfix +Write it as/],
      ['help pot', /unknown command 'pot'\nfix +See: memo --help/],
      ['get x', /--rpc is missing\nfix +Give --rpc URL/],
      ['info --rpc ftp://x --registry 0x1', /not an http URL/],
      ['info --rpc http://x --registry 0x1', /not an address/],
      ['provider run', /there is no provider in .*\nfix +Set one up: memo provider init/],
    ]
    const lines = cases.map(([line]) => line.split(' '))
    const ended = await runLines(lines, ENV)
    for (const [i, [line, expected]] of cases.entries()) {
      const { code, stdout, stderr } = ended[i] as LineEnded
      assert.equal(code, 2, `${line}: ${stderr}`)
      assert.match(stderr, expected)
      assert.equal(stdout, '', line)
      assert.doesNotMatch(stderr, / at .*\.ts:\d+/, 'a user’s mistake shows no stack')
    }
  })

  test('help goes to stdout with 0 when it is asked for, to stderr with 2 when the command is not whole', () => {
    for (const line of [['--help'], ['help', 'put'], ['provider', 'run', '--help']]) {
      const { status, stdout, stderr } = memo(line)
      assert.deepEqual([status, stderr], [0, ''])
      assert.match(stdout, /^Usage: memo/)
    }
    for (const line of [[], ['provider'], ['did']]) {
      const { status, stdout, stderr } = memo(line)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, /^Usage: memo/)
    }
    assert.equal(memo(['--version']).stdout, '0.1.0\n')
  })

  test('every verb takes --data, --json, --no-color and -y, and those that move money end with an example', async () => {
    const money =
      'wallet,wallet take,wallet unstick,quote,buy,balance,escrow deposit,escrow withdraw,provider earnings,apply,admin free,admin applications,admin grant,admin refuse,admin prices'
    const others =
      'up,put,get,ls,rm,status,restore,info,doctor,did create,did show,chain run,provider init,provider run,keeper init,keeper run,gateway init,gateway run'
    const verbs = `${others},${money}`.split(',')
    const helps = await runLines(
      verbs.map((verb) => [...verb.split(' '), '--help']),
      ENV,
    )
    for (const [i, verb] of verbs.entries()) {
      for (const flag of ['--data', '--json', '--no-color', '--yes'])
        assert.ok(helps[i]?.stdout.includes(flag), `${verb} ${flag}`)
    }
    for (const verb of money.split(',')) {
      assert.match(helps[verbs.indexOf(verb)]?.stdout ?? '', new RegExp(`\nExample:\n  memo ${verb}`), verb)
    }
  })

  test('a chain that cannot be reached ends with 5, a missing file with 3', () => {
    const dead = memo(['info', ...DEAD])
    assert.equal(dead.status, 5)
    assert.match(dead.stderr, /^error .*127\.0\.0\.1:9/)
    const missing = memo(['restore', '--key', join(home, 'no-key'), ...DEAD, '-o', join(home, 'out')])
    assert.equal(missing.status, 3)
    assert.match(missing.stderr, /there is no key file/)
  })

  test('where the chain is that of a local network that is not up, the fix is to start it', () => {
    const data = join(home, 'stopped')
    mkdirSync(data)
    writeFileSync(join(data, 'network.json'), JSON.stringify({ rpcPort: 9, gatewayPort: 1, level: 1, ports: {} }))
    writeFileSync(
      join(data, 'profile.json'),
      JSON.stringify({ rpc: 'http://127.0.0.1:9', registry: DEAD[3], chainId: 1 }),
    )
    const { status, stderr } = memo(['info', '--data', data])
    assert.equal(status, 5, stderr)
    assert.match(stderr, new RegExp(`no chain answers[^]*fix +Start it with: memo up --data ${data}\\n`))
    assert.match(memo(['info'], { MEMO_DATA: data }).stderr, /fix +Start it with: memo up\n/)
    const other = memo(['info', '--data', data, '--rpc', 'http://127.0.0.1:10'])
    assert.match(other.stderr, /127\.0\.0\.1:10 \(from --rpc\)[\s\S]*fix +Start the chain, or give --rpc/)
    writeFileSync(join(data, 'network.json'), '{')
    assert.match(memo(['info', '--data', data]).stderr, /no chain answers/)
  })

  test('an RPC that does not answer is named with who named it, why, and what to start', async () => {
    const page = createServer((_, response) => response.writeHead(404).end('nothing'))
    page.listen(0, '127.0.0.1')
    await once(page, 'listening')
    const noChain = `http://127.0.0.1:${(page.address() as AddressInfo).port}`
    const closed = `http://127.0.0.1:${await findFreePort()}`
    const registry = ['--registry', DEAD[3] as string]
    try {
      const lines = [
        ['info', '--rpc', closed, ...registry],
        ['info', ...registry],
        ['info', '--rpc', noChain, ...registry],
        ['info', '--rpc', 'http://no-such-host.invalid', ...registry],
        ['info', '--rpc', noChain.replace('http', 'https'), ...registry],
        ['restore', '--key', join(home, 'hex-key'), '--rpc', closed, '-o', join(home, 'restored')],
      ]
      writeFileSync(join(home, 'hex-key'), 'a5'.repeat(32))
      const ended = await runLines(lines, { ...ENV, MEMO_RPC: closed })
      const why = [
        /the connection was refused/,
        /refused/,
        /what answers there is no chain/,
        /host name is not known/,
        /https/,
        /refused/,
      ]
      for (const [i, { code, stderr }] of ended.entries()) {
        assert.equal(code, 5, stderr)
        assert.match(stderr, i === 1 ? /^error .*\(from MEMO_RPC\)\n/ : /^error .*\(from --rpc\)\n/)
        assert.match(stderr, new RegExp(`\nwhy +.*${why[i]?.source}`), lines[i]?.join(' '))
        assert.match(stderr, /\nfix +.*--rpc.*memo up/)
        assert.doesNotMatch(stderr, /Unknown|viem|fetch failed| at .*\.ts:/)
      }
    } finally {
      page.close()
    }
  })

  test('what the file system refuses is told as such, without a stack', async () => {
    const readOnly = join(home, 'read-only')
    mkdirSync(readOnly)
    writeFileSync(join(home, 'a-file'), '')
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ['ENOENT', join(home, 'none', 'x'), /x cannot be used: there is no such file or directory/],
      ['EISDIR', readOnly, /cannot be used: it is a directory/],
      ['ENOTDIR', join(home, 'a-file', 'x'), /cannot be used: a part of it is a file/],
    ]
    for (const [code, path, message] of cases) {
      const bytes = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
      await assert.rejects(writeToFile(bytes, path), (error: FileSystemError) => {
        assert.match(error.message, message)
        assert.deepEqual([error.details.code, exitCodeOf(error)], [code, 2])
        return true
      })
    }
    const ended = await runLines([['up', '--data', join(home, 'a-file', 'x')]], ENV)
    assert.match(ended[0]?.stderr ?? '', /^error .*a-file\/x cannot be used: a part of it is a file.*\nfix /)
    assert.equal(ended[0]?.code, 2)
    assert.equal(exitCodeOf(fileError(Object.assign(new Error('x'), { code: 'ENOSPC', path: '/x' }))), 1)
  })

  test('doctor tells of settings that cannot be read as of anything else that is wrong, and of the rest', async () => {
    const data = join(home, 'broken')
    mkdirSync(data)
    writeFileSync(join(data, 'profile.json'), '{')
    const [doctor, info] = await runLines(
      [
        ['doctor', '--data', data],
        ['info', '--data', join(data, 'profile.json')],
      ],
      ENV,
    )
    assert.equal(doctor?.code, 1, doctor?.stderr)
    assert.match(doctor?.stdout ?? '', /FAIL +settings +.*profile\.json is not JSON[\s\S]*fix settings: Restore it/)
    assert.match(info?.stderr ?? '', /cannot be used: a part of it is a file.*\nfix /)
  })

  test('a result that cannot be written ends with 1, and one that nobody reads to its end with 0', {
    skip: existsSync('/dev/full') ? false : 'this machine has no /dev/full',
  }, () => {
    const run = (target: string) =>
      spawnSync('sh', ['-c', `"$0" "$1" doctor --data "$2" ${target}`, process.execPath, MEMO, join(home, 'nowhere')], {
        encoding: 'utf8',
        env: ENV,
      })
    const full = run('> /dev/full')
    assert.deepEqual([full.status, full.stdout], [1, ''])
    assert.match(full.stderr, /^error .*cannot be written to standard output: ENOSPC/)
    assert.equal(run('| true').status, 0)
  })

  test('with --json an error is one line of JSON on stderr, and stdout stays clean', () => {
    const { status, stdout, stderr } = memo(['info', ...DEAD, '--json'])
    assert.equal(status, 5)
    assert.equal(stdout, '')
    assert.equal(stderr.trimEnd().split('\n').length, 1)
    const { error } = JSON.parse(stderr)
    assert.equal(error.blame, 'chain')
    assert.ok(error.fix)
  })

  test('no colour comes where nobody sees it, also when it is forced by habit', () => {
    for (const env of [{}, { NO_COLOR: '1' }, { FORCE_COLOR: '1' }]) {
      assert.ok(!memo(['pot'], env as Record<string, string>).stderr.includes('\x1b['), JSON.stringify(env))
    }
  })

  test('before anybody is asked for a password he is told that the chain is down', async () => {
    const verbs = ['provider init', 'keeper init', 'did create']
    const lines = verbs.map((verb) => [...verb.split(' '), ...DEAD, '--data', join(home, verb)])
    for (const { code, stderr } of await runLines(lines, ENV)) {
      assert.equal(code, 5, stderr)
      assert.match(stderr, /^error .*127\.0\.0\.1:9/)
    }
  })

  test('no password is asked for where nobody can answer, and none is taken from the command line', () => {
    const key = spawnSync(process.execPath, [
      '-e',
      `require('fs').writeFileSync(${JSON.stringify(join(home, 'key.json'))}, '{"version":3}')`,
    ])
    assert.equal(key.status, 0)
    const { status, stderr } = memo(['restore', '--key', join(home, 'key.json'), ...DEAD, '-o', join(home, 'out')])
    assert.equal(status, 2)
    assert.match(stderr, /a password is needed and there is no terminal/)
    assert.match(memo(['put', 'x', '--password', 'secret']).stderr, /unknown option '--password'/)
  })

  test('where no suitable Node is found the launcher says so', { skip: OLD_NODE === undefined && NO_OLD_NODE }, () => {
    const dir = join(home, 'installed', 'bin')
    mkdirSync(dir, { recursive: true })
    cpSync(MEMO, join(dir, 'memo.mjs'))
    const { status, stderr } = spawnSync(OLD_NODE as string, [join(dir, 'memo.mjs'), 'info'], {
      encoding: 'utf8',
      env: ENV,
    })
    assert.equal(status, 1)
    assert.match(stderr, /needs Node 22\.18 or newer and this is .*\n.*\nFix: run npm install/)
  })

  test('what fails leaves nothing in the data directory', () => {
    memo(['get', 'bafy', ...DEAD])
    memo(['provider', 'init', ...DEAD])
    assert.ok(!readdirSync(home).includes('data') || readdirSync(join(home, 'data')).length <= 1)
  })
})
