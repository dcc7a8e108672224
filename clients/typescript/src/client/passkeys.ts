/** A second way to open a key file: a passkey. `docs/key-file.md` documents every byte. */

import { base64, equal, type RandomBytes, randomBytes, utf8 } from "../crypto/bytes.js";
import { canonical } from "../crypto/canonical.js";
import type { SecretKeys } from "../crypto/keys.js";
import { decrypt, encrypt, hkdf } from "../crypto/platform.js";
import { KeyFileError } from "./errors.js";
import { bytesIn, contentOf, damaged, keysIn, objectIn, seedsOf, type Written, written } from "./keyfile.js";

export const PRF_BYTES = 32;
export const MAX_PASSKEYS = 8;
const MAX_CREDENTIAL_BYTES = 1023;
const NONCE_BYTES = 12;
const SEALED_BYTES = 80;
const VERSION = 1;
const LABEL = "meldbrug/passkey/v1";

/** A passkey that opens a file, and what its authenticator is asked for. */
export interface Passkey {
  /** The id of its credential. */
  readonly credential: Uint8Array;
  /** What to ask for: `prf.eval.first`. */
  readonly prfSalt: Uint8Array;
}

/** Returns what to ask a new passkey's authenticator for. */
export function newPrfSalt(random: RandomBytes = randomBytes): Uint8Array {
  return random(PRF_BYTES);
}

/**
 * Returns the passkeys that open a key file, to be asked for.
 *
 * @throws KeyFileError - the file is damaged.
 */
export function passkeysIn(held: Uint8Array): Passkey[] {
  return entriesOf(contentOf(held)).map(passkeyOf);
}

/**
 * Returns a key file that the passkey opens too; in place of an earlier entry for the same credential.
 *
 * @param held - The file as it is, with a passphrase.
 * @param keys - Its keys, opened.
 * @param passkey - The passkey, with a `prfSalt` from `newPrfSalt`.
 * @param prf - What its authenticator gave for that, 32 bytes.
 * @param random - Source of the nonce.
 * @throws KeyFileError - the file is damaged, another's, without passphrase, or has as many passkeys as it may.
 */
export async function withPasskey(
  held: Uint8Array,
  keys: SecretKeys,
  passkey: Passkey,
  prf: Uint8Array,
  random: RandomBytes = randomBytes,
): Promise<Uint8Array> {
  const content = contentOf(held);
  const others = entriesOf(content).filter((entry) => !isOf(passkey, entry));
  const isLong = passkey.credential.length > MAX_CREDENTIAL_BYTES || passkey.credential.length === 0;
  if (
    content["kid"] !== keys.kid ||
    content["seeds"] !== undefined ||
    others.length >= MAX_PASSKEYS ||
    isLong
  ) {
    throw damaged();
  }
  const nonce = random(NONCE_BYTES);
  const sealed = await encrypt(await keyOf(prf), nonce, seedsOf(keys), bound(keys.kid, keys.public, passkey));
  const entry = {
    credential: base64(passkey.credential),
    prfSalt: base64(passkey.prfSalt),
    nonce: base64(nonce),
    sealedSeeds: base64(sealed),
  };
  return written({ ...content, passkeys: [...others, entry] });
}

/**
 * Returns a key file that a passkey no longer opens. Whoever kept the file as it was can open that with it.
 *
 * @throws KeyFileError - the file is damaged.
 */
export function withoutPasskey(held: Uint8Array, credential: Uint8Array): Uint8Array {
  const content = contentOf(held);
  const passkeys = entriesOf(content).filter((entry) => !equal(passkeyOf(entry).credential, credential));
  return written({ ...content, passkeys });
}

/**
 * Returns the keys of a key file's bytes.
 *
 * @param held - The file.
 * @param credential - The id of the passkey's credential.
 * @param prf - What its authenticator gave, 32 bytes.
 * @throws KeyFileError - `passkey`: it does not open this file; `damaged`: the file is.
 */
export async function openedByPasskey(
  held: Uint8Array,
  credential: Uint8Array,
  prf: Uint8Array,
): Promise<SecretKeys> {
  const content = contentOf(held);
  const entry = entriesOf(content).find((each) => equal(passkeyOf(each).credential, credential));
  const keys = objectIn(content["public"]);
  if (!keys) {
    throw damaged();
  }
  const both = { signing: bytesIn(keys["signing"]), sealing: bytesIn(keys["sealing"]) };
  const kid = typeof content["kid"] === "string" ? content["kid"] : "";
  const seeds = entry && (await unsealed(entry, await keyOf(prf), bound(kid, both, passkeyOf(entry))));
  if (!seeds) {
    throw new KeyFileError("passkey", "the passkey is not one of this key file's, or the file was changed");
  }
  return keysIn(content, seeds);
}

function entriesOf(content: Written): Written[] {
  const listed = content["passkeys"] ?? [];
  if (!Array.isArray(listed) || listed.length > MAX_PASSKEYS) {
    throw damaged();
  }
  return listed.map((each: unknown) => {
    const entry = objectIn(each);
    if (!entry) {
      throw damaged();
    }
    return entry;
  });
}

function passkeyOf(entry: Written): Passkey {
  const credential = bytesIn(entry["credential"]);
  if (credential.length === 0 || credential.length > MAX_CREDENTIAL_BYTES) {
    throw damaged();
  }
  return { credential, prfSalt: bytesIn(entry["prfSalt"], PRF_BYTES) };
}

function isOf(passkey: Passkey, entry: Written): boolean {
  return equal(passkeyOf(entry).credential, passkey.credential);
}

function unsealed(entry: Written, key: Uint8Array, binds: Uint8Array): Promise<Uint8Array | undefined> {
  const nonce = bytesIn(entry["nonce"], NONCE_BYTES);
  return decrypt(key, nonce, bytesIn(entry["sealedSeeds"], SEALED_BYTES), binds);
}

async function keyOf(prf: Uint8Array): Promise<Uint8Array> {
  if (prf.length !== PRF_BYTES) {
    throw new KeyFileError("passkey", "the authenticator gave no 32 bytes");
  }
  return hkdf(prf, new Uint8Array(0), utf8(LABEL));
}

function bound(
  kid: string,
  keys: { readonly signing: Uint8Array; readonly sealing: Uint8Array },
  { credential, prfSalt }: Passkey,
): Uint8Array {
  return canonical("passkey", VERSION, kid, keys.signing, keys.sealing, credential, prfSalt);
}
