import type { Handler, IndexStore, PieceStore, PieceWriter, Transport } from '@memo/core'

/** One moment in the life of a process: just before or just after something that others could notice or that lasts. */
export type PortMoment = {
  readonly node: string
  /** Which port was called, and for what. */
  readonly call: string
  readonly phase: 'before' | 'after'
}

/** Told of each moment in turn. `kill` ends the process at this moment; an error is what the call throws. */
export type MomentWatch = (moment: PortMoment) => 'kill' | Error | undefined

/** Lets calls of one process through, until it is to end: then this call and all later ones never come back. */
export type Guard = <T>(call: string, run: () => Promise<T>) => Promise<T>

/** A guard of one process. `end` kills it; `isOver` tells whether that has happened, in whatever way. */
export function createGuard(
  node: string,
  watch: MomentWatch | undefined,
  process: { readonly end: () => void; readonly isOver: () => boolean },
): Guard {
  const reach = (call: string, phase: PortMoment['phase']): boolean => {
    if (process.isOver()) return true
    const fate = watch?.({ node, call, phase })
    if (fate instanceof Error) throw fate
    if (fate !== 'kill') return false
    process.end()
    return true
  }
  return async (call, run) => {
    if (reach(call, 'before')) return await never()
    const result = await run()
    return reach(call, 'after') ? await never() : result
  }
}

/** A piece store whose every change can be the last. */
export function guardPieces(store: PieceStore, guard: Guard): PieceStore {
  return {
    ...store,
    create: async () => guardWriter(await guard('pieces.create', () => store.create()), guard),
    delete: (root) => guard('pieces.delete', () => store.delete(root)),
  }
}

function guardWriter(writer: PieceWriter, guard: Guard): PieceWriter {
  return {
    write: (bytes) => guard('pieces.write', () => writer.write(bytes)),
    commit: (root, units) => guard('pieces.commit', () => writer.commit(root, units)),
    abort: () => guard('pieces.abort', () => writer.abort()),
  }
}

/** An index store whose every change can be the last. */
export function guardIndex(store: IndexStore, guard: Guard): IndexStore {
  return { ...store, apply: (changes) => guard('index.apply', () => store.apply(changes)) }
}

/** A transport of a process that can end before it asks and before it hears the answer. */
export function guardTransport(transport: Transport, guard: Guard, ended: AbortSignal): Transport {
  return (request) => {
    const signal = request.signal ? AbortSignal.any([request.signal, ended]) : ended
    return guard(`send ${request.method} ${pathOf(request.url)}`, () => transport({ ...request, signal }))
  }
}

/** A handler that can end before it works and before it answers; what changes nothing is let through. */
export function guardHandler(handler: Handler, guard: Guard): Handler {
  return (request) => {
    const isReading = request.method === 'GET' || request.method === 'HEAD'
    return isReading
      ? handler(request)
      : guard(`answer ${request.method} ${request.url.split('?')[0]}`, () => handler(request))
  }
}

function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/]+/, '').split('?')[0] ?? ''
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
