/** Writes spec/vectors/orders.json; a test holds the file and this against each other. */
import { writeFileSync } from 'node:fs'
import { makeOrderVectors } from '../test/support/order-vectors.ts'

const target = new URL('../../../spec/vectors/orders.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(await makeOrderVectors(), undefined, 2)}\n`)
