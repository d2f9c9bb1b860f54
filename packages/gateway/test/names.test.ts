import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { contentTypeOf, dispositionOf, objectNameOf } from '../src/names.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text).length

describe('the name of an object', () => {
  test('is the last segment of whatever path was sent', () => {
    const names = [
      ['a.txt', 'a.txt'],
      ['../../etc/passwd', 'passwd'],
      ['C:\\Users\\me\\a.txt', 'a.txt'],
      ['/a/b/', 'file'],
      ['..', 'file'],
      ['.', 'file'],
      ['', 'file'],
      ['   ', 'file'],
      ['.gitignore', '.gitignore'],
      ['..%2f..%2fa', '..%2f..%2fa'],
      ['存储.txt', '存储.txt'],
      ['目录/存储 文件.txt', '存储 文件.txt'],
    ] as const
    for (const [sent, name] of names) assert.equal(objectNameOf(sent), name)
  })

  test('has no control character and none that turns the reading direction', () => {
    assert.equal(objectNameOf('a\u0000b\r\nc\u007f.txt'), 'abc.txt')
    assert.equal(objectNameOf('invoice\u202Etxt.exe'), 'invoicetxt.exe')
    assert.equal(objectNameOf('\u0000\u0001'), 'file')
  })

  test('of 4 KiB is cut to 1,024 bytes with its extension, between characters', () => {
    const cut = objectNameOf(`${'存'.repeat(1_400)}.tar`)
    assert.ok(bytesOf(cut) <= 1_024 && bytesOf(cut) > 1_015)
    assert.match(cut, /^存+\.tar$/u)
    assert.match(objectNameOf(`${'😀'.repeat(1_000)}`), /^(😀)+$/u)
    assert.equal(bytesOf(objectNameOf('a'.repeat(4_096))), 1_024)
    assert.ok(bytesOf(objectNameOf(`a.${'b'.repeat(4_096)}`)) <= 1_024)
  })

  test('is always one that a manifest takes and a header carries', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, (sent) => {
        const name = objectNameOf(sent)
        assert.ok(name.length > 0 && bytesOf(name) <= 1_024)
        assert.ok(!/[/\\\p{Cc}]/u.test(name))
        assert.equal(objectNameOf(name), name)
        assert.match(dispositionOf(name), /^attachment; filename=[\x20-\x7e]+$/)
      }),
    )
  })
})

describe('the headers that come from a name', () => {
  test('carry an ASCII name once, and any other one also in UTF-8', () => {
    assert.equal(dispositionOf('a.txt'), 'attachment; filename="a.txt"')
    assert.equal(dispositionOf('a "b".txt'), 'attachment; filename="a \\"b\\".txt"')
    assert.equal(dispositionOf('存储.txt'), `attachment; filename="??.txt"; filename*=UTF-8''%E5%AD%98%E5%82%A8.txt`)
  })

  test('take the type from the extension, then from the client, and never one that is no type', () => {
    assert.equal(contentTypeOf('a.png', 'text/html'), 'image/png')
    assert.equal(contentTypeOf('a.unknown-ending', 'application/x-thing'), 'application/x-thing')
    assert.equal(contentTypeOf('a', 'application/octet-stream'), 'application/octet-stream')
    assert.equal(contentTypeOf('a', 'text/html\r\nx-evil: 1'), 'application/octet-stream')
    assert.equal(contentTypeOf('a', `text/${'x'.repeat(4_096)}`), 'application/octet-stream')
  })
})
