/** A thread that encodes like any other, but dies of a stripe whose first byte says how. */
import { parentPort } from 'node:worker_threads'
import { answerOf, type StripeTask } from '../src/stripe-pool-task.ts'

const EXIT_BYTE = 0xe1
const THROW_BYTE = 0xe2

parentPort?.on('message', (task: StripeTask) => {
  const first = task.kind === 'encode' ? task.stripe.plaintext[0] : 0
  if (first === EXIT_BYTE) process.exit(7)
  if (first === THROW_BYTE) throw new RangeError('a test made this thread crash')
  parentPort?.postMessage(answerOf(task).answer)
})
