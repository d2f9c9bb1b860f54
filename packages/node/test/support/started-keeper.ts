import type { KeeperClient, PlacedPart, Signer } from '@memo/core'
import { createLogWriter, createPart, createPerson, type LogWriter, type Person } from './entries.ts'
import { createWorld, type KeeperNode, type KeeperNodeOptions, type World } from './world.ts'

export type StartedKeeper = {
  readonly world: World
  readonly keeper: KeeperNode
  readonly client: KeeperClient
  /** Active providers that sign receipts and run nowhere. */
  readonly holders: readonly Signer[]
  readonly alice: Person
  readonly log: LogWriter
  part(by?: readonly (Signer | undefined)[], expiry?: number): Promise<PlacedPart>
}

/** A keeper that serves, and a person with a log whose parts four providers hold. */
export async function startedKeeper(options: KeeperNodeOptions = {}): Promise<StartedKeeper> {
  const world = createWorld()
  const keeper = world.keeper('k', options)
  await keeper.start()
  const holders = ['a', 'b', 'c', 'd'].map((name) => {
    const signer = world.stranger(`holder ${name}`)
    world.chain.setAccount({ address: signer.address, role: 'provider' })
    return signer
  })
  const alice = createPerson(world, 'alice')
  const log = createLogWriter(world, alice.did, alice.key)
  const part = (by: readonly (Signer | undefined)[] = holders, expiry?: number) =>
    createPart(world, alice.did, by, expiry === undefined ? {} : { expiry })
  return { world, keeper, client: keeper.client(), holders, alice, log, part }
}
