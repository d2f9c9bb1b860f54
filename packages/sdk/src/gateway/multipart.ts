import { type ByteStream, utf8 } from '@memo/core'

/** A multipart form with one file at its end (RFC 7578). */
export type MultipartForm = {
  readonly contentType: string
  readonly body: ByteStream
}

/** Builds a form: its fields first, then `file`, which streams. `boundary` must not occur in any of them. */
export function multipartForm(
  boundary: string,
  fields: Readonly<Record<string, string>>,
  file: { readonly name: string; readonly contentType: string; readonly bytes: ByteStream },
): MultipartForm {
  const head = Object.entries(fields)
    .map(
      ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n${value}\r\n`,
    )
    .join('')
  const fileHead =
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted(file.name)}"\r\n` +
    `Content-Type: ${file.contentType.replace(/[^\w.+/;= -]/g, '')}\r\n\r\n`
  const body = async function* () {
    yield utf8(head + fileHead)
    yield* file.bytes
    yield utf8(`\r\n--${boundary}--\r\n`)
  }
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: body() }
}

/** As browsers write names: what would end the quotes or the line is percent-encoded. */
function quoted(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
