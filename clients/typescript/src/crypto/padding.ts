/** What hides how long a content is, and refuses a padding that is not exactly as made. */

import { copied, isUnicode, utf8 } from "./bytes.js";
import { SectionBroken, SectionInvalid } from "./errors.js";

const LENGTH_BYTES = 4;
export const FLOOR_BYTES = 1024;
export const CEILING_BYTES = 65_536;
export const MAX_CONTENT_BYTES = CEILING_BYTES - LENGTH_BYTES;

/**
 * Returns the Padmé bucket that hides how long a content is: at most 12 % more, 1 KiB at least.
 *
 * Source: Nikitin et al. 2019, "Reducing Metadata Leakage from Encrypted Files and Communication".
 */
export function paddedLength(contentBytes: number): number {
  const length = Math.max(FLOOR_BYTES, contentBytes + LENGTH_BYTES);
  const exponent = bitLength(length) - 1;
  const bucket = 2 ** (exponent - bitLength(exponent));
  return Math.ceil(length / bucket) * bucket;
}

function bitLength(number: number): number {
  return number.toString(2).length;
}

/**
 * Returns a content as bytes.
 *
 * @throws SectionInvalid - it is no Unicode text.
 */
export function contentOf(plaintext: Uint8Array | string): Uint8Array {
  if (typeof plaintext !== "string") {
    return plaintext;
  }
  if (!isUnicode(plaintext)) {
    throw new SectionInvalid("not-unicode");
  }
  return utf8(plaintext);
}

/**
 * Returns a content as it is encrypted: its length, itself, zeros.
 *
 * @throws SectionInvalid - it is too large.
 */
export function padded(content: Uint8Array): Uint8Array {
  if (content.length > MAX_CONTENT_BYTES) {
    throw new SectionInvalid("too-large");
  }
  const filled = new Uint8Array(paddedLength(content.length));
  new DataView(filled.buffer).setUint32(0, content.length);
  filled.set(content, LENGTH_BYTES);
  return filled;
}

/**
 * Returns the content.
 *
 * @throws SectionBroken - the padding is not as made.
 */
export function unpadded(filled: Uint8Array): Uint8Array {
  const length = new DataView(filled.buffer, filled.byteOffset).getUint32(0);
  const rest = filled.subarray(LENGTH_BYTES + length);
  if (filled.length !== paddedLength(length) || rest.some((byte) => byte !== 0)) {
    throw new SectionBroken("padding");
  }
  return copied(filled, LENGTH_BYTES, LENGTH_BYTES + length);
}
