/** The primitives that every browser and Node bring along: SHA-256, HKDF, AES-256-GCM. */

import { concat } from "./bytes.js";

const TAG_BITS = 128;

/** Returns the SHA-256 of the parts, one after the other. */
export async function sha256(...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", source(concat(...parts))));
}

/** Returns 32 bytes of HKDF-SHA256. */
export async function hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto;
  const key = await subtle.importKey("raw", source(secret), "HKDF", false, ["deriveBits"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: source(salt), info: source(info) };
  return new Uint8Array(await subtle.deriveBits(parameters, key, 256));
}

/** Returns `plaintext` under AES-256-GCM, with the tag of 16 bytes behind it. */
export async function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  bound: Uint8Array,
): Promise<Uint8Array> {
  const sealed = await globalThis.crypto.subtle.encrypt(gcm(nonce, bound), await aes(key), source(plaintext));
  return new Uint8Array(sealed);
}

/** Returns what `ciphertext` holds; undefined when key, nonce, tag or what is bound to it are others. */
export async function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  bound: Uint8Array,
): Promise<Uint8Array | undefined> {
  const opener = await aes(key);
  try {
    return new Uint8Array(
      await globalThis.crypto.subtle.decrypt(gcm(nonce, bound), opener, source(ciphertext)),
    );
  } catch {
    return undefined;
  }
}

/** Returns bytes as the platform takes them: a view of memory that nobody shares. */
export function source(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return data.buffer instanceof ArrayBuffer ? (data as Uint8Array<ArrayBuffer>) : new Uint8Array(data);
}

function gcm(nonce: Uint8Array, bound: Uint8Array): AesGcmParams {
  return { name: "AES-GCM", iv: source(nonce), additionalData: source(bound), tagLength: TAG_BITS };
}

function aes(key: Uint8Array): Promise<CryptoKey> {
  return globalThis.crypto.subtle.importKey("raw", source(key), "AES-GCM", false, ["encrypt", "decrypt"]);
}
