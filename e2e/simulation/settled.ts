import assert from 'node:assert/strict'
import { createKeeperClient, createProviderClient, ENTRY_PAGE, hexFromBytes, type LogHead } from '@memo/core'
import { digestOf, type SimulatedUser, type World } from './world.ts'

/** What a client was told of an object. */
export type Told = {
  readonly name: string
  /** SHA-256 of its bytes. */
  readonly digest: string
  /** By what a put or a deletion returned; `unknown` where it did not return, or failed. */
  readonly state: 'durable' | 'deleted' | 'unknown'
}

/** What a node whose disk fails says aloud; that it lost or damaged a piece is not among it. */
const MAY_SAY: ReadonlySet<string> = new Set(['request-failed', 'scrub-failed', 'upload-expired', 'background-failed'])

/**
 * What must hold once everybody is up again and the graces have passed, whatever was killed before: nothing that was
 * reported durable is lost, nothing is listed that cannot be read, every log is whole and the same at all keepers, and no
 * provider keeps what no index needs. `faulty` is the node whose disk failed, which says so.
 */
export async function assertSettled(
  world: World,
  user: SimulatedUser,
  told: readonly Told[],
  faulty?: string,
): Promise<void> {
  const listed = await assertListedIsReadable(world, user, told)
  for (const { name, state } of told) {
    if (state === 'durable') assert.ok(listed.has(name), `${name} was durable and is not listed`)
    if (state === 'deleted') assert.ok(!listed.has(name), `${name} was deleted and is listed`)
  }
  await assertLogsAgree(world, user.did)
  await assertNoOrphans(world)
  await assertNothingPaidInVain(world, user)
  const loud = world.events.filter(
    ({ level, type, node }) => level === 'error' && !(node === faulty && MAY_SAY.has(type)),
  )
  assert.deepEqual(loud, [], 'no node has noticed a fault of its own')
}

async function assertListedIsReadable(world: World, user: SimulatedUser, told: readonly Told[]): Promise<Set<string>> {
  const digests = new Map(told.map(({ name, digest }) => [name, digest]))
  const listed = new Set<string>()
  const list = async () => {
    for await (const { manifest } of user.storage.list(user.did, { reader: user.keys })) {
      assert.ok(manifest, 'the owner opens every manifest')
      listed.add(manifest.name)
      assert.equal(await digestOf(user.storage.read(manifest, { owner: user.did })), digests.get(manifest.name))
    }
  }
  await world.run(list())
  return listed
}

/** All keepers have the same heads, and each shows its logs without gaps, every link and signature right. */
async function assertLogsAgree(world: World, did: string): Promise<void> {
  const perKeeper: string[][] = []
  for (const { signer, endpoint } of world.keepers) {
    const client = createKeeperClient(portsOf(world), { address: signer.address, endpoint })
    const heads = await world.run(client.listHeads(did))
    for (const head of heads) assert.equal(await world.run(lastHashOf(client, head)), head.hash)
    perKeeper.push(heads.map(({ writer, seq, hash }) => `${writer} ${seq} ${hash}`))
  }
  for (const heads of perKeeper) assert.deepEqual(heads, perKeeper[0], 'keepers agree on every log')
}

/** Reads a whole log; the client checks that it is a chain. */
async function lastHashOf(client: ReturnType<typeof createKeeperClient>, head: LogHead): Promise<string | undefined> {
  let last: Uint8Array | undefined
  for (let from = 1; from <= head.seq; from += ENTRY_PAGE) {
    const entries = await client.listEntries(head.did, head.writer, from)
    assert.equal(entries.length, Math.min(ENTRY_PAGE, head.seq - from + 1), 'no gap in the log')
    last = entries.at(-1)?.hash
  }
  return last && hexFromBytes(last)
}

/** What a provider has on its disk is on its record, and by the word of a keeper an entry needs it. */
async function assertNoOrphans(world: World): Promise<void> {
  const keeper = world.keepers[0]!
  const client = createKeeperClient(portsOf(world), { address: keeper.signer.address, endpoint: keeper.endpoint })
  for (const { name, signer, endpoint, disk } of world.providers) {
    const roots = disk.pieceRoots()
    const holdings = await world.run(client.listHoldings(signer.address, roots))
    const orphans = roots.filter((_, i) => holdings[i] !== 'placed')
    assert.deepEqual(orphans, [], `${name} keeps what nobody needs`)
    const info = await world.run(createProviderClient(portsOf(world), { address: signer.address, endpoint }).info())
    assert.equal(info.pieces, roots.length, `${name} has all its pieces on record`)
    assert.equal(disk.halfWrittenCount(), 0, `${name} keeps half-written pieces`)
  }
}

/** What the book pays for is what entries need, and what its providers hold under its orders. */
async function assertNothingPaidInVain(world: World, { orders }: SimulatedUser): Promise<void> {
  if (!orders) return
  await world.run(orders.commitSets())
  const status = await world.run(orders.status())
  for (const { name, signer, disk } of world.providers) {
    const own = status.orders.filter(({ provider }) => provider === signer.address)
    const paidBytes = own.reduce((sum, { committedBytes }) => sum + committedBytes, 0)
    const heldBytes = disk.pieceRoots().reduce((sum, root) => sum + disk.pieceBytes(root), 0)
    assert.equal(paidBytes, heldBytes, `${name} is paid for what it holds`)
  }
}

function portsOf(world: World) {
  const { clock, timers } = world.time
  return {
    network: world.chain.network,
    transport: world.network.transport('auditor'),
    clock,
    timers,
    random: world.random,
  }
}
