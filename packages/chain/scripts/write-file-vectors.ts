/** Writes spec/vectors/file-did.json; a test holds the file and this against each other. */
import { writeFileSync } from 'node:fs'
import { makeFileVectors } from '../test/support/file-vectors.ts'

const target = new URL('../../../spec/vectors/file-did.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(await makeFileVectors(), undefined, 2)}\n`)
