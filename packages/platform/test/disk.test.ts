import assert from 'node:assert/strict'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { collectBytes, type IndexStore, type PieceStore } from '@memo/core'
import { lockDataDirectory, openFilePieceStore, openSqliteIndexStore, writeFileDurably } from '../src/index.ts'

const MIB = 1_048_576
const base = await mkdtemp(join(tmpdir(), 'memo-disk-'))
let directories = 0
after(async () => await rm(base, { recursive: true, force: true }))

async function freshDir(): Promise<string> {
  const dir = join(base, `${directories++}`)
  await mkdir(dir)
  return dir
}

const rootOf = (digit: string) => digit.repeat(64)
const pathOf = (dir: string, root: string) => join(dir, 'pieces', root.slice(0, 2), root)
const units = Uint8Array.from({ length: 64 }, (_, i) => i)

async function put(store: PieceStore, root: string, bytes: Uint8Array): Promise<void> {
  const writer = await store.create()
  await writer.write(bytes)
  await writer.commit(root, units)
}

const bytesOf = async (store: PieceStore, root: string, offset: number, length: number) =>
  await collectBytes((await store.read(root, offset, length)) ?? [], 16 * MIB)

describe('file piece store', () => {
  test('a piece is a plain file that begins with its bytes', async () => {
    const dir = await freshDir()
    const store = await openFilePieceStore(dir)
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251)
    await put(store, rootOf('a'), bytes)
    const file = new Uint8Array(await readFile(pathOf(dir, rootOf('a'))))
    assert.deepEqual(file.subarray(0, bytes.length), bytes)
    assert.equal((await stat(pathOf(dir, rootOf('a')))).mode & 0o777, 0o600)
  })

  test('any range of a piece of several reads comes back in bounded blocks', async () => {
    const store = await openFilePieceStore(await freshDir())
    const bytes = Uint8Array.from({ length: 2 * MIB + 12_345 }, (_, i) => (i * 7) % 253)
    await put(store, rootOf('b'), bytes)
    const ranges = [
      [0, bytes.length],
      [0, 0],
      [1, 1],
      [262_143, 2],
      [bytes.length - 1, 1],
      [300_000, 1_600_000],
      [bytes.length, 0],
    ] as const
    for (const [offset, length] of ranges) {
      assert.deepEqual(await bytesOf(store, rootOf('b'), offset, length), bytes.slice(offset, offset + length))
    }
    for await (const block of (await store.read(rootOf('b'), 0, bytes.length)) ?? []) assert.ok(block.length <= MIB)
  })

  test('many reads at once come in smaller blocks, and large ones again when they have ended', async () => {
    const store = await openFilePieceStore(await freshDir())
    const bytes = Uint8Array.from({ length: 2 * MIB + 12_345 }, (_, i) => (i * 11) % 249)
    await put(store, rootOf('b'), bytes)
    const open = async () => (await store.read(rootOf('b'), 0, bytes.length))![Symbol.asyncIterator]()
    const lengthOf = async (stream: AsyncIterator<Uint8Array>) => (await stream.next()).value.length
    const few = await open()
    assert.equal(await lengthOf(few), MIB)
    const many = await Promise.all(Array.from({ length: 80 }, open))
    for (const stream of many) assert.equal(await lengthOf(stream), 131_072)
    assert.deepEqual(await bytesOf(store, rootOf('b'), 5, 2 * MIB), bytes.slice(5, 5 + 2 * MIB))
    for (const stream of [few, ...many]) for (let i = 0; i < 2; i++) await stream.return?.()
    for (let i = 0; i < 200; i++) await bytesOf(store, rootOf('b'), i, 10)
    const again = await open()
    assert.equal(await lengthOf(again), MIB, 'streams that have ended are not counted')
    await again.return?.()
  })

  test('blocks that are given back serve later reads, and show them nothing of what lay there', async () => {
    const store = await openFilePieceStore(await freshDir())
    const [first, second] = [new Uint8Array(MIB).fill(1), new Uint8Array(2 * MIB + 5).fill(2)]
    await put(store, rootOf('1'), first)
    await put(store, rootOf('2'), second)
    const readOnce = async () => {
      const stream = (await store.read(rootOf('1'), 0, MIB))!
      const iterator = stream[Symbol.asyncIterator]()
      const { value } = await iterator.next()
      assert.deepEqual(value, first)
      await iterator.return?.()
      return { block: value as Uint8Array, giveBack: (block: Uint8Array) => stream.giveBack?.(block) }
    }
    const { block, giveBack } = await readOnce()
    giveBack(block.fill(0xee))
    giveBack(new Uint8Array(MIB - 1)) // of a length that is never asked for
    assert.equal((await readOnce()).block.buffer, block.buffer)
    assert.notEqual((await readOnce()).block.buffer, block.buffer, 'what is in use is not given to another')
    giveBack(block.fill(0xee))
    assert.deepEqual(await bytesOf(store, rootOf('2'), 0, second.length), second)
  })

  test('a read that was begun ends well though the piece is deleted meanwhile', async () => {
    const store = await openFilePieceStore(await freshDir())
    await put(store, rootOf('c'), new Uint8Array(MIB).fill(9))
    const stream = await store.read(rootOf('c'), 0, MIB)
    assert.equal(await store.delete(rootOf('c')), true)
    assert.deepEqual(await collectBytes(stream ?? [], MIB), new Uint8Array(MIB).fill(9))
    assert.equal(await store.find(rootOf('c')), undefined)
    assert.equal(await store.delete(rootOf('c')), false)
  })

  test('cancelled reads leave no file open', async () => {
    const store = await openFilePieceStore(await freshDir())
    await put(store, rootOf('d'), new Uint8Array(2 * MIB))
    const openFiles = async () => (await readdir('/proc/self/fd')).length
    if (process.platform !== 'linux') return
    const before = await openFiles()
    for (let i = 0; i < 50; i++) {
      const iterator = (await store.read(rootOf('d'), 0, 2 * MIB))?.[Symbol.asyncIterator]()
      if (i % 2) await iterator?.next()
      await iterator?.return?.()
    }
    assert.ok((await openFiles()) <= before + 2)
  })

  test('the caller may reuse its buffer as soon as write resolves', async () => {
    const store = await openFilePieceStore(await freshDir())
    const writer = await store.create()
    const buffer = new Uint8Array(1_000)
    for (let i = 0; i < 1_000; i++) {
      buffer.fill(i)
      await writer.write(buffer)
    }
    await writer.commit(rootOf('e'), units)
    const bytes = await bytesOf(store, rootOf('e'), 0, MIB)
    assert.deepEqual(
      bytes,
      Uint8Array.from({ length: 1_000_000 }, (_, i) => Math.floor(i / 1_000)),
    )
  })

  test('what is no root names no file, wherever it points', async () => {
    const dir = await freshDir()
    const store = await openFilePieceStore(join(dir, 'store'))
    await writeFile(join(dir, 'secret'), 'x'.repeat(1_000))
    for (const root of ['../../secret', `${'a'.repeat(62)}/.`, 'A'.repeat(64), 'a'.repeat(63), '', '\0'.repeat(64)]) {
      assert.equal(await store.find(root), undefined)
      assert.equal(await store.read(root, 0, 1), undefined)
      assert.equal(await store.readUnits(root), undefined)
      assert.equal(await store.delete(root), false)
      const writer = await store.create()
      await assert.rejects(writer.commit(root, units), { name: 'AssertionError' })
      await writer.abort()
    }
    assert.deepEqual(await readdir(join(dir, 'store', 'incoming')), [])
  })

  test('a truncated, lengthened or altered file is a fault of the disk, not a piece, and does not hide others', async () => {
    const dir = await freshDir()
    const faults: unknown[] = []
    const store = await openFilePieceStore(dir, { onFault: (error) => faults.push(error) })
    const roots = ['1', '2', '3', '4', '5'].map(rootOf)
    for (const root of roots) await put(store, root, new Uint8Array(1_000).fill(7))
    const [short = '', long = '', footer = '', unit = '', whole = ''] = roots
    const alter = async (root: string, change: (bytes: Buffer) => Buffer) =>
      await writeFile(pathOf(dir, root), change(await readFile(pathOf(dir, root))))
    await alter(short, (bytes) => bytes.subarray(0, 500))
    await alter(long, (bytes) => Buffer.concat([bytes, Buffer.from('x')]))
    await alter(footer, (bytes) => {
      bytes[bytes.length - 20] = 0xff
      return bytes
    })
    await alter(unit, (bytes) => {
      bytes[1_010] = 0xff
      return bytes
    })
    const fault = { name: 'DiskFaultError', blame: 'us' }
    for (const root of [short, long, footer]) {
      await assert.rejects(store.find(root), fault)
      await assert.rejects(store.read(root, 0, 10), fault)
    }
    await assert.rejects(store.readUnits(unit), fault)
    const listed: string[] = []
    for await (const { root } of store.list()) listed.push(root)
    assert.deepEqual(listed, [unit, whole])
    assert.equal(faults.length, 3)
  })

  test('what else lies among the pieces, as on a disk of their own, is left alone', async () => {
    const dir = await freshDir()
    const store = await openFilePieceStore(dir)
    await put(store, rootOf('c'), Uint8Array.of(1))
    await mkdir(join(dir, 'pieces', 'lost+found'), { mode: 0o000 })
    await writeFile(join(dir, 'pieces', '.DS_Store'), 'x')
    await writeFile(join(dir, 'pieces', 'cc', 'note.txt'), 'x')
    const found: string[] = []
    for await (const { root } of store.list()) found.push(root)
    assert.deepEqual(found, [rootOf('c')])
  })

  test('a piece that could not be put in its place is gone when it is aborted', async () => {
    const dir = await freshDir()
    const store = await openFilePieceStore(dir)
    await writeFile(join(dir, 'pieces', 'dd'), 'in the way')
    const writer = await store.create()
    await writer.write(Uint8Array.of(1, 2, 3))
    await assert.rejects(writer.commit(rootOf('d'), units), { name: 'DiskFaultError' })
    await writer.abort()
    assert.deepEqual(await readdir(join(dir, 'incoming')), [])
  })

  test('free room leaves the reserve out', async () => {
    const dir = await freshDir()
    const all = await (await openFilePieceStore(dir, { reserveBytes: 0 })).freeBytes()
    const most = await (await openFilePieceStore(dir, { reserveBytes: 10 * MIB })).freeBytes()
    assert.ok(all - most > 5 * MIB && all - most < 5_000 * MIB)
    assert.equal(await (await openFilePieceStore(dir, { reserveBytes: 2 ** 52 })).freeBytes(), 0)
  })

  test('a full disk is a typed error, and what was begun is gone', { skip: fullDeviceMissing() }, async () => {
    const full = await open('/dev/full', 'w')
    await assert.rejects(full.write('x'), { code: 'ENOSPC' })
    await full.close()
    const { diskError } = await import('../src/disk.ts')
    const error = diskError(Object.assign(new RangeError('no space'), { code: 'ENOSPC' }), '/data')
    assert.deepEqual([error.name, error.retry], ['DiskFullError', 'later'])
    assert.equal(diskError(Object.assign(new RangeError('io'), { code: 'EIO' }), '/data').name, 'DiskFaultError')
    assert.equal(diskError(Object.assign(new RangeError('ro'), { code: 'EROFS' }), '/data').name, 'DiskFaultError')
  })
})

function fullDeviceMissing(): string | false {
  return process.platform === 'linux' ? false : 'only Linux has a device that is always full'
}

describe('SQLite index store', () => {
  const keysOf = async (store: IndexStore, prefix: string, after?: string) =>
    (await store.list({ prefix, limit: 100, ...(after === undefined ? {} : { after }) })).map(({ key }) => key)

  test('what was applied is there after closing and opening again', async () => {
    const path = join(await freshDir(), 'deep', 'index.db')
    const store = openSqliteIndexStore(path)
    await store.apply([{ key: 'a', value: Uint8Array.of(1) }])
    await store.close()
    const again = openSqliteIndexStore(path)
    assert.deepEqual(await again.get('a'), Uint8Array.of(1))
    await again.close()
  })

  test('changes that arrive together take effect in their order', async () => {
    const store = openSqliteIndexStore(join(await freshDir(), 'index.db'))
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => store.apply([{ key: `k${i % 5}`, value: Uint8Array.of(i % 256) }])),
    )
    for (let i = 0; i < 5; i++) assert.deepEqual(await store.get(`k${i}`), Uint8Array.of((495 + i) % 256))
    await Promise.all([store.apply([{ key: 'k0', value: Uint8Array.of(1) }]), store.apply([{ key: 'k0' }])])
    assert.equal(await store.get('k0'), undefined)
    await store.close()
  })

  test('the caller may reuse the value it gave', async () => {
    const store = openSqliteIndexStore(join(await freshDir(), 'index.db'))
    const value = Uint8Array.of(1, 2, 3)
    const applied = store.apply([{ key: 'a', value }])
    value.fill(9)
    await applied
    assert.deepEqual(await store.get('a'), Uint8Array.of(1, 2, 3))
    await store.close()
  })

  test('a prefix ends where it ends, also at the last characters there are', async () => {
    const store = openSqliteIndexStore(join(await freshDir(), 'index.db'))
    const keys = ['a', 'a/', 'a/1', 'a/2', 'a0', 'b', '~', '~~', '~~~']
    await store.apply(keys.map((key) => ({ key, value: new Uint8Array(1) })))
    assert.deepEqual(await keysOf(store, 'a/'), ['a/', 'a/1', 'a/2'])
    assert.deepEqual(await keysOf(store, '~~'), ['~~', '~~~'])
    assert.deepEqual(await keysOf(store, '', 'b'), ['~', '~~', '~~~'])
    assert.deepEqual(await keysOf(store, 'a/', 'a/1'), ['a/2'])
    assert.deepEqual(await keysOf(store, 'a/', 'z'), [])
    await store.close()
  })

  test('a key that SQLite would order or cut differently is refused whole', async () => {
    const store = openSqliteIndexStore(join(await freshDir(), 'index.db'))
    for (const key of ['', 'a\0b', 'é', '存储', 'a\n']) {
      await assert.rejects(store.apply([{ key: 'good', value: new Uint8Array(1) }, { key }]), { name: 'BadInputError' })
    }
    assert.equal(await store.get('good'), undefined)
    await store.close()
  })

  test('what is pending when the store closes is kept; later calls are refused', async () => {
    const path = join(await freshDir(), 'index.db')
    const store = openSqliteIndexStore(path)
    const pending = store.apply([{ key: 'late', value: Uint8Array.of(7) }])
    await store.close()
    await pending
    await assert.rejects(store.get('late'), { name: 'StoreClosedError' })
    await assert.rejects(store.apply([{ key: 'x' }]), { name: 'StoreClosedError' })
    const again = openSqliteIndexStore(path)
    assert.deepEqual(await again.get('late'), Uint8Array.of(7))
    await again.close()
  })

  test('a store that another holds locked is busy, not broken', async () => {
    const path = join(await freshDir(), 'index.db')
    const store = openSqliteIndexStore(path)
    const { DatabaseSync } = await import('node:sqlite')
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const change = [{ key: 'a', value: new Uint8Array(1) }]
    await assert.rejects(store.apply(change), { name: 'StoreBusyError', retry: 'later' })
    other.exec('ROLLBACK')
    other.close()
    await store.apply(change)
    await store.close()
  })

  test('what is no store is a fault, and is left as it was', async () => {
    const path = join(await freshDir(), 'index.db')
    await writeFile(path, 'this is a letter to my grandmother, not a database, '.repeat(40))
    assert.throws(() => openSqliteIndexStore(path), { name: 'DiskFaultError' })
    assert.match(await readFile(path, 'utf8'), /^this is a letter/)
  })
})

describe('data directory', () => {
  test('it is private, and one process at a time holds it', async () => {
    const dir = join(await freshDir(), 'data')
    const held = await lockDataDirectory(dir, 'keeper')
    assert.equal((await stat(dir)).mode & 0o777, 0o700)
    await assert.rejects(lockDataDirectory(dir, 'keeper'), { name: 'DataDirectoryInUseError', blame: 'user' })
    held.release()
    held.release()
    const again = await lockDataDirectory(dir, 'keeper')
    again.release()
  })

  test('data of another kind, a newer layout and what is unknown are refused with what to do, and left alone', async () => {
    const dir = await freshDir()
    const held = await lockDataDirectory(dir, 'keeper')
    held.release()
    const stamp = join(dir, 'memo.json')
    await assert.rejects(lockDataDirectory(dir, 'provider'), /holds the data of a keeper, not of a provider/)
    const cases = [
      ['{"kind":"keeper","schema":3}', /npm install --global/],
      ['{"kind":"keeper","schema":1}', /Run that version with it/],
      ['{"kind":"keeper"}', /memo doctor/],
      ['{"kind":"kee', /memo doctor/],
      ['null', /memo doctor/],
      ['{"schema":2}', /memo doctor/],
    ] as const
    for (const [content, fix] of cases) {
      await writeFile(stamp, content)
      await assert.rejects(lockDataDirectory(dir, 'keeper'), (error) => {
        assert.equal((error as Error).name, 'DataDirectoryError')
        assert.match((error as { fix: string }).fix, fix)
        return true
      })
      assert.equal(await readFile(stamp, 'utf8'), content)
    }
  })

  test('a durable write replaces the whole file and leaves nothing beside it', async () => {
    const dir = await freshDir()
    await writeFileDurably(join(dir, 'a.json'), 'x'.repeat(100_000))
    await writeFileDurably(join(dir, 'a.json'), 'short')
    assert.equal(await readFile(join(dir, 'a.json'), 'utf8'), 'short')
    assert.equal((await stat(join(dir, 'a.json'))).mode & 0o777, 0o600)
    await assert.rejects(writeFileDurably(join(dir, 'none', 'b'), 'x'), { name: 'DiskFaultError' })
    assert.deepEqual(await readdir(dir), ['a.json'])
  })
})
