import { rolldown } from 'rolldown'

export type Bundle = {
  /** One ECMAScript module. */
  readonly code: string
  /** What it imports at run time: nothing, if all is well. */
  readonly imports: readonly string[]
  /** Files that went into it. */
  readonly modules: readonly string[]
}

/**
 * Makes one module for browsers from TypeScript. Two things matter to MEMO: `platform: 'browser'`, so that `#primitives`
 * resolves to its form without Node, and, where packages are used from this repository and not as published, the
 * condition `source`.
 */
export async function bundleForBrowser(entry: string, options: { readonly minify?: boolean } = {}): Promise<Bundle> {
  const bundle = await rolldown({
    input: entry,
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import', 'default'] },
    // What cannot be found would be left as an import and fail in the browser.
    onLog(level, log, log_) {
      if (log.code === 'UNRESOLVED_IMPORT') throw log
      log_(level, log)
    },
  })
  try {
    const { output } = await bundle.generate({ format: 'esm', minify: options.minify ?? true, codeSplitting: false })
    const [chunk] = output
    return { code: chunk.code, imports: [...chunk.imports, ...chunk.dynamicImports], modules: chunk.moduleIds }
  } finally {
    await bundle.close()
  }
}
