import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, describe, test } from 'node:test'
import { openKeyStore } from '@memo/platform'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { findOldNode, freshDir, startNetwork } from './support/memo.ts'

const ROOT = join(import.meta.dirname, '..')
const PACKAGES = join(ROOT, 'packages')
const EXAMPLE = join(ROOT, 'examples', 'gateway', 'store.ts')
const TINY = ['--keepers', '1', '--providers', '2', '--policy', 'rs:1+1']
/** What applications import; the others are run by the command. */
const FOR_APPLICATIONS = ['contracts', 'core', 'chain', 'did', 'sdk']
const OPTIONS = { strict: true, exactOptionalPropertyTypes: true, noEmit: false, outDir: 'out', target: 'ES2023' }

type Manifest = {
  readonly name: string
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
}

/** What `npm pack` says that it would pack. */
type Packed = { readonly name: string; readonly files: readonly { readonly path: string }[] }

// What npm would install: the files of each package as `npm pack` lists them, and beside them what it declares.
describe('the packages as they are published', () => {
  const nodes = [process.execPath, findOldNode()].filter((node) => node !== undefined)
  let project: string
  let names: string[]

  before(async () => {
    project = await freshDir('memo-packages-')
    const built = run(process.execPath, ['--conditions=source', 'scripts/build.ts'], ROOT)
    assert.equal(built.status, 0, built.stderr)
    names = (await readdir(PACKAGES)).filter((name) => built.stdout.includes(`@memo/${name}\n`))
    const packed = run('npm', [
      'pack',
      '--dry-run',
      '--json',
      '--ignore-scripts',
      ...names.map((name) => `./packages/${name}`),
    ])
    assert.equal(packed.status, 0, packed.stderr)
    for (const { name, files } of JSON.parse(packed.stdout) as Packed[]) {
      await install({ name: name.replace('@memo/', ''), files }, project)
    }
    await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
    await symlink(join(ROOT, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'))
    await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'application', type: 'module' }))
    await cp(EXAMPLE, join(project, 'store.ts'))
  })

  test('are all there, and publint finds nothing wrong with them', async () => {
    assert.ok(names.length >= 10, names.join())
    for (const name of names) {
      const pkgDir = join(project, 'node_modules', '@memo', name)
      const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true })
      assert.deepEqual(
        messages.map((message) => formatMessage(message, pkg)),
        [],
        name,
      )
      const files = await readdir(pkgDir)
      for (const wanted of ['LICENSE-APACHE', 'LICENSE-MIT', 'dist', 'src']) assert.ok(files.includes(wanted), name)
    }
  })

  for (const node of nodes) {
    const version = run(node, ['--version']).stdout.trim()
    test(`can be imported by an application on Node ${version}`, async () => {
      const lines: string[] = []
      for (const name of FOR_APPLICATIONS) {
        const { exports = {} } = await readManifest(join(project, 'node_modules', '@memo', name))
        for (const path of Object.keys(exports)) lines.push(`await import('@memo/${name}${path.slice(1)}')`)
      }
      assert.ok(lines.length >= 8)
      await writeFile(join(project, 'import.js'), `${lines.join('\n')}\n`)
      const { status, stderr } = run(node, ['import.js'], project)
      assert.deepEqual([status, stderr], [0, ''])
    })
  }

  for (const [module, moduleResolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ]) {
    test(`have types that an application's compiler takes (${moduleResolution})`, async () => {
      const compilerOptions = { ...OPTIONS, module, moduleResolution, types: ['node'], skipLibCheck: true }
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['store.ts'] }))
      const { status, stdout } = run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', project], project)
      assert.equal(status, 0, stdout)
    })
  }

  test('run a network, and an application that stores a file in it', async () => {
    const memo = join(project, 'node_modules', '@memo', 'cli', 'bin', 'memo.js')
    const { server, ready } = await startNetwork(join(project, 'network'), TINY, { memo })
    const keys = dirname(ready.keyFile)
    const store = await openKeyStore(keys, (await readFile(join(keys, 'password'), 'utf8')).trim())
    const secret = Buffer.from(await store.load('user')).toString('hex')
    const env = { ...process.env, MEMO_GATEWAY: ready.gateway, MEMO_DID: ready.did, MEMO_KEY: `0x${secret}` }
    for (const node of nodes) {
      const { status, stdout, stderr } = run(node, [join('out', 'store.js')], project, env)
      assert.equal(status, 0, stderr)
      assert.deepEqual(
        stdout
          .replace(/baf\w+/, 'CID')
          .replace(/listed \d+/, 'listed 1')
          .trim()
          .split('\n'),
        ['stored CID', 'listed 1 hello.txt 13', 'read "Hello, MEMO.\\n"', 'deleted'],
      )
    }
    assert.equal(await server.stop(), 0)
  })
})

/** Puts a package where npm would, and links what it depends on; what it does not declare is not there. */
async function install({ name, files }: Packed, project: string): Promise<void> {
  const from = join(PACKAGES, name)
  const to = join(project, 'node_modules', '@memo', name)
  for (const { path } of files) await cp(join(from, path), join(to, path))
  for (const dependency of Object.keys((await readManifest(from)).dependencies ?? {})) {
    if (dependency.startsWith('@memo/')) continue
    const link = join(project, 'node_modules', dependency)
    await mkdir(dirname(link), { recursive: true })
    if (existsSync(link)) continue
    const own = join(from, 'node_modules', dependency)
    await symlink(existsSync(own) ? own : join(ROOT, 'node_modules', dependency), link)
  }
}

async function readManifest(dir: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as Manifest
}

function run(program: string, args: readonly string[], cwd = ROOT, env = process.env): SpawnSyncReturns<string> {
  return spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: 180_000 })
}
