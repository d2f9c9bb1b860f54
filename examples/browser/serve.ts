/**
 * Serves the example application for a local network:
 *
 *     npx memo up --unpaid-bytes 10GiB                     # prints chain and registry
 *     node --conditions=source examples/browser/serve.ts --rpc http://127.0.0.1:… --registry 0x…
 *
 * This server gives pages their files and, since the network is a local one, accounts their coins for gas. What is stored
 * never comes past it.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { accountFromSecretKey, connectNetwork, ensureFunds } from '@memo/chain'
import { type Address, BadInputError, findAddress } from '@memo/core'
import { isLocalNetwork, LOCAL_BANK_KEY, LOCAL_GAS_WEI } from '../../packages/cli/src/local-chain.ts'
import { bundleForBrowser } from './bundle.ts'

const APP = join(import.meta.dirname, 'app')
const HOST = '127.0.0.1'
const MAX_BODY_CHARS = 100
/** Nothing but this page's own files runs in it; it may ask any node. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src data:; connect-src *"

type Network = { readonly rpc: string; readonly registry: Address; readonly policy: string }
type Answer = { readonly status?: number; readonly type: string; readonly body: string | Buffer }

function readArguments(): { readonly network: Network; readonly port: number } {
  const { values } = parseArgs({
    options: {
      rpc: { type: 'string' },
      registry: { type: 'string' },
      policy: { type: 'string', default: 'rs:4+2' },
      port: { type: 'string', default: '8090' },
    },
  })
  const registry = findAddress(values.registry)
  if (!values.rpc || !registry) throw new BadInputError('give --rpc URL and --registry 0x…, as `memo up` prints them')
  return { network: { rpc: values.rpc, registry, policy: values.policy }, port: Number(values.port) }
}

async function main(): Promise<void> {
  const { network, port } = readArguments()
  if (!(await isLocalNetwork(network.rpc))) throw new BadInputError(`${network.rpc} is no local network of \`memo up\``)
  const { code } = await bundleForBrowser(join(APP, 'main.ts'))
  const file = (name: string, type: string) => async () => ({ type, body: await readFile(join(APP, name)) })
  const answers: Readonly<Record<string, (request: IncomingMessage) => Promise<Answer>>> = {
    'GET /': file('index.html', 'text/html'),
    'GET /style.css': file('style.css', 'text/css'),
    'GET /app.js': async () => ({ type: 'text/javascript', body: code }),
    'GET /network.json': async () => ({ type: 'application/json', body: JSON.stringify(network) }),
    'POST /fund': (request) => fund(network, request),
  }
  const server = createServer((request, response) => {
    const answer = answers[`${request.method} ${request.url}`] ?? notFound
    respond(response, answer(request)).catch(() => response.destroy()) // the page went away
  })
  server.listen(port, HOST)
  await once(server, 'listening')
  console.log(`http://${HOST}:${(server.address() as AddressInfo).port}/`)
}

async function respond(response: ServerResponse, answering: Promise<Answer>): Promise<void> {
  const {
    status = 200,
    type,
    body,
  } = await answering.catch((error: Error) => ({
    status: 503,
    type: 'text/plain',
    body: error.message,
  }))
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': POLICY,
    'cache-control': 'no-store',
  })
  response.end(body)
}

async function notFound(): Promise<Answer> {
  return { status: 404, type: 'text/plain', body: 'there is nothing here' }
}

/** Tops an account up from the bank of local networks. */
async function fund({ rpc, registry }: Network, request: IncomingMessage): Promise<Answer> {
  const to = findAddress(await readText(request))
  if (!to) return { status: 400, type: 'text/plain', body: 'that is no address' }
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const { client, addresses } = await connectNetwork({ rpcUrl: rpc, registry, account })
  await ensureFunds(client, { addresses, to, memoAtto: 0n, gasWei: LOCAL_GAS_WEI })
  return { type: 'text/plain', body: 'done' }
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > MAX_BODY_CHARS) return ''
  }
  return text
}

await main()
