/** Ed25519 in JavaScript, for platforms that have none; loaded on demand only. */

import { ed25519 } from "@noble/curves/ed25519.js";
import { bytesToNumberLE } from "@noble/curves/utils.js";
import { sha512 } from "@noble/hashes/sha2.js";

import { concat, equal } from "./bytes.js";
import type { Ed25519 } from "./ed25519.js";

const { Point } = ed25519;
const POINT_BYTES = 32;

/** Verifies as every platform does, not as ZIP 215 allows: every client takes the same signatures. */
export const NOBLE: Ed25519 = {
  async signer(seed) {
    const secret = Uint8Array.from(seed);
    return {
      signing: ed25519.getPublicKey(secret),
      sign: async (message) => ed25519.sign(message, secret),
    };
  },
  async verify(signing, signature, message) {
    try {
      return (
        ed25519.verify(signature, message, signing, { zip215: false }) && isExact(signing, signature, message)
      );
    } catch {
      return false;
    }
  },
};

/**
 * Tells whether R = sB - kA to the letter, as platforms and Python ask.
 *
 * The library also takes what differs by a point of small order (RFC 8032 leaves the choice): whoever makes such a
 * signature on purpose is believed on some devices and refused on others.
 */
function isExact(signing: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  const r = signature.subarray(0, POINT_BYTES);
  const s = bytesToNumberLE(signature.subarray(POINT_BYTES));
  const k = Point.Fn.create(bytesToNumberLE(sha512(concat(r, signing, message))));
  const found = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(signing).multiplyUnsafe(k));
  return equal(found.toBytes(), r);
}
