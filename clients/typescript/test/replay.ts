/**
 * Plays vectors: what an operation gives for what it is given, in the notation of the vectors.
 *
 * A plain module without files or a test runner, so that a browser plays the same: it gets the vectors as objects and
 * returns what failed. Bytes are hex, keys are names of `actors.json` or hex, statements the two fields of `Signed`.
 */

import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";

import { openedFile, sealedFile } from "../src/client/keyfile.js";
import { openedByPasskey, withPasskey } from "../src/client/passkeys.js";
import { textOf, utf8 } from "../src/crypto/bytes.js";
import {
  CryptoError,
  canonical,
  chains,
  type Field,
  fromWords,
  keysFrom,
  openSection,
  PublicKeys,
  previewDigest,
  type SealedSection,
  SecretKeys,
  type SectionContext,
  type SignedBy,
  sealSection,
  statements,
  tokens,
  toWords,
  unwrapKey,
} from "../src/crypto/index.js";
import { SignedSchema } from "../src/gen/common/v1/common_pb.js";

/** The keys that vectors name, in hex. */
export type Actors = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** One vector: it gives a result or is refused. */
export interface Vector {
  readonly name: string;
  readonly operation: string;
  readonly given: Values;
  readonly result?: unknown;
  readonly refused?: unknown;
}

// The notation differs by operation, and what is not as it should be fails the vector.
// biome-ignore lint/suspicious/noExplicitAny: a vector is what its file says
type Values = any;

/** Returns what a file of vectors holds; numbers that JavaScript would round come as `{u64: text}`. */
export function parsed(text: string): unknown {
  return JSON.parse(text.replace(/(?<=[\s:[])\d{16,}(?=[\s,\]}])/g, (digits) => `{"u64":"${digits}"}`));
}

/** Plays every vector; returns one line for each that did not do what it says. */
export async function replay(actors: Actors, vectors: readonly Vector[]): Promise<string[]> {
  const player = new Player(actors);
  const failures: string[] = [];
  for (const vector of vectors) {
    const wanted = vector.refused === undefined ? { result: vector.result } : { refused: vector.refused };
    const found = await player.play(vector);
    if (ordered(found) !== ordered(wanted)) {
      failures.push(`${vector.name}: ${vector.operation}: ${ordered(found)} instead of ${ordered(wanted)}`);
    }
  }
  return failures;
}

class Player {
  readonly #actors: Actors;
  readonly #operations: Readonly<Record<string, (given: Values) => Promise<unknown>>> = {
    canonical: async ({ label, fields }) => ({ bytes: hex(canonical(label, ...fields.map(field))) }),
    secret_keys: async (given) => {
      const keys = await SecretKeys.of(bytes(given.signing_seed), bytes(given.sealing_seed));
      return { signing: hex(keys.public.signing), sealing: hex(keys.public.sealing), kid: keys.kid };
    },
    public_keys: async (given) => ({
      kid: (await PublicKeys.of(bytes(given.signing), bytes(given.sealing))).kid,
    }),
    seal_section: async (given) => {
      const author = await this.#secret(given.author);
      const context = given.context as SectionContext;
      return sealedValues(
        await sealSection(context, bytes(given.content), bytes(given.cek), author, given.reporter_kid),
      );
    },
    open_section: async ({ context, sealed, cek, author }) => ({
      content: hex(await openSection(context, sealedOf(sealed), bytes(cek), await this.#public(author))),
    }),
    unwrap_key: async ({ wrap, reader, context, grant, purposes }) => ({
      cek: hex(await unwrapKey(bytes(wrap), await this.#secret(reader), context, grant, purposes)),
    }),
    sign_statement: async ({ kind, message, signer }) => {
      const { schema } = form(kind);
      const signed = await statements.sign(
        kind,
        fromJson(schema, message as JsonValue),
        await this.#secret(signer),
      );
      return { statement: hex(signed.statement), signature: hex(signed.signature) };
    },
    verify_statement: async (given) => {
      const kind = given.kind as statements.StatementKind;
      const message = await statements.verify(kind, signedOf(given), await this.#public(given.signer));
      return { message: toJson(form(kind).schema, message, { useProtoFieldName: true }) };
    },
    mint_token: async ({ caller, audience, body, now, embed_keys }) => {
      const keys = await this.#secret(caller);
      const hash = await tokens.bodyHash(bytes(body));
      return { token: await tokens.mint(keys, audience, hash, moment(now), embed_keys) };
    },
    check_token: async ({ token, caller, audience, body, now }) => {
      const parsed = await tokens.parse(token);
      const signing = parsed.embedded?.signing ?? (await this.#public(caller)).signing;
      await tokens.check(parsed, signing, audience, await tokens.bodyHash(bytes(body)), moment(now));
      return { kid: parsed.kid };
    },
    verify_member: async (given) => {
      const member = await this.#member(given);
      return snake({ ...member, validFrom: member.validFrom.getTime() / 1000 });
    },
    verify_appointment: async (given) =>
      snake(
        await chains.verifyAppointment(
          given.root_kid,
          await this.#carried(given.appointment),
          await this.#member(given.admin),
          await this.#member(given.member),
          { participation: given.participation, capacity: given.capacity },
        ),
      ),
    receipt: async ({ entropy }) => {
      const keys = await keysFrom(bytes(entropy));
      return {
        nl: (await toWords(bytes(entropy), "nl")).join(" "),
        en: (await toWords(bytes(entropy), "en")).join(" "),
        signing_seed: hex(keys.signingSeed),
        sealing_seed: hex(keys.sealingSeed),
        kid: keys.kid,
      };
    },
    receipt_from_words: async ({ text }) => ({ entropy: hex(await fromWords(text)) }),
    seal_key_file: async ({ keys, passphrase, salt, nonce }) => {
      const drawn = (size: number) => bytes(size === 16 ? salt : nonce);
      return { file: textOf(await sealedFile(await this.#secret(keys), passphrase, drawn)) };
    },
    open_key_file: async ({ file, passphrase }) => ({
      kid: (await openedFile(utf8(file), passphrase ?? undefined)).kid,
    }),
    add_passkey: async ({ file, keys, credential, prf_salt, prf, nonce }) => {
      const passkey = { credential: bytes(credential), prfSalt: bytes(prf_salt) };
      const drawn = () => bytes(nonce);
      const both = await withPasskey(utf8(file), await this.#secret(keys), passkey, bytes(prf), drawn);
      return { file: textOf(both) };
    },
    open_key_file_by_passkey: async ({ file, credential, prf }) => ({
      kid: (await openedByPasskey(utf8(file), bytes(credential), bytes(prf))).kid,
    }),
    preview_digest: async ({ notice, ciphertext_digests, template, language }) => ({
      digest: hex(await previewDigest(notice, ciphertext_digests.map(bytes), template, language)),
    }),
  };

  constructor(actors: Actors) {
    this.#actors = actors;
  }

  async play(vector: Vector): Promise<unknown> {
    const operation = this.#operations[vector.operation];
    if (!operation) {
      return { unknown: vector.operation };
    }
    try {
      return { result: await operation(vector.given) };
    } catch (error) {
      return error instanceof CryptoError
        ? { refused: { reason: error.reason, detail: error.detail } }
        : { failed: String(error) };
    }
  }

  #secret(name: string): Promise<SecretKeys> {
    const keys = this.#actors[name];
    return SecretKeys.of(bytes(keys?.["signing_seed"] ?? ""), bytes(keys?.["sealing_seed"] ?? ""));
  }

  #public(name: string): Promise<PublicKeys> {
    const keys = this.#actors[name];
    return PublicKeys.of(bytes(keys?.["signing"] ?? ""), bytes(keys?.["sealing"] ?? ""));
  }

  async #carried(link: Values): Promise<SignedBy> {
    return { signed: signedOf(link), signer: await this.#public(link.signer) };
  }

  async #member(given: Values): Promise<chains.VerifiedMember> {
    const links = (list: Values[]) => Promise.all(list.map((link) => this.#carried(link)));
    return chains.verifyMember(
      given.root_kid,
      await links(given.endorsements),
      await links(given.rotations),
      await this.#public(given.subject),
    );
  }
}

function form(kind: string) {
  const found = statements.FORMS[kind as statements.StatementKind];
  if (!found) {
    throw new TypeError(`no statement is a ${kind}`);
  }
  return found;
}

function field(value: Values): Field {
  if (Array.isArray(value)) {
    return value.map(field);
  }
  if (typeof value !== "object") {
    return value;
  }
  return value.u64 === undefined ? bytes(value.hex) : BigInt(value.u64);
}

function signedOf(given: Values) {
  return create(SignedSchema, { statement: bytes(given.statement), signature: bytes(given.signature) });
}

function sealedOf(given: Values): SealedSection {
  return {
    ciphertext: bytes(given.ciphertext),
    digest: bytes(given.digest),
    commitment: bytes(given.commitment),
    authorKid: given.author_kid,
    authorSignature: bytes(given.author_signature),
    reporterKid: given.reporter_kid,
  };
}

function sealedValues(sealed: SealedSection): unknown {
  return {
    ciphertext: hex(sealed.ciphertext),
    digest: hex(sealed.digest),
    commitment: hex(sealed.commitment),
    author_kid: sealed.authorKid,
    author_signature: hex(sealed.authorSignature),
    reporter_kid: sealed.reporterKid,
  };
}

function snake(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      held,
    ]),
  );
}

function moment(seconds: number): Date {
  return new Date(seconds * 1000);
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Returns a value as text that does not depend on the order in which its fields were written. */
function ordered(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) =>
    typeof held === "object" && held !== null && !Array.isArray(held)
      ? Object.fromEntries(Object.entries(held).sort(([one], [other]) => (one < other ? -1 : 1)))
      : held,
  );
}
