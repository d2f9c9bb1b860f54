import type { ByteStream, Manifest } from '@memo/core'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { listObjects, type StoredObject } from '../index/objects.ts'
import type { PartLocator } from './locate.ts'
import { readObject } from './read.ts'

/** An object that can be opened, with its bytes. */
export type RestoredObject = {
  readonly object: StoredObject & { readonly manifest: Manifest }
  /** Reads all of it, as `read` does. */
  open(): ByteStream
}

/** Every live object of a DID that `reader` can open (`spec/sdk.md` 12). Errors as for listing. */
export async function* restoreObjects(
  context: StorageContext,
  locator: PartLocator,
  did: string,
  options: { readonly reader: ReaderKeys; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<RestoredObject> {
  const { reader, signal } = options
  for await (const object of listObjects(context, did, { reader, signal })) {
    const { manifest } = object
    if (!manifest) continue
    yield {
      object: { ...object, manifest },
      open: () => readObject(context, locator, manifest, { owner: did, signal }),
    }
  }
}
