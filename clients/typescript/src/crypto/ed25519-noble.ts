/** Ed25519 in JavaScript, for platforms that have none; loaded on demand only. */

import { ed25519 } from "@noble/curves/ed25519.js";

import type { Ed25519 } from "./ed25519.js";

/** Verifies as RFC 8032 says, not as ZIP 215 allows: every client takes the same signatures. */
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
      return ed25519.verify(signature, message, signing, { zip215: false });
    } catch {
      return false;
    }
  },
};
