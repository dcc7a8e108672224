/** Digests of what a person was shown before saying yes; never of a plaintext, which one could guess. */

import { utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { sha256 } from "./platform.js";

/**
 * Returns the digest a consent carries for its preview.
 *
 * @param notice - `incidents/{incident}/notices/{notice}`.
 * @param ciphertextDigests - Digests of the sections in the order shown.
 * @param template - Version of the text around them.
 * @param language - Number of the `Language` shown.
 */
export function previewDigest(
  notice: string,
  ciphertextDigests: readonly Uint8Array[],
  template: string,
  language: number,
): Promise<Uint8Array> {
  return sha256(canonical("preview", notice, ciphertextDigests, template, language));
}

/** Returns the SHA-256 of the handling terms in the language shown, in UTF-8 exactly as shown. */
export function termsDigest(text: string): Promise<Uint8Array> {
  return sha256(utf8(text));
}
