import { test } from 'node:test'
import {
  type ConformanceCase,
  createMemoryDisk,
  createMemoryKeyVault,
  createMemoryNetwork,
  createSeededRandomness,
  createVirtualTime,
  describeClock,
  describeIndexStore,
  describeKeyStore,
  describePieceStore,
  describeRandomness,
  describeTimers,
  describeTransport,
} from '@memo/core/testing'

function runAll(cases: readonly ConformanceCase[]): void {
  for (const { name, run } of cases) test(name, run)
}

runAll(describeClock('virtual clock', async () => ({ subject: createVirtualTime().clock })))
runAll(
  describeTimers('virtual timers', async () => {
    const time = createVirtualTime()
    return { subject: time.timers, clock: time.clock, run: time.run }
  }),
)
runAll(describeRandomness('seeded randomness', async () => ({ subject: createSeededRandomness('ports') })))
runAll(
  describePieceStore('memory piece store', async () => {
    const disk = createMemoryDisk()
    const reopen = async () => {
      disk.crash()
      return disk.openPieceStore()
    }
    return { subject: disk.openPieceStore(), reopen }
  }),
)
runAll(
  describeIndexStore('memory index store', async () => {
    const disk = createMemoryDisk()
    const reopen = async () => {
      disk.crash()
      return disk.openIndexStore()
    }
    return { subject: disk.openIndexStore(), reopen }
  }),
)
runAll(
  describeKeyStore('memory key store', async () => {
    const vault = createMemoryKeyVault()
    return { subject: async (password) => vault.open(password) }
  }),
)
runAll(
  describeTransport('memory transport', async () => {
    const random = createSeededRandomness('transport')
    const network = createMemoryNetwork({ timers: createVirtualTime().timers, random })
    return {
      subject: network.transport(),
      deadEndpoint: 'http://dead.test',
      serve: async (handler) => {
        const listening = network.listen('http://node.test', handler)
        return { endpoint: 'http://node.test', close: async () => listening.close() }
      },
    }
  }),
)
