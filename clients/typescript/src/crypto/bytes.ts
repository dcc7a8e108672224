/** Bytes and their texts: joined, compared, in UTF-8, base32 and base64. */

const ENCODER = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const BASE64URL = /^[A-Za-z0-9_-]*$/;
/** Characters made at a time: more arguments than this overflow the stack of some engines. */
const CHUNK = 8192;

/** Returns so many bytes that nobody can guess. */
export type RandomBytes = (size: number) => Uint8Array;

/** Returns `size` bytes from the platform's generator, at most 65,536. */
export function randomBytes(size: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(size));
}

/** Returns the parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Returns the bytes from `start` to `end` in memory of their own; `slice` of Node's Buffer shares it. */
export function copied(data: Uint8Array, start = 0, end: number = data.length): Uint8Array {
  return new Uint8Array(data.subarray(start, end));
}

/** Tells whether both hold the same bytes; how long it takes tells nothing of where they differ. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at++) {
    difference |= (one[at] ?? 0) ^ (other[at] ?? 0);
  }
  return difference === 0;
}

/** Tells whether `text` can be written in UTF-8: half a surrogate pair would silently become something else. */
export function isUnicode(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/**
 * Returns `text` in UTF-8.
 *
 * @throws RangeError - it holds half a surrogate pair.
 */
export function utf8(text: string): Uint8Array {
  if (!isUnicode(text)) {
    throw new RangeError("no Unicode text");
  }
  return ENCODER.encode(text);
}

/**
 * Returns the text that `data` holds, or undefined when it is not UTF-8. A byte order mark is text like any other.
 */
export function textOf(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

/** Returns `data` in lower-case base32 without padding. */
export function base32(data: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of data) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32[(held << (5 - bits)) & 31];
}

/** Returns `data` in base64 with padding. */
export function base64(data: Uint8Array): string {
  let characters = "";
  for (let at = 0; at < data.length; at += CHUNK) {
    characters += String.fromCharCode(...data.subarray(at, at + CHUNK));
  }
  return btoa(characters);
}

/** Returns the bytes of canonical base64 with padding; undefined for any other text. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !BASE64.test(text)) {
    return undefined;
  }
  const data = decoded(text);
  return data && base64(data) === text ? data : undefined;
}

/** Returns `data` in base64url without padding. */
export function base64url(data: Uint8Array): string {
  return base64(data).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Returns the bytes of canonical base64url without padding; undefined for any other text. */
export function fromBase64url(text: string): Uint8Array | undefined {
  if (!BASE64URL.test(text)) {
    return undefined;
  }
  const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat(-text.length & 3);
  return fromBase64(padded);
}

function decoded(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
