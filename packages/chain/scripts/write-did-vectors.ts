/** Writes spec/vectors/did.json; a test holds the file and this against each other. */
import { writeFileSync } from 'node:fs'
import { makeDidVectors } from '../test/support/did-vectors.ts'

const target = new URL('../../../spec/vectors/did.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(await makeDidVectors(), undefined, 2)}\n`)
