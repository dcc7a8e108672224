/**
 * Sealing, signing and verifying for Meldbrug: functions that hold no key and ask no clock.
 *
 * `docs/sealing.md` documents every byte; `tests/vectors/` holds vectors that every language must pass.
 */

export { base64url, type RandomBytes, randomBytes } from "./bytes.js";
export { canonical, type Field } from "./canonical.js";
export type { Place, SignedBy, VerifiedAppointment, VerifiedMember } from "./chains.js";
export * as chains from "./chains.js";
export * from "./errors.js";
export { isKid, kidOf, PublicKeys, SecretKeys } from "./keys.js";
export { MAX_CONTENT_BYTES } from "./padding.js";
export { previewDigest, termsDigest } from "./preview.js";
export {
  completions,
  fromWords,
  keysFrom,
  LANGUAGES,
  newEntropy,
  type ReceiptLanguage,
  toWords,
  wordsOf,
} from "./receipt.js";
export {
  CEK_BYTES,
  commitmentOf,
  digestOf,
  MAX_CIPHERTEXT_BYTES,
  MIN_CIPHERTEXT_BYTES,
  newCek,
  openSection,
  type SealedSection,
  type SectionContext,
  sealSection,
  unwrapKey,
  verifySealed,
  WRAP_BYTES,
  wrapKey,
} from "./sealing.js";
export type { Said, StatementKind, ToSay } from "./statements.js";
export * as statements from "./statements.js";
export * as tokens from "./tokens.js";
