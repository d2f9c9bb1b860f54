import { type Address, ackQuorumOf, type KeeperClient, MemoError } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type NodeFault, nodeFault } from '../errors.ts'
import { orAborted } from '../flow/abortable.ts'
import { createGate } from '../flow/gate.ts'
import { shuffled } from '../flow/shuffle.ts'

type AskContext = Pick<StorageContext, 'directory' | 'onFault' | 'ports' | 'suspects' | 'limits'>

/** What keepers answered to one question. */
export type KeeperAnswers<T> = {
  readonly answers: readonly { readonly keeper: KeeperClient; readonly answer: T }[]
  readonly faults: readonly NodeFault[]
}

/** Answers among which is one of a keeper that acknowledged, whatever was acknowledged by two thirds. */
export function readQuorumOf(keepers: number): number {
  return keepers - ackQuorumOf(keepers) + 1
}

/**
 * Asks all keepers at once. Resolves when all have answered or failed; or when so many have answered that one of them
 * knows whatever is durable, and the others had a moment more (`spec/sdk.md` 7).
 */
export async function askKeepers<T>(
  context: AskContext,
  signal: AbortSignal | undefined,
  ask: (keeper: KeeperClient, signal: AbortSignal) => Promise<T>,
): Promise<KeeperAnswers<T>> {
  const { directory, ports, limits } = context
  const keepers = await directory.listKeepers()
  const ended = new AbortController()
  const scope = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal
  const answers: { keeper: KeeperClient; answer: T }[] = []
  const faults: NodeFault[] = []
  const enough = createGate()
  const askOne = async (keeper: KeeperClient) => {
    try {
      answers.push({ keeper, answer: await ask(keeper, scope) })
      if (answers.length >= readQuorumOf(keepers.length)) enough.open()
    } catch (thrown) {
      if (!scope.aborted) faults.push(noteFault(context, keeper.address, thrown))
    }
  }
  const all = Promise.all(keepers.map(askOne))
  try {
    await orAborted(Promise.race([all, enough.opened]), scope)
    if (answers.length + faults.length < keepers.length) {
      await orAborted(Promise.race([all, ports.timers.sleep(limits.ackGraceMs, scope)]), scope)
    }
    return { answers: [...answers], faults: [...faults] }
  } finally {
    ended.abort()
    await Promise.allSettled([all])
  }
}

/** Keepers in the order in which one of them is best asked: those that failed a moment ago last. */
export async function keepersInTurn(context: AskContext): Promise<readonly KeeperClient[]> {
  const { directory, ports, suspects } = context
  const keepers = shuffled(await directory.listKeepers(), ports.random)
  return keepers.sort((a, b) => Number(suspects.has(a.address)) - Number(suspects.has(b.address)))
}

/** Remembers and reports a keeper's fault. Throws what is no fault of a node. */
export function noteFault(context: AskContext, keeper: Address, thrown: unknown): NodeFault {
  if (!(thrown instanceof MemoError)) throw thrown
  const fault = nodeFault('keeper', keeper, thrown)
  context.suspects.add(keeper)
  context.onFault(fault)
  return fault
}
