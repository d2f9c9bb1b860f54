import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError } from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import { DiskFaultError, DiskFullError } from '@memo/platform'
import type { PortMoment } from './simulation/port-calls.ts'
import { assertSettled, type Told } from './simulation/settled.ts'
import { type SimulatedUser, sha256, startWorld, type World } from './simulation/world.ts'

/**
 * A put or a deletion runs once and every call of a port that changes something or is heard by others is written down:
 * what is stored, committed, sent and answered, by the client, by each provider, by each keeper. Then it runs again for
 * each of these moments, and the process is killed just before or just after the call, its unsynced writes lost. It comes
 * back two seconds later from what was durable. `MEMO_LONG=1` tries every moment, otherwise as many as are drawn. Under orders,
 * where providers collect nothing, the client sweeps up after itself; it is killed while it does that as well.
 */
const SEED = 'crash sweep'
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
  orderSweepRestMs: MINUTE_MS / 4,
}
/** What the client has stored and nobody has named for so long, goes under orders. */
const LOOSE_GRACE_MS = MINUTE_MS
const KEEPER_LIMITS = { probeIntervalMs: MINUTE_MS, feedPollMs: 20_000, feedBackoffMs: 20_000 }

/** Moments that are tried of each role; all of them in a long run. */
const most = process.env.MEMO_LONG ? Number.POSITIVE_INFINITY : 1
const DRAWN: Readonly<Record<Fate, number>> = {
  'is killed': 6 * most,
  'has one call fail': 3 * most,
  'has its disk fail until it is mended': 3 * most,
}

type Role = 'client' | 'provider' | 'keeper'
type Action = 'put' | 'delete' | 'sweep'

const roleOf = ({ node }: PortMoment): Role =>
  node === 'user' ? 'client' : node.startsWith('keeper') ? 'keeper' : 'provider'
const textOf = ({ node, phase, call }: PortMoment) => `${node}, ${phase} ${call}`
const isOfStore = ({ call }: PortMoment) => call.startsWith('pieces.') || call.startsWith('index.')

/** What happens to a process at the chosen moment; a disk fails for one call, or from then on until it is mended. */
type Fate = 'is killed' | 'has one call fail' | 'has its disk fail until it is mended'

/** What a story is about, and whether providers are paid. */
type Story = { readonly action: Action; readonly isPaid: boolean }

/** Runs the action; `at` is the number of the moment at which `fate` strikes. Gives the moments that it saw. */
async function runStory(
  { action, isPaid }: Story,
  at?: number,
  fate: Fate = 'is killed',
): Promise<readonly PortMoment[]> {
  const moments: PortMoment[] = []
  let isWatching = false
  let struck: PortMoment | undefined
  const client = Promise.withResolvers<void>()
  const strike = (): 'kill' | Error => {
    if (fate !== 'is killed')
      return random.pick([new DiskFullError('a disk', undefined), new DiskFaultError('a disk', 'EIO')])
    if (struck && roleOf(struck) === 'client') client.resolve()
    return 'kill'
  }
  const watch = (moment: PortMoment) => {
    if (!isWatching) return undefined
    if (struck) {
      const isDiskOff =
        fate === 'has its disk fail until it is mended' && isOfStore(moment) && moment.phase === 'before'
      return isDiskOff && moment.node === struck.node ? strike() : undefined
    }
    moments.push(moment)
    if (moments.length - 1 !== at) return undefined
    struck = moment
    return strike()
  }
  const random = createSeededRandomness(`${SEED} ${action} ${at} ${fate}`)
  const limits = { providerLimits: PROVIDER_LIMITS, keeperLimits: KEEPER_LIMITS, link: { delayMs: 2, jitterMs: 1 } }
  const world = await startWorld({ seed: SEED, providers: 5, keepers: 3, syncMs: 2, isPaid, watch, ...limits })
  let user = world.createUser('user')
  const told = new Map<string, Told>()
  const note = (one: Told) => told.set(one.name, one)
  note(await world.run(put(world, user, 'before')))
  const target = await world.run(put(world, user, 'target'))
  note(target)

  if (action === 'sweep') user = await dieInPut(world, user)
  isWatching = true
  const unknown: Told = { ...(action === 'delete' ? target : toldOf(world, 'during')), state: 'unknown' }
  const acting = act(world, user, action, target)
  acting.catch(() => undefined) // looked at below, unless the client is gone before
  note(await world.run(Promise.race([acting.catch(unlessOurFault(unknown)), client.promise.then(() => unknown)])))
  await world.time.advance(RESTART_MS)
  isWatching = false
  if (at !== undefined) {
    assert.ok(struck, 'the same seed reaches the same moment')
    await restart(world, struck)
    const later = user.isUp() ? user : world.createUser('user')
    note(await world.run(put(world, later, 'after')))
    await settle(world, later)
    await assertSettled(world, later, [...told.values()], fate === 'is killed' ? undefined : struck.node)
  }
  await world.stop()
  return moments
}

async function act(world: World, user: SimulatedUser, action: Action, target: Told): Promise<Told> {
  if (action === 'put') return await put(world, user, 'during')
  if (action === 'delete') return await remove(user, target)
  const { givenUp } = await user.storage.sweep({ graceMs: LOOSE_GRACE_MS })
  assert.ok(givenUp.pieces > 0, 'there is something to give up')
  return { ...toldOf(world, 'during'), state: 'deleted' }
}

/** Leaves the pieces of a put that nothing will ever name, and comes back when they are old enough to go. */
async function dieInPut(world: World, user: SimulatedUser): Promise<SimulatedUser> {
  const died = Promise.withResolvers<void>()
  const kill = () => {
    user.kill()
    died.resolve()
  }
  put(world, user, 'during', kill).catch(() => undefined) // nobody is there any more
  await world.run(died.promise)
  const again = world.createUser('user')
  await world.time.advance(LOOSE_GRACE_MS + RESTART_MS)
  return again
}

/** Waits until all graces have passed; a client sweeps now and then meanwhile. */
async function settle(world: World, user: SimulatedUser): Promise<void> {
  for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += MINUTE_MS) {
    await world.time.advance(MINUTE_MS)
    if (user.orders) await world.run(user.storage.sweep({ graceMs: LOOSE_GRACE_MS }))
  }
}

/** A node that is down comes back; one whose disk failed is started anew by its operator. */
async function restart(world: World, { node: name }: PortMoment): Promise<void> {
  const node = [...world.providers, ...world.keepers].find((one) => one.name === name)
  if (!node) return
  if (node.isUp()) node.kill()
  await world.run(node.start())
}

function bytesOf(world: World, name: string): Uint8Array {
  return world.random.fork(`object ${name}`).bytes(OBJECT_BYTES)
}

function toldOf(world: World, name: string): Omit<Told, 'state'> {
  return { name, digest: sha256(bytesOf(world, name)) }
}

async function put(
  world: World,
  { storage, did, keys }: SimulatedUser,
  name: string,
  beforeCommit: () => void = () => undefined,
): Promise<Told> {
  const options = {
    did,
    beforeCommit,
    name,
    contentType: 'text/plain',
    isPublic: false,
    readers: [keys.publicKey],
    policy: 'rs:2+1',
  }
  await storage.put(bytesOf(world, name), options)
  return { ...toldOf(world, name), state: 'durable' }
}

async function remove({ storage, did, keys }: SimulatedUser, target: Told): Promise<Told> {
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

/** The moments of one role, as many as are drawn; those of stores only for a fate that strikes disks. */
function drawMoments(moments: readonly PortMoment[], role: Role, fate: Fate): { drawn: number[]; all: number } {
  const all = [...moments.keys()].filter((at) => {
    return roleOf(moments[at]!) === role && (fate === 'is killed' || isOfStore(moments[at]!))
  })
  const drawn = createSeededRandomness(`${SEED} ${role} ${fate}`).shuffle(all).slice(0, DRAWN[fate])
  return { drawn: drawn.sort((a, b) => a - b), all: all.length }
}

for (const action of ['put', 'delete'] as const) {
  describe(`a ${action} while one process`, async () => {
    const story = { action, isPaid: false }
    const moments = await runStory(story)
    for (const fate of ['is killed', 'has one call fail', 'has its disk fail until it is mended'] as const) {
      for (const role of ['client', 'provider', 'keeper'] as const) {
        const { drawn, all } = drawMoments(moments, role, fate)
        if (role === 'client' && fate !== 'is killed') continue // it has no disk
        test(`${fate}, a ${role}, at ${drawn.length} of ${all} moments: nothing is lost, phantom, forked or left over`, async () => {
          assert.ok(drawn.length > 0)
          for (const at of drawn) {
            await runStory(story, at, fate).catch((cause: unknown) => {
              throw new AggregateError([cause], `moment ${at}: ${textOf(moments[at]!)}`, { cause })
            })
          }
        })
      }
    }
  })
}

for (const action of ['put', 'delete', 'sweep'] as const) {
  describe(`a ${action} that is paid while its client`, async () => {
    const story = { action, isPaid: true }
    const moments = await runStory(story)
    const { drawn, all } = drawMoments(moments, 'client', 'is killed')
    test(`is killed, at ${drawn.length} of ${all} moments: nothing is paid for that no entry needs`, async () => {
      assert.ok(drawn.length > 0)
      for (const at of drawn) {
        await runStory(story, at).catch((cause: unknown) => {
          throw new AggregateError([cause], `moment ${at}: ${textOf(moments[at]!)}`, { cause })
        })
      }
    })
  })
}
