/** One thread of a stripe pool: takes a stripe at a time, seals, codes and hashes it, and gives all memory back. */
import { parentPort } from 'node:worker_threads'
import { answerOf, type StripeTask, transferOf } from './stripe-pool-task.ts'

parentPort?.on('message', (task: StripeTask) => {
  const answer = answerOf(task)
  const moved = 'failure' in answer ? [] : transferOf(answer.buffer, answer.units, answer.plaintext)
  parentPort?.postMessage(answer, moved)
})
