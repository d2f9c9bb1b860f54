import {
  type Account,
  ackQuorumOf,
  type Chain,
  type ClientPorts,
  CONTROL_TIMEOUT_MS,
  exchange,
  MemoError,
  parseErasurePolicy,
  readAnswer,
} from '@memo/core'

/** Says whether the network can serve now (`spec/gateway.md` 1). */
export type Readiness = {
  /** What is missing, as sentences; empty when all is there. */
  listMissing(): Promise<readonly string[]>
}

/** An answer is good for so long: whoever asks every second costs the network nothing. */
const ANSWER_MS = 2_000
const PROBE_TIMEOUT_MS = 3_000
/** Nodes of one role that are asked at the most. */
const MAX_PROBES = 32
const MAX_INFO_BYTES = 65_536

/** Asks chain, keepers and providers; `policy` says how many providers a put needs. */
export function createReadiness(
  ports: ClientPorts,
  chain: Chain,
  policy: string,
  findOwnFault: () => string | undefined,
): Readiness {
  const { dataShards, parityShards } = parseErasurePolicy(policy)
  const neededProviders = dataShards + Math.ceil(parityShards / 2)
  let last: { readonly askedMs: number; readonly answer: Promise<readonly string[]> } | undefined

  const isUp = async (role: 'keeper' | 'provider', node: Account): Promise<boolean> => {
    const request = { method: 'GET', path: '/info', timeoutMs: Math.min(PROBE_TIMEOUT_MS, CONTROL_TIMEOUT_MS) }
    try {
      await exchange(
        ports,
        { role, address: node.address, endpoint: node.endpoint },
        request,
        async (answer) => await readAnswer(answer, MAX_INFO_BYTES, role),
      )
      return true
    } catch (thrown) {
      if (!(thrown instanceof MemoError)) throw thrown
      return false // counted as missing below
    }
  }
  const countUp = async (role: 'keeper' | 'provider', nodes: readonly Account[]): Promise<number> => {
    const asked = nodes.filter((node) => node.state === 'active' && node.endpoint !== '').slice(0, MAX_PROBES)
    return (await Promise.all(asked.map(async (node) => await isUp(role, node)))).filter((up) => up).length
  }
  const ask = async (): Promise<readonly string[]> => {
    const own = findOwnFault()
    let keepers: readonly Account[]
    let providers: readonly Account[]
    try {
      await chain.getBlock()
      ;[keepers, providers] = await Promise.all([chain.listKeepers(), chain.listProviders()])
    } catch (thrown) {
      if (!(thrown instanceof MemoError)) throw thrown
      return [`chain: ${thrown.message}`]
    }
    const [keepersUp, providersUp] = await Promise.all([countUp('keeper', keepers), countUp('provider', providers)])
    const active = keepers.filter((keeper) => keeper.state === 'active')
    const neededKeepers = Math.max(1, ackQuorumOf(Math.min(active.length, MAX_PROBES)))
    return [
      ...(own === undefined ? [] : [own]),
      ...(keepersUp < neededKeepers ? [`keepers: ${keepersUp} answer, ${neededKeepers} are needed`] : []),
      ...(providersUp < neededProviders ? [`providers: ${providersUp} answer, ${neededProviders} are needed`] : []),
    ]
  }
  return {
    async listMissing() {
      const nowMs = ports.clock.nowMs()
      if (!last || Math.abs(nowMs - last.askedMs) >= ANSWER_MS) {
        const asked = { askedMs: nowMs, answer: ask() }
        last = asked
        asked.answer.catch(() => {
          if (last === asked) last = undefined // the caller has the error; the next one asks again
        })
      }
      return await last.answer
    },
  }
}
