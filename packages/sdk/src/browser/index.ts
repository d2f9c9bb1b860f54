/**
 * What the SDK needs of the world where there is `fetch`: browser pages and workers (`spec/browser.md`). Everything else comes
 * from `@memo/sdk` as it is.
 */
export { streamFromBlob } from './blob.ts'
export { createWebCryptoEncoder } from './encoder.ts'
export { createFetchTransport, type FetchTransportOptions } from './fetch-transport.ts'
export { BROWSER_LIMITS } from './limits.ts'
export {
  type BrowserPortsOptions,
  createBrowserClock,
  createBrowserPorts,
  createBrowserRandomness,
  createBrowserTimers,
} from './ports.ts'
