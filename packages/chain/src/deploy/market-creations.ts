import {
  checkpointsAbi,
  checkpointsBytecode,
  checkpointsDeployedBytecode,
  checkpointsImmutables,
  fileDidAbi,
  fileDidBytecode,
  fileDidDeployedBytecode,
  fileDidImmutables,
  fileProxyAbi,
  fileProxyBytecode,
  fileProxyDeployedBytecode,
  fileProxyImmutables,
  quotaPayAbi,
  quotaPayBytecode,
  quotaPayDeployedBytecode,
  quotaPayImmutables,
  spaceMarketAbi,
  spaceMarketBytecode,
  spaceMarketDeployedBytecode,
  spaceMarketImmutables,
} from '@memo/contracts'
import { type Address, encodeDeployData, zeroAddress } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { Creation, Some } from './creations.ts'
import type { NetworkParams } from './params.ts'

/** The market of space and traffic, files, and checkpoints. */
export function createMarket(
  deployer: Address,
  at: Addresses,
  { market, files }: NetworkParams,
): Some<'spacePay' | 'trafficPay' | 'spaceMarket' | 'fileDid' | 'fileProxy' | 'checkpoints'> {
  const pay: Creation = {
    data: encodeDeployData({ abi: quotaPayAbi, bytecode: quotaPayBytecode, args: [at.memoToken, at.spaceMarket] }),
    deployedBytecode: quotaPayDeployedBytecode,
    immutables: quotaPayImmutables,
  }
  const terms = {
    spacePrice: market.spacePriceAttoPerByte,
    trafficPrice: market.trafficPriceAttoPerByte,
    seller: market.seller ?? deployer,
  }
  return {
    spacePay: pay,
    trafficPay: pay,
    spaceMarket: {
      data: encodeDeployData({
        abi: spaceMarketAbi,
        bytecode: spaceMarketBytecode,
        args: [at.governance, at.spacePay, at.trafficPay, at.accountDid, terms, market.delay, market.validityDays],
      }),
      deployedBytecode: spaceMarketDeployedBytecode,
      immutables: spaceMarketImmutables,
    },
    fileDid: {
      data: encodeDeployData({ abi: fileDidAbi, bytecode: fileDidBytecode, args: [at.fileProxy] }),
      deployedBytecode: fileDidDeployedBytecode,
      immutables: fileDidImmutables,
    },
    fileProxy: {
      data: encodeDeployData({
        abi: fileProxyAbi,
        bytecode: fileProxyBytecode,
        args: [at.memoToken, at.accountDid, at.fileDid, files.releaser ?? zeroAddress, files.refund],
      }),
      deployedBytecode: fileProxyDeployedBytecode,
      immutables: fileProxyImmutables,
    },
    checkpoints: {
      data: encodeDeployData({ abi: checkpointsAbi, bytecode: checkpointsBytecode, args: [at.accountDid, at.roles] }),
      deployedBytecode: checkpointsDeployedBytecode,
      immutables: checkpointsImmutables,
    },
  }
}
