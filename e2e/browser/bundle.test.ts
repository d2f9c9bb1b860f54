import assert from 'node:assert/strict'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { type Bundle, bundleForBrowser } from '../../examples/browser/bundle.ts'

/** Of the example application, minified and as gzip sends it: what a visitor waits for. */
const MAX_GZIP_BYTES = 200_000
const APP = join(import.meta.dirname, '..', '..', 'examples', 'browser', 'app', 'main.ts')
const PAGE = join(import.meta.dirname, 'page', 'main.ts')

describe('the bundle for browsers', () => {
  let app: Bundle
  let page: Bundle

  before(async () => {
    app = await bundleForBrowser(APP)
    page = await bundleForBrowser(PAGE, { minify: false })
  })

  test('is whole: it imports nothing when it runs', () => {
    assert.deepEqual([...app.imports, ...page.imports], [])
  })

  test('takes the primitives of browsers', () => {
    const primitives = page.modules.filter((path) => /primitives[/\\](node|browser)\.ts$/.test(path))
    assert.equal(primitives.length, 1)
    assert.match(primitives[0] ?? '', /browser\.ts$/)
  })

  test('has no module of Node in it, and nothing that stands in for one', () => {
    const files = [...app.modules, ...page.modules]
    const builtins = files.filter((path) => path.startsWith('node:') || builtinModules.includes(path))
    assert.deepEqual(builtins, [])
    assert.deepEqual(
      files.filter((path) =>
        /node_modules[/\\](buffer|process|events|stream|readable-stream|tiny-secp256k1|undici)[/\\]/.test(path),
      ),
      [],
    )
    for (const { code } of [app, page]) assert.doesNotMatch(code, /["'`]node:/)
  })

  test('does not count on a global Buffer', () => {
    // A property or a text of that name is another matter, and so is what a comment says.
    for (const { code } of [app, page]) {
      assert.deepEqual(
        [...withoutComments(code).matchAll(/.{0,40}(?<![\w$."'`])Buffer\b.{0,40}/g)].map(([text]) => text),
        [],
      )
    }
  })

  test('is small enough to wait for', (t) => {
    const gzipBytes = gzipSync(app.code).length
    const sizes = `${app.code.length} bytes minified, ${gzipBytes} as gzip, ${brotliCompressSync(app.code).length} as brotli`
    t.diagnostic(`example application with SDK and chain: ${sizes}`)
    assert.ok(gzipBytes < MAX_GZIP_BYTES, sizes)
  })
})

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
