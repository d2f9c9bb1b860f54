import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestCaller, UploadOptions } from './caller.ts'

export type Listed = { readonly ID: number; readonly Name: string; readonly Cid: string; readonly Size: number }

/** The caller's objects, as the gateway lists them. */
export async function list(caller: TestCaller): Promise<Listed[]> {
  const answer = await caller.get('/mefs/listobjects')
  const body = (await answer.json()) as { Object: Listed[] }
  assert.equal(answer.status, 200, JSON.stringify(body))
  return body.Object
}

/** What nobody has stored before. */
export function fresh(sizeBytes = 100): Uint8Array {
  return new Uint8Array(randomBytes(sizeBytes))
}

/** Uploads and expects it to be taken; returns the CID. */
export async function store(caller: TestCaller, content: Uint8Array, options: UploadOptions = {}): Promise<string> {
  const answer = await caller.upload(content, options)
  const body = (await answer.json()) as { cid: string }
  assert.equal(answer.status, 200, JSON.stringify(body))
  return body.cid
}

export async function bytesOf(answer: Response): Promise<Uint8Array> {
  return new Uint8Array(await answer.arrayBuffer())
}

export type ApiErrorBody = { readonly Code: string; readonly Description: string; readonly HTTPStatusCode: number }

export async function errorOf(answer: Response): Promise<ApiErrorBody> {
  return (await answer.json()) as ApiErrorBody
}
