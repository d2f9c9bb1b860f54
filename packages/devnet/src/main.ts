import { parseArgs } from './args.ts'
import { createDevnet } from './devnet.ts'
import { ChainStoppedError, DevnetError } from './errors.ts'

const EXIT_FAILED = 1

/** Runs the chain as a process of its own until SIGTERM or SIGINT (`spec/devnet.md` 6). */
async function main(): Promise<void> {
  const args = parseArgs(process.argv.slice(2))
  const devnet = await createDevnet({ ...args.devnet, onStopped: fail })
  // A signal may come while the server starts, so the handlers stand first.
  const stop = (): void => {
    devnet.close().then(() => process.exit(0), fail)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  try {
    const { url } = await devnet.listen({ host: args.host, port: args.port })
    const ready = { event: 'ready', url, chainId: devnet.chainId }
    process.stdout.write(args.json ? `${JSON.stringify(ready)}\n` : `chain ${devnet.chainId} at ${url}\n`)
  } catch (error) {
    await devnet.close()
    throw error
  }
}

/** One line that says what happened and what to do. */
function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const fix = error instanceof DevnetError && error.fix !== undefined ? `; ${error.fix}` : ''
  process.stderr.write(`error: ${message}${fix}\n`)
  // Nothing more can be stored, so there is nothing to close in order.
  if (error instanceof ChainStoppedError) process.exit(EXIT_FAILED)
  process.exitCode = EXIT_FAILED
}

await main().catch(fail)
