#!/usr/bin/env node
/** The tool of administrators under the name that it has in the original: `middleware-contracts admin free` is `memo admin free`. */
const [first] = process.argv.slice(2)
if (first !== 'admin' && first !== '--version' && first !== '-V') process.argv.splice(2, 0, 'admin')
await import('./memo.js')
