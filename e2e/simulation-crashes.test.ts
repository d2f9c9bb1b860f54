import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError } from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import type { PortMoment } from './simulation/port-calls.ts'
import { assertSettled, type Told } from './simulation/settled.ts'
import { type SimulatedUser, sha256, startWorld, type World } from './simulation/world.ts'

/**
 * A put or a deletion runs once and every call of a port that changes something or is heard by others is written down:
 * what is stored, committed, sent and answered, by the client, by each provider, by each keeper. Then it runs again for
 * each of these moments, and the process is killed just before or just after the call, its unsynced writes lost. It comes
 * back two seconds later from what was durable. `MEMO_LONG=1` tries every moment, otherwise as many as are drawn.
 */
const SEED = 'crash sweep'
const DRAWN_PER_ROLE = process.env.MEMO_LONG ? Number.POSITIVE_INFINITY : 10
const OBJECT_BYTES = 9_000
const RESTART_MS = 2_000
const MINUTE_MS = 60_000
/** Longer than every grace below, and than any exchange takes to give up. */
const SETTLE_MS = 5 * MINUTE_MS
const PROVIDER_LIMITS = {
  uploadLifeMs: MINUTE_MS,
  uploadStallMs: MINUTE_MS / 2,
  orphanGraceMs: MINUTE_MS,
  scrubRestMs: MINUTE_MS,
  unplacedGraceMs: 2 * MINUTE_MS,
  collectRestMs: MINUTE_MS,
}
const KEEPER_LIMITS = { probeIntervalMs: MINUTE_MS, feedPollMs: 20_000, feedBackoffMs: 20_000 }

type Role = 'client' | 'provider' | 'keeper'
type Action = 'put' | 'delete'

const roleOf = ({ node }: PortMoment): Role =>
  node === 'user' ? 'client' : node.startsWith('keeper') ? 'keeper' : 'provider'
const textOf = ({ node, phase, call }: PortMoment) => `${node} killed ${phase} ${call}`

/** Runs the action; `killAt` is the number of the moment at which its process is killed. Gives the moments it saw. */
async function runStory(action: Action, killAt?: number): Promise<readonly PortMoment[]> {
  const moments: PortMoment[] = []
  let isWatching = false
  let killed: PortMoment | undefined
  let tellGone: () => void = () => undefined
  const clientIsGone = new Promise<void>((resolve) => {
    tellGone = resolve
  })
  const watch = (moment: PortMoment): boolean => {
    if (!isWatching || killed) return false
    moments.push(moment)
    if (moments.length - 1 !== killAt) return false
    killed = moment
    if (roleOf(moment) === 'client') tellGone()
    return true
  }
  const limits = { providerLimits: PROVIDER_LIMITS, keeperLimits: KEEPER_LIMITS, link: { delayMs: 2, jitterMs: 1 } }
  const world = await startWorld({ seed: SEED, providers: 5, keepers: 3, syncMs: 2, watch, ...limits })
  const user = world.createUser('user')
  const told = new Map<string, Told>()
  const note = (one: Told) => told.set(one.name, one)
  note(await world.run(put(world, user, 'before')))
  const target = await world.run(put(world, user, 'target'))
  note(target)

  isWatching = true
  const unknown: Told =
    action === 'put' ? { ...toldOf(world, 'during'), state: 'unknown' } : { ...target, state: 'unknown' }
  const acting = action === 'put' ? put(world, user, 'during') : remove(world, user, target)
  acting.catch(() => undefined) // looked at below, unless the client is gone before
  note(await world.run(Promise.race([acting.catch(unlessOurFault(unknown)), clientIsGone.then(() => unknown)])))
  isWatching = false
  if (killAt !== undefined) {
    assert.ok(killed, 'the same seed reaches the same moment')
    await world.time.advance(RESTART_MS)
    const fallen = [...world.providers, ...world.keepers].find((node) => !node.isUp())
    if (fallen) await world.run(fallen.start())
    const later = user.isUp() ? user : world.createUser('user')
    note(await world.run(put(world, later, 'after')))
    await world.time.advance(SETTLE_MS)
    await assertSettled(world, later, [...told.values()])
  }
  await world.stop()
  return moments
}

function bytesOf(world: World, name: string): Uint8Array {
  return world.random.fork(`object ${name}`).bytes(OBJECT_BYTES)
}

function toldOf(world: World, name: string): Omit<Told, 'state'> {
  return { name, digest: sha256(bytesOf(world, name)) }
}

async function put(world: World, { storage, did, keys }: SimulatedUser, name: string): Promise<Told> {
  const options = { did, name, contentType: 'text/plain', isPublic: false, readers: [keys.publicKey], policy: 'rs:2+1' }
  await storage.put(bytesOf(world, name), options)
  return { ...toldOf(world, name), state: 'durable' }
}

async function remove(_world: World, { storage, did, keys }: SimulatedUser, target: Told): Promise<Told> {
  for await (const object of storage.list(did, { reader: keys })) {
    if (object.manifest?.name === target.name) await storage.remove(did, object)
  }
  return { ...target, state: 'deleted' }
}

/** A node that dies may cost the client its call, with an error that says so. */
function unlessOurFault(outcome: Told) {
  return (error: unknown): Told => {
    assert.ok(error instanceof MemoError && error.blame !== 'us' && error.blame !== 'user', String(error))
    return outcome
  }
}

for (const action of ['put', 'delete'] as const) {
  describe(`a ${action} during which one process is killed`, async () => {
    const moments = await runStory(action)
    for (const role of ['client', 'provider', 'keeper'] as const) {
      const all = [...moments.keys()].filter((at) => roleOf(moments[at]!) === role)
      const drawn = createSeededRandomness(`${SEED} ${action} ${role}`).shuffle(all).slice(0, DRAWN_PER_ROLE)
      test(`a ${role}, at ${drawn.length} of ${all.length} moments: nothing is lost, phantom, forked or left over`, async () => {
        assert.ok(all.length > 0, `a ${role} does something in a ${action}`)
        for (const at of drawn.sort((a, b) => a - b)) {
          await runStory(action, at).catch((cause: unknown) => {
            throw new AggregateError([cause], `moment ${at}: ${textOf(moments[at]!)}`, { cause })
          })
        }
      })
    }
  })
}
