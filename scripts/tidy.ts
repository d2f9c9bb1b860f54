/**
 * House rules as a test: what STYLE.md asks for and neither the compiler nor the linter can see.
 * `node scripts/tidy.ts [root]` prints each finding as `file:line rule (why)` and ends with 1 if there is one.
 */
import { join } from 'node:path'
import { checkCode } from './tidy/code.ts'
import { checkDependencies } from './tidy/dependencies.ts'
import { checkCitations, checkIndex, checkPointers } from './tidy/documents.ts'
import { checkErrors } from './tidy/errors.ts'
import { checkLength, checkNames } from './tidy/files.ts'
import { checkLayers } from './tidy/layers.ts'
import { type Rule, readTree } from './tidy/tree.ts'

const rules: readonly Rule[] = [
  checkLength,
  checkNames,
  checkCode,
  checkLayers,
  checkDependencies,
  checkCitations,
  checkIndex,
  checkPointers,
  checkErrors,
]

const tree = readTree(process.argv[2] ?? join(import.meta.dirname, '..'))
const findings = rules.flatMap((rule) => rule(tree))
for (const { path, line, rule, why } of findings) console.log(`${path}:${line} ${rule} (${why})`)
console.log(findings.length === 0 ? `tidy: ${tree.files.length} files` : `tidy: ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1
