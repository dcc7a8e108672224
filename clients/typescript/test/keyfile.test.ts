/** Key files: what opens them, what does not, and what never breaks the program. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { argon2id } from "@noble/hashes/argon2.js";

import { KeyFileError } from "../src/client/errors.js";
import { kidIn, openedFile, sealedFile } from "../src/client/keyfile.js";
import { base64, concat, equal, textOf, utf8 } from "../src/crypto/bytes.js";
import { canonical } from "../src/crypto/canonical.js";
import { encrypt } from "../src/crypto/platform.js";
import { KEYS } from "./scripted.js";

const PASSPHRASE = "een wachtzin met spaties";
const SEALED = await cheapFile(PASSPHRASE);
const KEPT = new URL("../../../../tests/vectors/fuzz/key_file/", import.meta.url);

/** A file by the rules of docs/key-file.md and not by our code, at the least cost that a reader takes. */
async function cheapFile(passphrase: string): Promise<Uint8Array> {
  const [salt, nonce] = [new Uint8Array(16).fill(1), new Uint8Array(12).fill(2)];
  const { signing, sealing } = KEYS.public;
  const key = argon2id(utf8(passphrase), salt, { m: 19_456, t: 2, p: 1, dkLen: 32 });
  const bound = canonical("key-file", 1, KEYS.kid, signing, sealing, "argon2id", 19_456, 2, 1, salt);
  const sealedSeeds = await encrypt(key, nonce, concat(KEYS.signingSeed, KEYS.sealingSeed), bound);
  const content = {
    format: "meldbrug-key",
    version: 1,
    kid: KEYS.kid,
    public: { signing: base64(signing), sealing: base64(sealing) },
    kdf: { name: "argon2id", memoryKib: 19_456, iterations: 2, lanes: 1, salt: base64(salt) },
    cipher: { name: "aes-256-gcm", nonce: base64(nonce), sealedSeeds: base64(sealedSeeds) },
  };
  return utf8(JSON.stringify(content));
}

// biome-ignore lint/suspicious/noExplicitAny: a file that a test changes anywhere
type Changed = any;

function changed(change: (content: Changed) => void): Uint8Array {
  const content: Changed = JSON.parse(textOf(SEALED) ?? "");
  change(content);
  return utf8(JSON.stringify(content));
}

function isOfKeys(keys: { kid: string; signingSeed: Uint8Array; sealingSeed: Uint8Array }): boolean {
  return (
    keys.kid === KEYS.kid &&
    equal(keys.signingSeed, KEYS.signingSeed) &&
    equal(keys.sealingSeed, KEYS.sealingSeed)
  );
}

test("the passphrase opens what it closed", async () => {
  assert.ok(isOfKeys(await openedFile(SEALED, PASSPHRASE)));
  assert.equal(kidIn(SEALED), KEYS.kid);
});

test("accents are the same however they are typed, and each file has its own salt and nonce", async () => {
  const [one, other] = [await sealedFile(KEYS, "café"), await sealedFile(KEYS, "cafe\u0301")];
  const [first, second] = [one, other].map((held) => JSON.parse(textOf(held) ?? ""));

  assert.ok(isOfKeys(await openedFile(one, "cafe\u0301")));
  assert.notEqual(first.kdf.salt, second.kdf.salt);
  assert.notEqual(first.cipher.nonce, second.cipher.nonce);
});

test("no seed is in an encrypted file", () => {
  const content = JSON.parse(textOf(SEALED) ?? "");

  assert.deepEqual(Object.keys(content).sort(), ["cipher", "format", "kdf", "kid", "public", "version"]);
  assert.ok(!textOf(SEALED)?.includes(base64(KEYS.signingSeed).slice(0, 40)));
});

async function reason(held: Uint8Array, passphrase?: string): Promise<string> {
  const error = await openedFile(held, passphrase).then(
    () => assert.fail("it opened"),
    (raised: unknown) => raised,
  );
  assert.ok(error instanceof KeyFileError, String(error));
  return error.reason;
}

test("a wrong passphrase is told apart from a missing one", async () => {
  assert.equal(await reason(SEALED, "een andere"), "passphrase");
  assert.equal(await reason(SEALED, "\ud800"), "passphrase");
  assert.equal(await reason(SEALED), "passphrase-needed");
});

for (const [name, held, why] of [
  ["another kid", changed((file) => (file.kid = "a".repeat(52))), "passphrase"],
  ["another public key", changed((file) => (file.public.signing = "AAAA")), "passphrase"],
  ["another cost", changed((file) => (file.kdf.iterations = 3)), "passphrase"],
  ["more memory", changed((file) => (file.kdf.memoryKib = 19_457)), "passphrase"],
  ["a short salt", changed((file) => (file.kdf.salt = "AAAA")), "damaged"],
  ["another function", changed((file) => (file.kdf.name = "pbkdf2")), "damaged"],
  ["another cipher", changed((file) => (file.cipher.name = "aes-128-gcm")), "damaged"],
  ["no memory", changed((file) => (file.kdf.memoryKib = 1)), "damaged"],
  ["memory without end", changed((file) => (file.kdf.memoryKib = 2 ** 40)), "damaged"],
  ["half a KiB", changed((file) => (file.kdf.memoryKib = 19_456.5)), "damaged"],
  ["iterations without end", changed((file) => (file.kdf.iterations = 10_000)), "damaged"],
  ["a cost that is a text", changed((file) => (file.kdf.lanes = "1")), "damaged"],
  ["no function", changed((file) => (file.kdf = null)), "damaged"],
  ["no keys", changed((file) => (file.public = [])), "damaged"],
  ["short seeds", changed((file) => (file.cipher.sealedSeeds = "AAAA")), "damaged"],
  ["a nonce that is none", changed((file) => (file.cipher.nonce = "not base64!")), "damaged"],
  ["a longer nonce", changed((file) => (file.cipher.nonce = base64(new Uint8Array(16)))), "damaged"],
  ["a salt with stray bits", utf8(textOf(SEALED)?.replace("AQ==", "AR==") ?? ""), "damaged"],
  ["a byte order mark", concat(Uint8Array.of(0xef, 0xbb, 0xbf), SEALED), "damaged"],
  ["another encoding", Buffer.from(textOf(SEALED) ?? "", "utf16le"), "damaged"],
  ["a truth for a version", changed((file) => (file.version = true)), "damaged"],
  ["a later version", changed((file) => (file.version = 2)), "damaged"],
  ["another format", changed((file) => (file.format = "another")), "damaged"],
  ["plain seeds that are too short", changed((file) => (file.seeds = "AAAA")), "damaged"],
  ["plain seeds of another key", changed((file) => (file.seeds = base64(new Uint8Array(64)))), "damaged"],
  ["an empty object", utf8("{}"), "damaged"],
  ["a list", utf8("[]"), "damaged"],
  ["no text", Uint8Array.of(0xff), "damaged"],
  ["half a file", SEALED.slice(0, -40), "damaged"],
  ["a file that is too large", utf8(textOf(SEALED) + " ".repeat(16_384)), "damaged"],
] as const) {
  test(`a changed file opens nothing: ${name}`, async () => {
    assert.equal(await reason(held, PASSPHRASE), why);
  });
}

test("a file without passphrase is made only when asked", async () => {
  assert.ok(isOfKeys(await openedFile(await sealedFile(KEYS, undefined))));
});

for (const name of readdirSync(KEPT)) {
  test(`nesting and numbers without end are damage: ${name}`, async () => {
    assert.equal(await reason(readFileSync(new URL(name, KEPT))), "damaged");
  });
}
