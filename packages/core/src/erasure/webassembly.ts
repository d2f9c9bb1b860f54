/**
 * The part of the WebAssembly interface that the erasure kernel uses. Declared here because core is compiled without
 * the browser's library of types, and because a runtime may have no WebAssembly at all.
 */
export type WebAssemblyApi = {
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> }
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly CompileError: new (message?: string) => Error
}

declare const wasmModule: unique symbol

/** A compiled module. */
export type WasmModule = { readonly [wasmModule]: true }

/** WebAssembly's page, in bytes. */
export const WASM_PAGE_BYTES = 65_536

/** The runtime's WebAssembly, or undefined where there is none. */
export function findWebAssembly(): WebAssemblyApi | undefined {
  return (globalThis as unknown as { WebAssembly?: WebAssemblyApi }).WebAssembly
}
