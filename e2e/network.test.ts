import { describe } from 'node:test'
import { tellNetworkStory } from './support/network-story.ts'

describe('a network of seven providers and three keepers', () => {
  tellNetworkStory(async () => ({ flags: [], processes: 1, close: async () => undefined }))
})
