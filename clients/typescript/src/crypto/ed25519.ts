/**
 * Ed25519 as the platform has it. Where it does not (Chromium before 137, Safari before 17, Firefox before 129), the
 * same in JavaScript is loaded at first use: whoever has an old telephone can report too.
 */

import { concat, fromBase64url } from "./bytes.js";
import { source } from "./platform.js";

const NAME = "Ed25519";
/** What stands in front of a seed in PKCS #8 (RFC 8410, section 7); platforms import no bare seed. */
const PKCS8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);

/** A secret key, ready to sign. */
export interface Signer {
  /** The public key, 32 bytes. */
  readonly signing: Uint8Array;
  /** Returns the signature over `message`, 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** One way to sign and verify. */
export interface Ed25519 {
  /** Returns the signer whose secret key is `seed`. */
  signer(seed: Uint8Array): Promise<Signer>;
  /** Tells whether `signature` verifies; the caller has looked at the form of `signing`. */
  verify(signing: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean>;
}

/** The platform's own. */
export const PLATFORM: Ed25519 = {
  async signer(seed) {
    const { subtle } = globalThis.crypto;
    const encoded = source(concat(PKCS8, seed));
    const exported = await subtle.exportKey(
      "jwk",
      await subtle.importKey("pkcs8", encoded, NAME, true, ["sign"]),
    );
    const key = await subtle.importKey("pkcs8", encoded, NAME, false, ["sign"]);
    const signing = fromBase64url(exported.x ?? "");
    if (!signing) {
      throw new TypeError("the platform gives no public key");
    }
    return {
      signing,
      sign: async (message) => new Uint8Array(await subtle.sign(NAME, key, source(message))),
    };
  },
  async verify(signing, signature, message) {
    const { subtle } = globalThis.crypto;
    try {
      const key = await subtle.importKey("raw", source(signing), NAME, false, ["verify"]);
      return await subtle.verify(NAME, key, source(signature), source(message));
    } catch {
      return false;
    }
  },
};

let chosen: Promise<Ed25519> | undefined;

/** Returns the platform's Ed25519, or else the one in JavaScript. */
export function ed25519(): Promise<Ed25519> {
  chosen ??= choose().catch((error: unknown) => {
    chosen = undefined;
    throw error;
  });
  return chosen;
}

async function choose(): Promise<Ed25519> {
  try {
    await PLATFORM.signer(new Uint8Array(32));
    return PLATFORM;
  } catch {
    return (await import("./ed25519-noble.js")).NOBLE;
  }
}
