import assert from 'node:assert/strict'
import { ContractRefused } from '../../src/index.ts'

/** Whether a contract refused with this custom error; for `assert.rejects`. */
export function refusedFor(reason: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ContractRefused, String(error))
    assert.equal(error.reason, reason)
    return true
  }
}
