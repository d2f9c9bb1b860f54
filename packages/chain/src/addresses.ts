import { type Address, type Hex, stringToHex } from 'viem'

/** Names in the registry and the original's numeric ids (0 where it had none). `spec/governance.md` 6. */
export const registryEntries = [
  { key: 'governance', name: 'Governance', instanceId: 0 },
  { key: 'timelock', name: 'Timelock', instanceId: 0 },
  { key: 'memoToken', name: 'MemoToken', instanceId: 4 },
  { key: 'roles', name: 'Roles', instanceId: 0 },
  { key: 'pledges', name: 'Pledges', instanceId: 0 },
  { key: 'escrow', name: 'Escrow', instanceId: 0 },
  { key: 'orders', name: 'Orders', instanceId: 0 },
  { key: 'reads', name: 'Reads', instanceId: 0 },
  { key: 'accountDid', name: 'AccountDid', instanceId: 30 },
  { key: 'didProxy', name: 'DidProxy', instanceId: 33 },
  { key: 'spacePay', name: 'SpacePay', instanceId: 41 },
  { key: 'trafficPay', name: 'TrafficPay', instanceId: 40 },
  { key: 'spaceMarket', name: 'SpaceMarket', instanceId: 43 },
  { key: 'fileDid', name: 'FileDid', instanceId: 34 },
  { key: 'fileProxy', name: 'FileProxy', instanceId: 35 },
  { key: 'checkpoints', name: 'Checkpoints', instanceId: 0 },
] as const

export type ContractKey = (typeof registryEntries)[number]['key']

/** Addresses of all contracts of one network. */
export type Addresses = Readonly<Record<ContractKey | 'registry', Address>>

/** A name as the registry keeps it: ASCII, padded with zeros to 32 bytes. */
export function registryName(name: string): Hex {
  return stringToHex(name, { size: 32 })
}

/** An address that the chain gave, in whatever case, as all of MEMO writes it. */
export function canonicalAddress(address: Address): Address {
  return address.toLowerCase() as Address
}
