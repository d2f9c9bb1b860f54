/** What tests of other packages set up alike. Nothing of it runs outside of tests. */
export { type DeployedNetwork, deployNetwork, quickOrderParams } from './deployed-network.ts'
