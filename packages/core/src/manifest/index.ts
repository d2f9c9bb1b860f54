export {
  clearEnvelope,
  decodeManifest,
  encodeManifest,
  envelopeFromPlain,
  envelopeToPlain,
  MAX_MANIFEST_BYTES,
  type Manifest,
  type ManifestEnvelope,
  openManifest,
  type PartRange,
  sealManifest,
  type WrappedKey,
} from './manifest.ts'
