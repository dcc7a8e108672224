/**
 * Seals sections to named readers: content under its own key, that key under each reader's.
 *
 * A section opens only in its own incident, section, version and kind, with its author's signature, and for the
 * reader, grant and purposes that its wrap names. Nothing here falls back to anything weaker.
 */

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

import { concat, copied, equal, type RandomBytes, randomBytes, utf8 } from "./bytes.js";
import { canonical, type Field } from "./canonical.js";
import {
  AuthorSignature,
  CommitmentMismatch,
  DigestMismatch,
  SectionBroken,
  SectionInvalid,
  WrapBroken,
} from "./errors.js";
import type { PublicKeys, SecretKeys } from "./keys.js";
import { CEILING_BYTES, contentOf, FLOOR_BYTES, padded, unpadded } from "./padding.js";
import { decrypt, encrypt, sha256, source } from "./platform.js";

export const CEK_BYTES = 32;
/** Encapsulation (1,088 of ML-KEM and 32 of X25519) and the sealed key (32 and a tag of 16). */
export const WRAP_BYTES = 1168;
const ENCAPSULATION_BYTES = 1120;
const TAG_BYTES = 16;

export const MIN_CIPHERTEXT_BYTES = FLOOR_BYTES + TAG_BYTES;
export const MAX_CIPHERTEXT_BYTES = CEILING_BYTES + TAG_BYTES;

// A content key encrypts exactly one content, so the nonce need not differ and cannot be got wrong.
const NONCE = new Uint8Array(12);

const SUITE = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** The one place a section belongs to. */
export interface SectionContext {
  /** The installation id, 52 characters. */
  readonly installation: string;
  /** `incidents/{incident}`. */
  readonly incident: string;
  /** `incidents/{incident}/sections/{section}`. */
  readonly section: string;
  /** Counted from 1. */
  readonly version: number;
  /** Number of the `Kind`. */
  readonly kind: number;
}

/** A section as it is stored and sent: nothing in it can be read without the content key. */
export interface SealedSection {
  readonly ciphertext: Uint8Array;
  readonly digest: Uint8Array;
  readonly commitment: Uint8Array;
  readonly authorKid: string;
  readonly authorSignature: Uint8Array;
  readonly reporterKid: string;
}

/** Returns a new content key, to be used for one section of one version. */
export function newCek(random: RandomBytes = randomBytes): Uint8Array {
  return random(CEK_BYTES);
}

/** Returns the SHA-256 by which statements name a ciphertext or a wrap. */
export function digestOf(data: Uint8Array): Promise<Uint8Array> {
  return sha256(data);
}

/** Returns the hash that ties a section to one content key, so that no ciphertext has two readings. */
export function commitmentOf(cek: Uint8Array): Promise<Uint8Array> {
  return sha256(utf8("meldbrug/cek/v1"), cek);
}

/**
 * Encrypts and signs `plaintext` for the place `context`.
 *
 * @param context - Where the section belongs.
 * @param plaintext - Text, or bytes as they are; at most `MAX_CONTENT_BYTES` in UTF-8.
 * @param cek - A content key from `newCek`, never used before: two contents under one key break both.
 * @param author - The keys of whoever wrote it.
 * @param reporterKid - The key of the incident's reporter, also when somebody else writes.
 * @throws SectionInvalid - the content is too large or no Unicode text, or `cek` is not 32 bytes.
 */
export async function sealSection(
  context: SectionContext,
  plaintext: Uint8Array | string,
  cek: Uint8Array,
  author: SecretKeys,
  reporterKid: string,
): Promise<SealedSection> {
  requireCek(cek);
  const ciphertext = await encrypt(cek, NONCE, padded(contentOf(plaintext)), bound(context));
  const [digest, commitment] = await Promise.all([digestOf(ciphertext), commitmentOf(cek)]);
  const authorSignature = await author.sign(
    signedByAuthor(context, author.kid, reporterKid, digest, commitment),
  );
  return { ciphertext, digest, commitment, authorKid: author.kid, authorSignature, reporterKid };
}

/**
 * Returns when `sealed` is whole and `author` signed it for `context` and its reporter; needs no content key.
 *
 * @throws DigestMismatch - the ciphertext is not the one that was signed.
 * @throws AuthorSignature - another author, place, reporter or commitment was signed.
 * @throws SectionInvalid - there is no such place.
 */
export async function verifySealed(
  context: SectionContext,
  sealed: SealedSection,
  author: PublicKeys,
): Promise<void> {
  if (!equal(await digestOf(sealed.ciphertext), sealed.digest)) {
    throw new DigestMismatch("ciphertext");
  }
  if (author.kid !== sealed.authorKid) {
    throw new AuthorSignature("other-author");
  }
  const { authorKid, reporterKid, digest, commitment } = sealed;
  const message = signedByAuthor(context, authorKid, reporterKid, digest, commitment);
  if (!(await author.verify(sealed.authorSignature, message))) {
    throw new AuthorSignature("signature");
  }
}

/**
 * Returns the content as it was sealed, after every check there is on a section alone.
 *
 * @throws DigestMismatch - the ciphertext is not the one that was signed.
 * @throws AuthorSignature - another author, place, reporter or commitment was signed.
 * @throws CommitmentMismatch - `cek` is not the key the author committed to.
 * @throws SectionBroken - the ciphertext does not open in this place, or its padding is not as made.
 */
export async function openSection(
  context: SectionContext,
  sealed: SealedSection,
  cek: Uint8Array,
  author: PublicKeys,
): Promise<Uint8Array> {
  await verifySealed(context, sealed, author);
  if (!equal(await commitmentOf(cek), sealed.commitment)) {
    throw new CommitmentMismatch("cek");
  }
  return decryptContent(context, sealed.ciphertext, cek);
}

/**
 * Returns what `ciphertext` holds in the place `context`; `openSection` is this with the author's proof.
 *
 * @throws SectionBroken - wrong key, place or length, a changed byte, or padding not as made.
 */
export async function decryptContent(
  context: SectionContext,
  ciphertext: Uint8Array,
  cek: Uint8Array,
): Promise<Uint8Array> {
  const size = ciphertext.length;
  if (cek.length !== CEK_BYTES || size < MIN_CIPHERTEXT_BYTES || size > MAX_CIPHERTEXT_BYTES) {
    throw new SectionBroken("length");
  }
  const opened = await decrypt(cek, NONCE, ciphertext, bound(context));
  if (!opened) {
    throw new SectionBroken("tag");
  }
  return unpadded(opened);
}

/**
 * Returns the content key sealed to `reader`, for this section under this grant alone.
 *
 * @param cek - The section's content key.
 * @param reader - Whose secret key will open it.
 * @param context - The section it opens.
 * @param grant - `consents/{consent}`, or `incidents/{incident}` for the reporter and the intake's handlers.
 * @param purposes - Numbers of the `Purpose`s consented to, in any order; empty for the intake.
 * @throws SectionInvalid - `cek` is not 32 bytes.
 */
export async function wrapKey(
  cek: Uint8Array,
  reader: PublicKeys,
  context: SectionContext,
  grant: string,
  purposes: readonly number[],
): Promise<Uint8Array> {
  requireCek(cek);
  const recipientPublicKey = await SUITE.kem.deserializePublicKey(source(reader.sealing));
  const info = source(wrapInfo(context, grant, purposes, reader.kid));
  const sealed = await SUITE.seal({ recipientPublicKey, info }, source(cek));
  return concat(new Uint8Array(sealed.enc), new Uint8Array(sealed.ct));
}

/**
 * Returns the content key that `wrap` holds for `reader`.
 *
 * @throws WrapBroken - the wrap is for another reader, section, grant or purposes, or was changed.
 */
export async function unwrapKey(
  wrap: Uint8Array,
  reader: SecretKeys,
  context: SectionContext,
  grant: string,
  purposes: readonly number[],
): Promise<Uint8Array> {
  if (wrap.length !== WRAP_BYTES) {
    throw new WrapBroken("length");
  }
  const recipientKey = await SUITE.kem.deserializePrivateKey(source(reader.sealingSeed));
  try {
    const info = source(wrapInfo(context, grant, purposes, reader.kid));
    const enc = source(copied(wrap, 0, ENCAPSULATION_BYTES));
    return new Uint8Array(
      await SUITE.open({ recipientKey, enc, info }, source(copied(wrap, ENCAPSULATION_BYTES))),
    );
  } catch {
    throw new WrapBroken("does-not-open");
  }
}

function requireCek(cek: Uint8Array): void {
  if (cek.length !== CEK_BYTES) {
    throw new SectionInvalid("cek-length");
  }
}

function bound(context: SectionContext): Uint8Array {
  return written("section", ...place(context));
}

function signedByAuthor(
  context: SectionContext,
  authorKid: string,
  reporterKid: string,
  digest: Uint8Array,
  commitment: Uint8Array,
): Uint8Array {
  return written("author", ...place(context), authorKid, reporterKid, digest, commitment);
}

function wrapInfo(
  context: SectionContext,
  grant: string,
  purposes: readonly number[],
  readerKid: string,
): Uint8Array {
  const { installation, incident, section, version } = context;
  const ascending = [...new Set(purposes)].sort((one, other) => one - other);
  return written("wrap", installation, incident, section, version, grant, ascending, readerKid);
}

/** Returns the canonical bytes; throws SectionInvalid where there are none, as for a negative kind. */
function written(label: string, ...fields: readonly Field[]): Uint8Array {
  try {
    return canonical(label, ...fields);
  } catch (error) {
    throw error instanceof RangeError ? new SectionInvalid("context") : error;
  }
}

function place(context: SectionContext): Field[] {
  return [context.installation, context.incident, context.section, context.version, context.kind];
}
