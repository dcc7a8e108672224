/** A member's keys in a file, encrypted under a passphrase. `docs/key-file.md` documents every byte. */

import {
  base64,
  fromBase64,
  isUnicode,
  type RandomBytes,
  randomBytes,
  textOf,
  utf8,
} from "../crypto/bytes.js";
import { canonical } from "../crypto/canonical.js";
import { KeyMalformed } from "../crypto/errors.js";
import { SEED_BYTES, SecretKeys } from "../crypto/keys.js";
import { decrypt, encrypt } from "../crypto/platform.js";
import { KeyFileError } from "./errors.js";

export const MAX_BYTES = 16 * 1024;
const FORMAT = "meldbrug-key";
const VERSION = 1;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const SEALED_BYTES = 80;

/** What one try at the passphrase costs. */
interface Cost {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly lanes: number;
}

// RFC 9106, section 4, second recommendation: for where memory is not plenty, as in a browser.
const COST: Cost = { memoryKib: 65_536, iterations: 3, lanes: 4 };
// What a file may ask of the device that opens it; a file from elsewhere must not exhaust it.
const BOUNDS: Readonly<Record<keyof Cost, readonly [least: number, most: number]>> = {
  memoryKib: [19_456, 1_048_576],
  iterations: [2, 16],
  lanes: [1, 16],
};

/** A part of a key file, of which nothing is believed before it was looked at. */
export type Written = Readonly<Record<string, unknown>>;

/**
 * Returns the bytes of a key file.
 *
 * @param keys - The keys.
 * @param passphrase - What opens it; undefined only where somebody asked for a file that anyone who has it can use.
 * @param random - Source of salt and nonce.
 */
export async function sealedFile(
  keys: SecretKeys,
  passphrase: string | undefined,
  random: RandomBytes = randomBytes,
): Promise<Uint8Array> {
  const { signing, sealing } = keys.public;
  const content = {
    format: FORMAT,
    version: VERSION,
    kid: keys.kid,
    public: { signing: base64(signing), sealing: base64(sealing) },
  };
  const seeds = seedsOf(keys);
  if (passphrase === undefined) {
    return written({ ...content, seeds: base64(seeds) });
  }
  const [salt, nonce] = [random(SALT_BYTES), random(NONCE_BYTES)];
  const bound = boundTo(keys.kid, signing, sealing, COST, salt);
  const sealed = await encrypt(await keyOf(passphrase, salt, COST), nonce, seeds, bound);
  return written({
    ...content,
    kdf: { name: "argon2id", ...COST, salt: base64(salt) },
    cipher: { name: "aes-256-gcm", nonce: base64(nonce), sealedSeeds: base64(sealed) },
  });
}

/**
 * Returns the keys of a key file's bytes.
 *
 * @throws KeyFileError - a passphrase is needed, it is wrong, or the file is damaged.
 */
export async function openedFile(held: Uint8Array, passphrase?: string): Promise<SecretKeys> {
  const content = contentOf(held);
  const seeds =
    content["seeds"] === undefined ? await unsealed(content, passphrase) : bytesIn(content["seeds"]);
  return keysIn(content, seeds);
}

/**
 * Returns the fingerprint that a key file names, without opening it.
 *
 * @throws KeyFileError - the file is damaged.
 */
export function kidIn(held: Uint8Array): string {
  const { kid } = contentOf(held);
  return typeof kid === "string" ? kid : "";
}

/** Returns what is inside every key file: signing seed ‖ sealing seed. */
export function seedsOf(keys: SecretKeys): Uint8Array {
  const seeds = new Uint8Array(2 * SEED_BYTES);
  seeds.set(keys.signingSeed);
  seeds.set(keys.sealingSeed, SEED_BYTES);
  return seeds;
}

/**
 * Returns the keys of opened seeds, which must be those that the file names.
 *
 * @throws KeyFileError - they are others.
 */
export async function keysIn(content: Written, seeds: Uint8Array): Promise<SecretKeys> {
  const keys = await keysOf(seeds);
  if (content["kid"] !== keys.kid) {
    throw damaged();
  }
  return keys;
}

/**
 * Returns what a key file holds.
 *
 * @throws KeyFileError - it is no key file, or one of a later version.
 */
export function contentOf(held: Uint8Array): Written {
  const content = held.length <= MAX_BYTES ? objectIn(jsonIn(held)) : undefined;
  if (!content || content["format"] !== FORMAT) {
    throw new KeyFileError("damaged", "this is no key file");
  }
  if (content["version"] !== VERSION) {
    throw new KeyFileError("damaged", "the key file is of a version that this program does not know");
  }
  return content;
}

/** Returns a part of a key file that is an object. */
export function objectIn(value: unknown): Written | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Written)
    : undefined;
}

/**
 * Returns the bytes of a base64 text, of a length when one is named.
 *
 * @throws KeyFileError - it is something else.
 */
export function bytesIn(value: unknown, length?: number): Uint8Array {
  const found = typeof value === "string" ? fromBase64(value) : undefined;
  if (!found || (length !== undefined && found.length !== length)) {
    throw damaged();
  }
  return found;
}

/** Returns an object as the bytes of a key file. */
export function written(content: Written): Uint8Array {
  return utf8(`${JSON.stringify(content, null, 1)}\n`);
}

/** Returns that a file is not as it was written. */
export function damaged(): KeyFileError {
  return new KeyFileError("damaged", "the key file is damaged");
}

async function unsealed(content: Written, passphrase: string | undefined): Promise<Uint8Array> {
  const [kdf, cipher] = [objectIn(content["kdf"]), objectIn(content["cipher"])];
  const cost = kdf && costIn(kdf);
  const keys = objectIn(content["public"]);
  if (!cost || !keys || kdf["name"] !== "argon2id" || cipher?.["name"] !== "aes-256-gcm") {
    throw damaged();
  }
  if (passphrase === undefined) {
    throw new KeyFileError("passphrase-needed", "the key file needs its passphrase");
  }
  const salt = bytesIn(kdf["salt"], SALT_BYTES);
  const nonce = bytesIn(cipher["nonce"], NONCE_BYTES);
  const sealed = bytesIn(cipher["sealedSeeds"], SEALED_BYTES);
  const kid = typeof content["kid"] === "string" ? content["kid"] : "";
  const bound = boundTo(kid, bytesIn(keys["signing"]), bytesIn(keys["sealing"]), cost, salt);
  const seeds = await decrypt(await keyOf(passphrase, salt, cost), nonce, sealed, bound);
  if (!seeds) {
    throw new KeyFileError("passphrase", "the passphrase is not right, or the key file was changed");
  }
  return seeds;
}

function costIn(kdf: Written): Cost | undefined {
  const { memoryKib, iterations, lanes } = kdf;
  const isSane = Object.entries(BOUNDS).every(([name, [least, most]]) => {
    const asked = kdf[name];
    return Number.isSafeInteger(asked) && (asked as number) >= least && (asked as number) <= most;
  });
  return isSane ? ({ memoryKib, iterations, lanes } as Cost) : undefined;
}

/** Argon2id, loaded when a passphrase is used; in slices, so that a page stays alive. */
async function keyOf(passphrase: string, salt: Uint8Array, cost: Cost): Promise<Uint8Array> {
  if (!isUnicode(passphrase)) {
    throw new KeyFileError("passphrase", "the passphrase is no text");
  }
  const { argon2idAsync } = await import("@noble/hashes/argon2.js");
  // Composed and decomposed accents are typed alike.
  const secret = utf8(passphrase.normalize("NFKC"));
  return argon2idAsync(secret, salt, {
    m: cost.memoryKib,
    t: cost.iterations,
    p: cost.lanes,
    dkLen: 32,
    version: 0x13,
  });
}

function boundTo(kid: string, signing: Uint8Array, sealing: Uint8Array, cost: Cost, salt: Uint8Array) {
  const { memoryKib, iterations, lanes } = cost;
  const fields = [VERSION, kid, signing, sealing, "argon2id", memoryKib, iterations, lanes, salt];
  return canonical("key-file", ...fields);
}

async function keysOf(seeds: Uint8Array): Promise<SecretKeys> {
  try {
    return await SecretKeys.of(seeds.subarray(0, SEED_BYTES), seeds.subarray(SEED_BYTES));
  } catch (error) {
    throw error instanceof KeyMalformed ? damaged() : error;
  }
}

function jsonIn(held: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(held) ?? "");
  } catch {
    return undefined;
  }
}
