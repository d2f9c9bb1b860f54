import { readFile } from 'node:fs/promises'
import { findBytesFromHex, NotFoundError } from '@memo/core'
import { decryptKeyFile } from '@memo/platform'
import { type PasswordOptions, passwordFor } from './password.ts'

/** The secret key in a key file of a wallet, or in a file of 64 hex digits. Errors: NotFoundError, those of the key file. */
export async function readSecretKey(path: string, options: PasswordOptions): Promise<Uint8Array> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new NotFoundError(`there is no key file ${path}`, { cause, fix: 'Check the path.' })
  })
  const hex = text.trim()
  const plain = findBytesFromHex(hex.startsWith('0x') ? hex : `0x${hex}`, 32)
  return plain ?? (await decryptKeyFile(text, await passwordFor(path, options), path))
}
