/** A thread that encodes like any other, but dies of a stripe whose first byte says how. */
import { parentPort } from 'node:worker_threads'
import { answerOf, type StripeTask } from '../src/stripe-pool-task.ts'

const EXIT_BYTE = 0xe1
const THROW_BYTE = 0xe2

parentPort?.on('message', (task: StripeTask) => {
  if (task.plaintext[0] === EXIT_BYTE) process.exit(7)
  if (task.plaintext[0] === THROW_BYTE) throw new RangeError('a test made this thread crash')
  parentPort?.postMessage(answerOf(task))
})
