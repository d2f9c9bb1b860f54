export { BadCidError, canonicalCid, digestFromCid } from './parse.ts'
export {
  CID_PROFILES,
  type CidBuilder,
  type CidProfile,
  type CidProfileName,
  createCidBuilder,
  DEFAULT_CID_PROFILE,
} from './unixfs.ts'
