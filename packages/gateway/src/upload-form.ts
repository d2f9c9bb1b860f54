import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import type { ByteStream } from '@memo/core'
import { ApiError } from './errors.ts'

const MAX_FIELD_BYTES = 4_096
const MAX_FIELDS = 32
const MAX_HEADER_PAIRS = 64
const MAX_QUOTED_CHARS = 100
const BUFFER_BYTES = 262_144
/** Until the file begins nobody knows who sends: he holds a connection for no longer. */
const MAX_HEAD_MS = 30_000
/** A file of which nothing comes for so long, while it is waited for, leaves its place to others. */
const MAX_STILL_MS = 120_000
/** What a form has beside its file at the most: all its fields, and as much again for their heads. */
export const MAX_FORM_BYTES: number = 2 * MAX_FIELDS * MAX_FIELD_BYTES
/** What changes how the file is stored, and so must be known when it begins. */
const EARLY_FIELDS: ReadonlySet<string> = new Set(['public', 'name'])

/** A multipart upload at the moment its file begins. */
export type UploadForm = {
  /** The fields that stood before the file. */
  readonly fields: Readonly<Record<string, string>>
  readonly fileName: string
  readonly contentType: string
  readonly file: {
    /** Errors: {@link ApiError} 516 when the form breaks off. */
    readonly bytes: ByteStream
    /** Nobody is going to read the rest. */
    drop(): void
  }
  /** Resolves when the form ended as it must; rejects when it was cut off or malformed. */
  readonly ended: Promise<void>
}

/**
 * Reads a multipart form up to its field `file`, which then streams. Errors: {@link ApiError} 516 for a form without
 * a file, cut off, malformed, or standing still.
 */
export async function readUploadForm(request: IncomingMessage): Promise<UploadForm> {
  return await new Promise<UploadForm>((resolve, reject) => {
    const fields: Record<string, string> = Object.create(null)
    const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>()
    let file: Readable | undefined
    const fault = (detail: string, cause?: unknown) => {
      const error = new ApiError(516, detail, cause)
      file?.destroy(error)
      reject(error)
      fail(error)
    }
    const late = setTimeout(() => fault(`no file has begun within ${MAX_HEAD_MS / 1_000} s`), MAX_HEAD_MS)
    ended.catch(() => undefined).finally(() => clearTimeout(late)) // whoever streams the file awaits it; a refusal before that has rejected already

    const form = createForm(request.headers, fault)
    if (!form) return
    form.on('field', (name, value, _nameCut, valueCut) => {
      if (valueCut) fault(`form field ${name.slice(0, MAX_QUOTED_CHARS)} is longer than ${MAX_FIELD_BYTES} bytes`)
      else if (!file) fields[name] = value
      else if (EARLY_FIELDS.has(name)) fault(`the form field ${name} stands before the file`)
    })
    form.on('file', (name, stream, fileName, _encoding, contentType) => {
      if (name !== 'file' || file) {
        stream.resume()
        return
      }
      file = stream
      clearTimeout(late)
      stream.on('error', () => undefined) // told to whoever reads it; a refused upload has no reader
      resolve({
        fields: { ...fields },
        fileName: fileName ?? '',
        contentType,
        file: { bytes: bytesOf(stream), drop: () => void stream.destroy() },
        ended,
      })
    })
    form.on('error', (cause) => fault('malformed multipart form', cause))
    form.on('finish', () => {
      if (!file) fault('the form has no field named file')
      end()
    })
    request.on('aborted', () => fault('the upload was cut off'))
    request.on('error', (cause) => fault('the upload was cut off', cause))
    request.pipe(form)
  })
}

async function* bytesOf(file: Readable): AsyncGenerator<Uint8Array> {
  const stop = () => file.destroy(new ApiError(516, `nothing came of the file for ${MAX_STILL_MS / 1_000} s`))
  let still = setTimeout(stop, MAX_STILL_MS)
  try {
    for await (const bytes of file) {
      clearTimeout(still)
      yield bytes
      still = setTimeout(stop, MAX_STILL_MS)
    }
  } catch (cause) {
    throw cause instanceof ApiError ? cause : new ApiError(516, 'the upload was cut off', cause)
  } finally {
    clearTimeout(still)
  }
}

function createForm(headers: IncomingHttpHeaders, fault: (detail: string, cause?: unknown) => void) {
  const type = headers['content-type']
  if (!type?.toLowerCase().startsWith('multipart/form-data')) {
    fault('an upload is a multipart form with a field named file')
    return undefined
  }
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': type },
      limits: { fieldSize: MAX_FIELD_BYTES, fields: MAX_FIELDS, headerPairs: MAX_HEADER_PAIRS, files: 1 },
      highWaterMark: BUFFER_BYTES,
      fileHwm: BUFFER_BYTES,
    })
  } catch (cause) {
    fault('malformed multipart form', cause)
    return undefined
  }
}
