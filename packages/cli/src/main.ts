import { watchProcess } from './runtime.ts'

/** The memo command: signals first, so that none finds the process unprepared; then what the verb needs. */
const runtime = watchProcess()
process.stdout.on('error', endUnwritten)
const { runProgram } = await import('./program.ts')
const code = await runProgram(process.argv.slice(2), runtime)
// The last write says whether the ones before it went through.
process.stdout.write('', (error) => (error ? endUnwritten(error) : process.exit(code)))

/** Who reads no further, as `head` does, is no fault of ours; a full disk is told of, or a cut file would look whole. */
function endUnwritten(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`error  what was asked for cannot be written to standard output: ${error.message}\n`)
  process.exit(1)
}
