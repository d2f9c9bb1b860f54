/**
 * Audits what we depend on and what we publish: licences of the lock file, install scripts, known holes, and secrets in
 * files that git tracks. `node scripts/audit.ts [root]` prints each finding and ends with 1 if there is one. Without a
 * registry that answers, known holes are not looked up, which is said.
 */
import { join } from 'node:path'
import { askForAdvisories } from './audit/advisories.ts'
import { checkPackages, isAllowed } from './audit/licences.ts'
import { readLockFile } from './audit/lock-file.ts'
import { findSecrets, findSecretsIn } from './audit/secrets.ts'

const root = process.argv[2] ?? join(import.meta.dirname, '..')

/** A check that has gone blind finds nothing, too: each is shown something that it must find. */
async function findBlindness(): Promise<string[]> {
  // Put together here, so that it stands in no file.
  const key = ['-----BEGIN', 'RSA PRIVATE KEY-----'].join(' ')
  const pem = `${key}\n${'MIIEpAIBAAKCAQEA'.repeat(30)}\n${key.replace('BEGIN', 'END')}\n`
  const secrets = await findSecretsIn('key.pem', pem)
  const packages = checkPackages(
    new Map([['node_modules/x', { license: 'GPL-3.0-only', hasInstallScript: true }]]),
    root,
  )
  return [
    ...(secrets.length === 0 ? ['the audit of secrets does not see a private key'] : []),
    ...(packages.length !== 2 ? ['the audit of packages does not see a licence or an install script'] : []),
    ...(isAllowed('(GPL-3.0-only OR MIT)') && !isAllowed('MIT AND GPL-3.0-only') ? [] : ['licences are misread']),
  ]
}

const lock = readLockFile(root)
const findings = [...(await findBlindness()), ...checkPackages(lock, root), ...(await findSecrets(root))]
const advisories = askForAdvisories(root)
if (advisories.kind === 'asked') findings.push(...advisories.severe)
else console.log(`audit: known holes were not looked up: ${advisories.reason}`)
for (const finding of findings) console.log(finding)
console.log(`audit: ${lock.size} packages, ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1
