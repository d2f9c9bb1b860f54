import type { IncomingMessage } from 'node:http'

/** How long a browser may remember a preflight; browsers cut it to what they think right. */
const PREFLIGHT_SECONDS = 86_400

/**
 * With every answer: pages of any origin may read it (`spec/browser.md` 4). It stands there also where no origin asked, so
 * that an answer in a shared cache is the same for all.
 */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': '*',
}

/**
 * The answer's headers for a browser that asks whether a page may send a request; undefined for any other request. Any
 * page may: what changes state is signed by an account, and cookies are not looked at.
 */
export function findPreflightAnswer(request: IncomingMessage): Readonly<Record<string, string>> | undefined {
  const { method, headers } = request
  const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
  if (!isPreflight || headers.origin === undefined) return undefined
  return {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': '*',
    'access-control-allow-headers': '*',
    'access-control-max-age': `${PREFLIGHT_SECONDS}`,
    'content-length': '0',
  }
}
