/** One thread of a stripe pool: takes a task at a time, does it, and gives all its memory back. */
import { parentPort } from 'node:worker_threads'
import { answerOf, type StripeTask } from './stripe-pool-task.ts'

parentPort?.on('message', (task: StripeTask) => {
  const { answer, moved } = answerOf(task)
  parentPort?.postMessage(answer, moved)
})
