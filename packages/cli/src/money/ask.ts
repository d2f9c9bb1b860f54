import { createInterface } from 'node:readline/promises'
import { InterruptedError } from '../runtime.ts'

/** Whether somebody sits there who can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true
}

/** Asks yes or no on the terminal; whatever is not yes is no. Errors: {@link InterruptedError} after Ctrl-C. */
export async function confirm(question: string): Promise<boolean> {
  return /^(y|yes|是)$/i.test((await askLine(`${question} [y/N] `)).trim())
}

/** One line from the terminal; an empty one when it was closed. Errors: {@link InterruptedError} after Ctrl-C. */
export async function askLine(prompt: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  const ended = Promise.withResolvers<string>()
  // The terminal is in raw mode: Ctrl-C arrives as a key, not as a signal.
  reader.once('SIGINT', () => ended.reject(new InterruptedError('interrupted')))
  reader.once('close', () => ended.resolve(''))
  try {
    return await Promise.race([reader.question(prompt), ended.promise])
  } catch (error) {
    process.stderr.write('\n')
    throw error
  } finally {
    reader.close()
  }
}
