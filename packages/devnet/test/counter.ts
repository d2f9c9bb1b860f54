import { encodeErrorResult, type Hex, keccak256, type ParseAbi, parseAbi, toFunctionSelector, toHex } from 'viem'
import { assemble, deployCode } from './assembler.ts'

const signatures = [
  'function get() view returns (uint256)',
  'function add(uint256 amount)',
  'function fail()',
  'function panic()',
  'function refuse()',
  'function unknown()',
  'function environment() view returns (uint256 number, uint256 timestamp, bytes32 parentHash, uint256 random)',
  'function addThrough(address to)',
  'event Added(address indexed by, uint256 total)',
  'error Refused(uint256 code)',
] as const

/** A contract with one slot, an event, and every way to fail. */
export const counterAbi: ParseAbi<typeof signatures> = parseAbi(signatures)

const selector = (name: string): string =>
  toFunctionSelector(counterAbi.find((item) => 'name' in item && item.name === name) as never)

/** Stores `data` in memory from 0 on and reverts with it. */
function revertWith(data: Hex): string {
  const digits = data.slice(2)
  const words = digits.match(/.{1,64}/g) ?? []
  const stores = words.map(
    (word, index) => `0x${word.padEnd(64, '0')} 0x${(index * 32).toString(16).padStart(4, '0')} MSTORE`,
  )
  return `${stores.join(' ')} 0x${(digits.length / 2).toString(16).padStart(4, '0')} 0x00 REVERT`
}

const stringError = encodeErrorResult({
  abi: parseAbi(['error Error(string)']),
  errorName: 'Error',
  args: ['not today'],
})
const panicError = encodeErrorResult({ abi: parseAbi(['error Panic(uint256)']), errorName: 'Panic', args: [0x11n] })
const refusedError = encodeErrorResult({ abi: counterAbi, errorName: 'Refused', args: [42n] })

const runtime = assemble(`
  0x00 CALLDATALOAD 0xe0 SHR
  DUP1 ${selector('get')} EQ @get JUMPI
  DUP1 ${selector('add')} EQ @add JUMPI
  DUP1 ${selector('fail')} EQ @fail JUMPI
  DUP1 ${selector('panic')} EQ @panic JUMPI
  DUP1 ${selector('refuse')} EQ @refuse JUMPI
  DUP1 ${selector('environment')} EQ @environment JUMPI
  DUP1 ${selector('addThrough')} EQ @addThrough JUMPI
  INVALID
  get: 0x00 SLOAD 0x00 MSTORE 0x20 0x00 RETURN
  add: 0x04 CALLDATALOAD 0x00 SLOAD ADD DUP1 0x00 SSTORE 0x00 MSTORE
       CALLER ${keccak256(toHex('Added(address,uint256)'))} 0x20 0x00 LOG2 STOP
  fail: ${revertWith(stringError)}
  panic: ${revertWith(panicError)}
  refuse: ${revertWith(refusedError)}
  environment: NUMBER 0x00 MSTORE TIMESTAMP 0x20 MSTORE
       0x01 NUMBER SUB BLOCKHASH 0x40 MSTORE
       PREVRANDAO 0x60 MSTORE 0x80 0x00 RETURN
  addThrough: ${selector('add')} 0xe0 SHL 0x00 MSTORE 0x01 0x04 MSTORE
       0x00 0x00 0x24 0x00 0x00 0x04 CALLDATALOAD GAS CALL ISZERO @failed JUMPI STOP
  failed: 0x00 0x00 REVERT
`)

/** Deploys the contract; its constructor takes nothing. */
export const counterCode: Hex = deployCode(runtime)
