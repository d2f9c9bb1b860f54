import { execFile } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { promisify } from 'node:util'
import type { ByteStream } from '@memo/core'
import { findFreePort } from '../network/local-network.ts'
import { drain, type Peer, send, startDaemon } from './peer.ts'

const run = promisify(execFile)
/** SeaweedFS listens for its own calls so far above each of its ports. */
const GRPC_OFFSET = 10_000
const MAX_PORT = 65_535

const seaweed: Peer = {
  name: 'SeaweedFS',
  program: 'weed',
  async start(program, dir, signal) {
    const [master, volume, filer] = [await findLowPort(), await findLowPort(), await findLowPort()]
    const ports = [`-master.port=${master}`, `-volume.port=${volume}`, `-filer.port=${filer}`]
    const args = ['server', `-dir=${dir}`, '-ip=127.0.0.1', '-filer', '-volume.max=64', ...ports]
    const url = `http://127.0.0.1:${filer}`
    const stop = await startDaemon(program, args, {}, `${url}/`, signal)
    return {
      async put(name, body, sizeBytes) {
        await drain(await send('PUT', `${url}/bench/${name}`, { body, headers: { 'content-length': `${sizeBytes}` } }))
      },
      get: async (name) => await send('GET', `${url}/bench/${name}`),
      stop,
    }
  },
}

/** Keys of a server that lives for one bench. */
const MINIO_USER = 'bench-user'
const MINIO_PASSWORD = 'bench-password'

const minio: Peer = {
  name: 'MinIO',
  program: 'minio',
  async start(program, dir, signal) {
    const host = `127.0.0.1:${await findFreePort()}`
    const env = { MINIO_ROOT_USER: MINIO_USER, MINIO_ROOT_PASSWORD: MINIO_PASSWORD }
    const args = ['server', dir, '--address', host, '--quiet']
    const stop = await startDaemon(program, args, env, `http://${host}/minio/health/ready`, signal)
    const call = async (method: string, path: string, body?: ByteStream, sizeBytes = 0) => {
      const headers = { ...signedHeaders(method, host, path), 'content-length': `${sizeBytes}` }
      return await send(method, `http://${host}${path}`, body ? { headers, body } : { headers })
    }
    await drain(await call('PUT', '/bench'))
    return {
      async put(name, body, sizeBytes) {
        await drain(await call('PUT', `/bench/${name}`, body, sizeBytes))
      },
      get: async (name) => await call('GET', `/bench/${name}`),
      stop,
    }
  },
}

/** AWS Signature, version 4, over a body that is not hashed. */
function signedHeaders(method: string, host: string, path: string): Record<string, string> {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`
  const headers = { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': time }
  const names = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = [method, path, '', lines.join(''), names, 'UNSIGNED-PAYLOAD'].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const hmac = (key: string | Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()
  const key = scope.split('/').reduce<string | Uint8Array>(hmac, `AWS4${MINIO_PASSWORD}`)
  const signature = createHmac('sha256', key).update(text).digest('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${MINIO_USER}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { authorization, 'x-amz-content-sha256': headers['x-amz-content-sha256'], 'x-amz-date': time }
}

const BOUNDARY = 'memo-bench-boundary'

const kubo: Peer = {
  name: 'Kubo',
  program: 'ipfs',
  async start(program, dir, signal) {
    const env = { IPFS_PATH: dir }
    const api = `127.0.0.1:${await findFreePort()}`
    const ipfs = async (...args: string[]) => await run(program, args, { env: { ...process.env, ...env } })
    await ipfs('init', '--profile=test')
    await ipfs('config', 'Addresses.API', `/ip4/127.0.0.1/tcp/${api.split(':')[1]}`)
    await ipfs('config', 'Addresses.Gateway', `/ip4/127.0.0.1/tcp/${await findFreePort()}`)
    const stop = await startDaemon(program, ['daemon', '--offline'], env, `http://${api}/api/v0/version`, signal)
    const cids = new Map<string, string>()
    return {
      async put(name, body) {
        const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
        const answer = await send('POST', `http://${api}/api/v0/add?quieter=true&cid-version=1`, {
          headers,
          body: formOf(body),
        })
        const bytes: Uint8Array[] = []
        for await (const part of answer) bytes.push(part)
        const added = JSON.parse(Buffer.concat(bytes).toString()) as { readonly Hash: string }
        cids.set(name, added.Hash)
      },
      get: async (name) => await send('POST', `http://${api}/api/v0/cat?arg=${cids.get(name)}`),
      stop,
    }
  },
}

async function* formOf(body: ByteStream): AsyncGenerator<Uint8Array> {
  const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n`
  yield new TextEncoder().encode(head)
  yield* body
  yield new TextEncoder().encode(`\r\n--${BOUNDARY}--\r\n`)
}

async function findLowPort(): Promise<number> {
  for (;;) {
    const port = await findFreePort()
    if (port + GRPC_OFFSET <= MAX_PORT) return port
  }
}

/** What a network of ours is held against where it is installed. */
export const PEERS: readonly Peer[] = [seaweed, minio, kubo]
