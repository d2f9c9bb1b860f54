import { watchProcess } from './runtime.ts'

/** The memo command: signals first, so that none finds the process unprepared; then what the verb needs. */
const runtime = watchProcess()
// Who reads no further, as `head` does, is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
const { runProgram } = await import('./program.ts')
const code = await runProgram(process.argv.slice(2), runtime)
process.stdout.write('', () => process.exit(code))
