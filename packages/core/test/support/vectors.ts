import { readFileSync } from 'node:fs'

/** The examples of one page of the protocol, which other implementations read too. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../../spec/vectors/${name}.json`, import.meta.url), 'utf8')) as T
}
