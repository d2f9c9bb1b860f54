import { type Address, BadAnswerError, type KeeperClient, type LogHead } from '@memo/core'
import { findMemoDid, type MemoDid } from '@memo/did'

/** More logs than any gateway writes: a keeper that shows more makes them up, and would go on for ever. */
const MAX_HEADS = 4_000_000

/** Where the logs of a writer end, by DID, as one keeper has it: nobody has signed that. Errors: those of the keeper. */
export async function* listWriterHeads(
  keeper: KeeperClient,
  writer: Address,
  signal: AbortSignal,
): AsyncGenerator<LogHead & { readonly did: MemoDid }> {
  let after = ''
  for (let count = 0; ; ) {
    const page = await keeper.listWriterHeads(writer, after, { signal })
    for (const head of page) {
      const did = findMemoDid(head.did)
      if (did === head.did) yield { ...head, did }
    }
    const last = page.at(-1)?.did
    if (last === undefined || last <= after) return // the end, or a keeper that goes in circles
    after = last
    count += page.length
    if (count > MAX_HEADS)
      throw new BadAnswerError(`a keeper shows more than ${MAX_HEADS} logs`, { blame: 'keeper', retry: 'never' })
  }
}
