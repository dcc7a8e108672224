/** What the vectors do not say: words, bytes of Node's, both Ed25519s, and statements that two parsers would read apart. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";

import { base64url, concat, equal, fromBase64, fromBase64url, utf8 } from "../src/crypto/bytes.js";
import { PLATFORM } from "../src/crypto/ed25519.js";
import { NOBLE } from "../src/crypto/ed25519-noble.js";
import {
  CryptoError,
  completions,
  fromWords,
  KeyMalformed,
  MAX_CONTENT_BYTES,
  newCek,
  PublicKeys,
  SecretKeys,
  SectionInvalid,
  type StatementKind,
  sealSection,
  toWords,
  UnknownWord,
  unwrapKey,
  wordsOf,
  wrapKey,
} from "../src/crypto/index.js";
import { FORMS, parse, sign, verify } from "../src/crypto/statements.js";
import { Purpose, SignedSchema } from "../src/gen/common/v1/common_pb.js";
import { INCIDENT, INSTALLATION, ident, MEMBER, REPORTER, SEQUENCE } from "./builders.js";

const ENTROPY = Uint8Array.from({ length: 16 }, (_, at) => at);
const FUZZ = new URL("../../../../tests/vectors/fuzz/statement/", import.meta.url);
const SECTION = `${INCIDENT}/sections/${await ident("section")}`;
const CONTEXT = { installation: INSTALLATION, incident: INCIDENT, section: SECTION, version: 1, kind: 4 };

test("a word that is not in the list is named with its nearest, and neither is in what a console shows", async () => {
  const words = await toWords(ENTROPY, "nl");
  const right = words[4] ?? "";
  words[4] = `${right.slice(0, -1)}q`;

  const error = await fromWords(words.join(" ")).then(
    () => assert.fail("it was read"),
    (raised: unknown) => raised,
  );

  assert.ok(error instanceof UnknownWord);
  assert.deepEqual([error.word, error.position, error.nearest], [words[4], 5, right]);
  assert.ok(!JSON.stringify(error).includes(right) && !String(error).includes(right));
});

test("capitals, spaces, line ends and commas do not matter", async () => {
  const words = await toWords(ENTROPY, "en");

  assert.ok(equal(await fromWords(`  ${words.join(",\n\t").toUpperCase()} ,`), ENTROPY));
});

test("a word is completed from its beginning, in its own language", async () => {
  const [word = ""] = await toWords(ENTROPY, "nl");
  const found = await completions(word.slice(0, 5), "nl");

  assert.deepEqual(found, [word]);
  assert.deepEqual(await completions(word.slice(0, 5), "en"), []);
  assert.deepEqual(await completions(" ", "nl"), []);
  assert.equal((await completions("B", "nl")).length, 8);
  assert.equal((await wordsOf("nl")).length, 2048);
});

test("bytes of Node's are bytes like any other", async () => {
  const keys = await SecretKeys.of(Buffer.alloc(32, 1), Buffer.from("02".repeat(32), "hex"));
  const sealing = Buffer.concat([Buffer.alloc(8), keys.public.sealing]).subarray(8);
  const wrap = await wrapKey(Buffer.alloc(32, 7), keys.public, CONTEXT, INCIDENT, []);

  assert.equal((await PublicKeys.of(Buffer.from(keys.public.signing), sealing)).kid, keys.kid);
  assert.ok(equal(await unwrapKey(Buffer.from(wrap), keys, CONTEXT, INCIDENT, []), Buffer.alloc(32, 7)));
});

test("keys are copies, and what a console shows has no seed", async () => {
  const seed = new Uint8Array(32).fill(9);
  const keys = await SecretKeys.of(seed, seed);
  seed.fill(0);
  keys.signingSeed.fill(0);

  assert.ok(equal(keys.signingSeed, new Uint8Array(32).fill(9)));
  assert.deepEqual(Object.keys(keys), ["public"]);
});

test("the platform's Ed25519 and the one in JavaScript are the same", async () => {
  const seed = new Uint8Array(32).fill(3);
  const [one, other] = [await PLATFORM.signer(seed), await NOBLE.signer(seed)];
  const message = utf8("meldbrug/refusal/v1\0");
  const signature = await one.sign(message);

  assert.ok(equal(one.signing, other.signing));
  assert.ok(equal(signature, await other.sign(message)));
  for (const way of [PLATFORM, NOBLE]) {
    assert.equal(await way.verify(one.signing, signature, message), true);
    assert.equal(await way.verify(one.signing, signature, utf8("another")), false);
    assert.equal(await way.verify(one.signing, new Uint8Array(64), message), false);
    assert.equal(await way.verify(new Uint8Array(31), signature, message), false);
  }
});

test("a signature that is right but for a point of small order is refused, whichever Ed25519 there is", async () => {
  const { Point } = ed25519;
  const small = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
  const [secret, once, message] = [12_345n, 98_765n, utf8("meldbrug/refusal/v1\0")];
  const littleEndian = (number: bigint) => Point.Fn.toBytes(Point.Fn.create(number));
  const signedWith = (r: Uint8Array, signing: Uint8Array) => {
    const k = Buffer.from(sha512(concat(r, signing, message)))
      .reverse()
      .toString("hex");
    return concat(r, littleEndian(once + BigInt(`0x${k}`) * secret));
  };
  const [honest, fresh] = [Point.BASE.multiply(secret), Point.BASE.multiply(once)];
  const signing = honest.toBytes();

  for (const way of [PLATFORM, NOBLE]) {
    assert.equal(await way.verify(signing, signedWith(fresh.toBytes(), signing), message), true);
    assert.equal(await way.verify(signing, signedWith(fresh.add(small).toBytes(), signing), message), false);
    const mixed = honest.add(small).toBytes();
    assert.equal(await way.verify(mixed, signedWith(fresh.toBytes(), mixed), message), false);
  }
});

test("seeds and keys of another length are refused", async () => {
  await assert.rejects(SecretKeys.of(new Uint8Array(31), new Uint8Array(32)), KeyMalformed);
  await assert.rejects(SecretKeys.of(new Uint8Array(32), new Uint8Array(33)), KeyMalformed);
  await assert.rejects(PublicKeys.of(new Uint8Array(32), new Uint8Array(1215)), KeyMalformed);
});

test("a content is sealed up to its bound, and half a character never", async () => {
  const seal = (content: string | Uint8Array) =>
    sealSection(CONTEXT, content, newCek(), REPORTER, REPORTER.kid);

  assert.equal((await seal(new Uint8Array(MAX_CONTENT_BYTES))).ciphertext.length, 65_552);
  await assert.rejects(seal(new Uint8Array(MAX_CONTENT_BYTES + 1)), SectionInvalid);
  await assert.rejects(seal("half a pair: \ud83d"), SectionInvalid);
});

for (const text of ["A", "AB", "AA=", "AA", "AAB", "AA==\n", "A-==", "AAAA====", "é"]) {
  test(`“${text}” is no canonical base64 with padding`, () => {
    assert.equal(fromBase64(text), undefined);
  });
}

test("base64url has no padding and no stray bits", () => {
  assert.ok(equal(fromBase64url("_-8") ?? new Uint8Array(0), Uint8Array.of(0xff, 0xef)));
  for (const text of ["_-8=", "_-9", "_+8", "A"]) {
    assert.equal(fromBase64url(text), undefined, text);
  }
  assert.equal(base64url(new Uint8Array(70_000)).length, 93_334);
});

// --- statements that two parsers would read apart

const REFUSAL = {
  installation: INSTALLATION,
  notice: `${INCIDENT}/notices/${await ident("notice")}`,
  reporterKid: REPORTER.kid,
  sequence: SEQUENCE,
};
const WRITTEN = (await sign("refusal", REFUSAL, REPORTER)).statement;

function details(kind: StatementKind, statement: Uint8Array): string {
  try {
    parse(kind, create(SignedSchema, { statement }));
    return "";
  } catch (error) {
    assert.ok(error instanceof CryptoError, String(error));
    return error.detail;
  }
}

for (const [name, more, why] of [
  ["as it was written", [], ""],
  ["with a field again, the last one counting", [0x20, 0x05], ""],
  ["with an unknown field", [0x78, 0x01], "unknown-field"],
  ["with a number where a text belongs", [0x08, 0x01], "unknown-field"],
  ["with a text where a number belongs", [0x22, 0x01, 0x01], "unknown-field"],
  ["with a fixed number where a varint belongs", [0x25, 1, 0, 0, 0], "unknown-field"],
  ["with a group", [0x7b, 0x7c], "unknown-field"],
  ["with a group that does not end", [0x7b], "does-not-parse"],
  ["with a field that is cut", [0x1a, 0x05, 0x61], "does-not-parse"],
  ["with a number without end", [0x20, ...Array(11).fill(0xff)], "does-not-parse"],
  ["with a field of number 0", [0x00, 0x00], "does-not-parse"],
  ["with a text that is no UTF-8", [0x1a, 0x01, 0xff], "does-not-parse"],
  ["with a number beyond the bound", [0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], "rules"],
  ["with an empty text", [0x1a, 0x00], "rules"],
] as const) {
  test(`a statement ${name} is read as Python reads it`, () => {
    assert.equal(details("refusal", concat(WRITTEN, Uint8Array.from(more))), why);
  });
}

test("a message within a statement does not reach beyond itself", async () => {
  const handler = { kid: MEMBER.kid, participation: "", appointment: "" };
  const text = utf8(handler.kid);
  const inner = concat(Uint8Array.of(0x0a, 52), text);

  assert.equal(details("intake", concat(Uint8Array.of(0x2a, 30), inner)), "does-not-parse");
});

for (const name of readdirSync(FUZZ)) {
  test(`nesting without end is refused in every kind: ${name}`, () => {
    const statement = readFileSync(new URL(name, FUZZ));

    for (const kind of Object.keys(FORMS) as StatementKind[]) {
      assert.notEqual(details(kind, statement), "");
    }
  });
}

test("a statement that breaks a rule is not signed, and another's is not verified", async () => {
  const broken = [
    { ...REFUSAL, notice: "incidents/x" },
    { ...REFUSAL, notice: `${REFUSAL.notice}\n` },
    { ...REFUSAL, sequence: 0n },
    { ...REFUSAL, sequence: 2n ** 53n },
  ];
  for (const fields of broken) {
    await assert.rejects(sign("refusal", fields, REPORTER), { detail: "rules" });
  }
  await assert.rejects(sign("refusal", REFUSAL, MEMBER), { detail: "signer" });
  const signed = await sign("refusal", REFUSAL, REPORTER);
  await assert.rejects(verify("refusal", signed, MEMBER.public), { reason: "STATEMENT_SIGNATURE" });
  await assert.rejects(verify("withdrawal", signed, REPORTER.public), { reason: "STATEMENT_SIGNATURE" });
});

test("characters are counted as code points, and half a pair is none", async () => {
  const said = (reference: string) => ({
    installation: INSTALLATION,
    notice: REFUSAL.notice,
    reporterKid: REPORTER.kid,
    recipient: `participations/${"a".repeat(26)}`,
    ground: 1,
    reference,
    necessityDigest: new Uint8Array(32),
    handlerKid: MEMBER.kid,
    stands: true,
    sequence: SEQUENCE,
  });

  assert.ok(await sign("decision", said("😀".repeat(200)), MEMBER));
  for (const reference of ["😀".repeat(201), "\ud83d", "a\u007f", "a\nb"]) {
    await assert.rejects(sign("decision", said(reference), MEMBER), { detail: "rules" });
  }
});

test("a list has each item once, within its bounds", async () => {
  const said = (purposes: Purpose[]) => ({
    ...REFUSAL,
    incident: INCIDENT,
    consent: `consents/${"a".repeat(26)}`,
    recipient: `participations/${"a".repeat(26)}`,
    readerKids: [MEMBER.kid],
    sections: [
      { section: SECTION, version: 1, kind: 4, digest: new Uint8Array(32), commitment: new Uint8Array(32) },
    ],
    purposes,
    validFrom: { seconds: 1n },
    validUntil: { seconds: 2n },
    termsVersion: "1",
    wraps: [{ readerKid: MEMBER.kid, section: SECTION, wrapDigest: new Uint8Array(32) }],
    previewDigest: new Uint8Array(32),
    previewTemplate: "1",
    previewLanguage: 1,
  });

  assert.ok(await sign("consent", said([Purpose.INFORM, Purpose.PROTECT_PEOPLE]), REPORTER));
  for (const purposes of [[], [Purpose.INFORM, Purpose.INFORM], [Purpose.UNSPECIFIED], [99]]) {
    await assert.rejects(sign("consent", said(purposes), REPORTER), { detail: "rules" });
  }
  const early = { ...said([Purpose.INFORM]), validUntil: { seconds: 253_402_300_800n } };
  await assert.rejects(sign("consent", early, REPORTER), { detail: "rules" });
});
