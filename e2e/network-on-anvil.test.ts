import { accountFromSecretKey } from '@memo/chain'
import { keccak256, utf8 } from '@memo/core'
import { describeWithAnvil, startAnvil } from '../packages/chain/test/support/anvil.ts'
import { tellNetworkStory } from './support/network-story.ts'

describeWithAnvil('a network of seven providers and three keepers, on a chain that others run', () => {
  /** Test key, which anybody can compute: on networks of one machine it gives to whoever joins. */
  const bank = accountFromSecretKey(keccak256(utf8('the bank of local MEMO networks: a test key, worth nothing')))
  tellNetworkStory(async () => {
    const anvil = await startAnvil({ rich: [bank.address] })
    const { url } = await anvil.listen()
    return { flags: ['--rpc', url], processes: 0, close: async () => await anvil.close() }
  })
})
