/** Writes spec/vectors/space-market.json; a test holds the file and this against each other. */
import { writeFileSync } from 'node:fs'
import { makeMarketVectors } from '../test/support/market-vectors.ts'

const target = new URL('../../../spec/vectors/space-market.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(await makeMarketVectors(), undefined, 2)}\n`)
