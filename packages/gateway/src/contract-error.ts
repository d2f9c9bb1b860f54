import { ContractRefused } from '@memo/chain'
import { ApiError } from './errors.ts'

/** What a contract refuses is told as the original tells it: {@link ApiError} 519. */
export async function asContractError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof ContractRefused)) throw thrown
    throw new ApiError(519, thrown.fix ? `${thrown.message}. ${thrown.fix}` : thrown.message, thrown)
  }
}
