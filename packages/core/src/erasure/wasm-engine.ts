import { assert } from '../errors/index.ts'
import type { Engine, ErasureVariant, MatrixProduct } from './engine.ts'
import { FIELD_SIZE, multiply } from './field.ts'
import type { Matrix } from './matrix.ts'
import { findWebAssembly, WASM_PAGE_BYTES, type WasmModule } from './webassembly.ts'

// A kernel call makes at most so many output strips: more would not fit the registers.
const MAX_ROWS_PER_PASS = 6

// The kernel works in whole steps of so many bytes.
const STEP_BYTES = 32

// Strips elsewhere are copied through the kernel's memory in tiles: 16 KiB measured as fast as 64 KiB, and the tiles
// of 15 strips stay in the second-level cache.
const TILE_BYTES = 16_384

// Keeps strips off each other's cache sets, which a power-of-two distance would not.
const GAP_BYTES = 64

// Tables: per coefficient the products with the 16 low nibbles, then with the 16 high nibbles.
const NIBBLES = 16
const PAIR_BYTES = 2 * NIBBLES

// The first page of every kernel memory. Inputs are at most 255 and outputs at most 6 per pass, so all of it fits.
const MASK_ADDRESS = 0
const INPUTS_ADDRESS = 1_024
const OUTPUTS_ADDRESS = 2_048
const TABLES_ADDRESS = 4_096
const STRIPS_ADDRESS = WASM_PAGE_BYTES
const TILE_SLOTS = FIELD_SIZE + MAX_ROWS_PER_PASS

type Dot = (tables: number, inputs: number, columns: number, outputs: number, length: number) => void

/** A kernel with its own memory. */
type Instance = {
  /** By rows - 1. */
  readonly dots: readonly Dot[]
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Which tables its memory holds now. */
  tables: Uint8Array | undefined
}

/** The rows of a matrix that one kernel call makes. */
type Pass = {
  readonly firstRow: number
  readonly rows: number
  readonly tables: Uint8Array
}

const modules = new Map<string, WasmModule | undefined>()

/** Whether this runtime accepts and compiles the kernel (base64). */
export function isKernelSupported(kernel: string): boolean {
  return findModule(kernel) !== undefined
}

/**
 * The engine over a kernel that {@link isKernelSupported}. It holds about 4 MiB, and what `allocate` gives lives in
 * memories of its own, which the collector frees with their last view.
 */
export function createWasmEngine(variant: ErasureVariant, kernel: string): Engine {
  const module = findModule(kernel)
  assert(module !== undefined, 'a kernel that this runtime does not support')
  const shared = createInstance(module, TILE_SLOTS * slotBytes(TILE_BYTES))
  const homes = new WeakMap<ArrayBufferLike, Instance>()

  /** The kernel in whose memory all strips lie, if there is one. */
  const findHome = (inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): Instance | undefined => {
    const buffer = outputs[0]?.buffer
    const home = buffer === undefined ? undefined : homes.get(buffer)
    const isHere = (strip: Uint8Array): boolean => strip.buffer === buffer
    return home !== undefined && inputs.every(isHere) && outputs.every(isHere) ? home : undefined
  }

  const prepare = (matrix: Matrix): MatrixProduct => {
    const passes = planPasses(matrix)
    return {
      tableBytes: passes.reduce((sum, { tables }) => sum + tables.length, 0),
      apply: (inputs, outputs) => {
        const length = inputs[0]?.length ?? 0
        const home = findHome(inputs, outputs)
        const lengthInPlace = home === undefined ? 0 : length - (length % STEP_BYTES)
        for (let at = 0; home !== undefined && at < lengthInPlace; at += TILE_BYTES) {
          applyInPlace(home, passes, inputs, outputs, at, Math.min(TILE_BYTES, lengthInPlace - at))
        }
        for (let at = lengthInPlace; at < length; at += TILE_BYTES) {
          applyByCopy(shared, passes, inputs, outputs, at, Math.min(TILE_BYTES, length - at))
        }
      },
    }
  }

  const allocate = (count: number, stripBytes: number): readonly Uint8Array[] => {
    const instance = createInstance(module, count * slotBytes(stripBytes))
    homes.set(instance.bytes.buffer, instance)
    return Array.from({ length: count }, (_, index) => {
      const start = STRIPS_ADDRESS + index * slotBytes(stripBytes)
      return instance.bytes.subarray(start, start + stripBytes)
    })
  }

  return { variant, prepare, allocate }
}

function applyInPlace(
  instance: Instance,
  passes: readonly Pass[],
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  at: number,
  length: number,
): void {
  for (const [index, input] of inputs.entries()) {
    instance.words[INPUTS_ADDRESS / 4 + index] = input.byteOffset + at
  }
  for (const pass of passes) {
    for (let row = 0; row < pass.rows; row++) {
      instance.words[OUTPUTS_ADDRESS / 4 + row] = outputs[pass.firstRow + row]!.byteOffset + at
    }
    runPass(instance, pass, inputs.length, length)
  }
}

function applyByCopy(
  instance: Instance,
  passes: readonly Pass[],
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  at: number,
  length: number,
): void {
  // What lies between the tile's end and the step's end is left over from earlier tiles; its products are not read.
  const wholeSteps = Math.ceil(length / STEP_BYTES) * STEP_BYTES
  const slot = slotBytes(TILE_BYTES)
  for (const [index, input] of inputs.entries()) {
    const address = STRIPS_ADDRESS + index * slot
    instance.bytes.set(input.subarray(at, at + length), address)
    instance.words[INPUTS_ADDRESS / 4 + index] = address
  }
  const firstOutput = STRIPS_ADDRESS + inputs.length * slot
  for (const pass of passes) {
    for (let row = 0; row < pass.rows; row++) {
      instance.words[OUTPUTS_ADDRESS / 4 + row] = firstOutput + row * slot
    }
    runPass(instance, pass, inputs.length, wholeSteps)
    for (let row = 0; row < pass.rows; row++) {
      const address = firstOutput + row * slot
      outputs[pass.firstRow + row]!.set(instance.bytes.subarray(address, address + length), at)
    }
  }
}

function runPass(instance: Instance, pass: Pass, columns: number, length: number): void {
  if (instance.tables !== pass.tables) {
    instance.bytes.set(pass.tables, TABLES_ADDRESS)
    instance.tables = pass.tables
  }
  instance.dots[pass.rows - 1]!(TABLES_ADDRESS, INPUTS_ADDRESS, columns, OUTPUTS_ADDRESS, length)
}

function planPasses(matrix: Matrix): readonly Pass[] {
  const passes: Pass[] = []
  for (let firstRow = 0; firstRow < matrix.length; firstRow += MAX_ROWS_PER_PASS) {
    const rows = matrix.slice(firstRow, firstRow + MAX_ROWS_PER_PASS)
    passes.push({ firstRow, rows: rows.length, tables: nibbleTables(rows) })
  }
  return passes
}

/** Tables in the order in which the kernel reads them: by column, then by row. */
function nibbleTables(rows: Matrix): Uint8Array {
  const columns = rows[0]!.length
  const tables = new Uint8Array(columns * rows.length * PAIR_BYTES)
  for (let column = 0; column < columns; column++) {
    for (const [index, row] of rows.entries()) {
      const start = (column * rows.length + index) * PAIR_BYTES
      for (let nibble = 0; nibble < NIBBLES; nibble++) {
        tables[start + nibble] = multiply(row[column]!, nibble)
        tables[start + NIBBLES + nibble] = multiply(row[column]!, nibble << 4)
      }
    }
  }
  return tables
}

function slotBytes(stripBytes: number): number {
  return Math.ceil(stripBytes / GAP_BYTES) * GAP_BYTES + GAP_BYTES
}

function createInstance(module: WasmModule, stripsBytes: number): Instance {
  const api = findWebAssembly()
  assert(api !== undefined, 'a kernel was compiled without WebAssembly')
  const pages = Math.ceil((STRIPS_ADDRESS + stripsBytes) / WASM_PAGE_BYTES)
  // It never grows: growing would detach every view of it.
  const memory = new api.Memory({ initial: pages, maximum: pages })
  const { exports } = new api.Instance(module, { env: { memory } })
  const dots = Array.from({ length: MAX_ROWS_PER_PASS }, (_, index) => exports[`dot${index + 1}`] as Dot)
  const bytes = new Uint8Array(memory.buffer)
  bytes.fill(0x0f, MASK_ADDRESS, MASK_ADDRESS + NIBBLES)
  return { dots, bytes, words: new Uint32Array(memory.buffer), tables: undefined }
}

function findModule(kernel: string): WasmModule | undefined {
  if (!modules.has(kernel)) modules.set(kernel, compile(kernel))
  return modules.get(kernel)
}

function compile(kernel: string): WasmModule | undefined {
  const api = findWebAssembly()
  const bytes = Uint8Array.from(atob(kernel), (character) => character.charCodeAt(0))
  if (!api?.validate(bytes)) return undefined
  try {
    return new api.Module(bytes)
  } catch (error) {
    // A page whose security policy forbids WebAssembly validates it and then refuses to compile it.
    if (error instanceof api.CompileError) return undefined
    throw error
  }
}
