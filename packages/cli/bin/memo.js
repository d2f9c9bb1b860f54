#!/usr/bin/env node
/**
 * Starts the memo command on a Node that can run it. Plain JavaScript for any Node from 18 on: this file is what a
 * shell finds, whatever Node stands first on its path. Where the running Node is new enough it becomes the command
 * itself; otherwise it runs the pinned one (optional dependency `node-<platform>-<arch>`) and passes on signals and
 * the exit code.
 */
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { constants, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Type stripping without a flag, and `node:sqlite`. */
const MIN_NODE = [22, 18]
const EXIT_US = 1
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

const here = dirname(realpathSync(fileURLToPath(import.meta.url)))
const source = join(here, '..', 'src', 'main.ts')
const compiled = join(here, '..', 'dist', 'main.js')
// Node strips types outside node_modules only, which is where a checkout lies and a published package does not.
const isCheckout = existsSync(source) && !here.split(/[\\/]/).includes('node_modules')
const main = isCheckout ? source : compiled

// The last one: buffers of sockets count as old memory; with less to begin with, a third of the time goes into
// collecting it (spec/performance.md 6).
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--initial-old-space-size=96',
  '--max-semi-space-size=4',
  ...(isCheckout ? ['--conditions=source'] : []),
]

keepCompiledCode()
boundMalloc()
const canRun = isNewEnough(process.versions.node)
if (canRun && !isCheckout) await becomeCommand()
else if (canRun && process.execve !== undefined) replaceProcess()
else runChild(canRun ? process.execPath : findPinned())

/** Whether this Node can run the command by itself. */
function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])
}

/** Compiled code is kept between runs, also for the processes that this one starts. */
function keepCompiledCode() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  process.env.NODE_COMPILE_CACHE ??= join(cache, 'memo', 'compiled')
  nodeModule.enableCompileCache?.(process.env.NODE_COMPILE_CACHE)
}

/** For glibc, in the processes that follow: large memory goes back when it is freed, and threads share arenas. */
function boundMalloc() {
  process.env.MALLOC_MMAP_THRESHOLD_ ??= '262144'
  process.env.MALLOC_ARENA_MAX ??= '2'
}

/** A published package needs no flags: no second Node is started. */
async function becomeCommand() {
  silenceExperiments()
  await import(pathToFileURL(main).href)
}

/** A checkout needs a flag that cannot be set later: the same process starts anew, under the same id. */
function replaceProcess() {
  silenceExperiments()
  process.execve(process.execPath, [process.execPath, ...flags, main, ...process.argv.slice(2)], process.env)
}

/** node:sqlite and others call themselves experimental in some releases; that is for us to know. */
function silenceExperiments() {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`)
  })
}

function runChild(node) {
  if (node === undefined) {
    process.stderr.write(
      `memo needs Node ${MIN_NODE.join('.')} or newer and this is ${process.versions.node}.\n` +
        'The pinned Node that comes with it is not installed.\n' +
        'Fix: run npm install where memo is installed, without --omit=optional.\n',
    )
    process.exit(EXIT_US)
  }
  // The channel tells the command when this process is gone, in whatever way.
  const child = spawn(node, [...flags, main, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, MEMO_LAUNCHED: '1' },
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`memo cannot start ${node}: ${error.message}\n`)
    process.exit(EXIT_US)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

/** The pinned Node nearest above this file. */
function findPinned() {
  const names = [
    join(`node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`, 'bin', 'node'),
    join(`node-win-${process.arch}`, 'bin', 'node.exe'),
    join('.bin', 'node'),
  ]
  for (let dir = here; ; dir = dirname(dir)) {
    const found = names.map((name) => join(dir, 'node_modules', name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (dir === dirname(dir)) return undefined
  }
}
