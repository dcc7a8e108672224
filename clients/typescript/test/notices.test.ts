/** Which hand-overs a reader's device believes: those of this consent, step by step from its readers. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { Book } from "../src/client/book.js";
import { Unverified } from "../src/client/errors.js";
import { handedOver, requireInForce } from "../src/client/notices.js";
import { SecretKeys } from "../src/crypto/keys.js";
import { FIRST_SECOND, LAST_SECOND, sign, type ToSay } from "../src/crypto/statements.js";
import type { Signed } from "../src/gen/common/v1/common_pb.js";
import { ConsentSchema } from "../src/gen/statements/v1/statements_pb.js";
import { bookOf } from "./builders.js";

const [ROOT, FIRST, SECOND, THIRD] = (await Promise.all(
  [1, 2, 3, 4].map((each) => SecretKeys.of(new Uint8Array(32).fill(each), new Uint8Array(32).fill(each))),
)) as [SecretKeys, SecretKeys, SecretKeys, SecretKeys];
const INCIDENT = `incidents/${"a".repeat(26)}`;
const CONSENT = create(ConsentSchema, {
  incident: INCIDENT,
  consent: `consents/${"c".repeat(26)}`,
  readerKids: [FIRST.kid],
});
const BOOK = new Book(ROOT.kid, bookOf([FIRST, SECOND, THIRD]));
const EYES = { installation: ROOT.kid, keys: THIRD };

/** One key hands one section over to another. */
function step(old: SecretKeys, next: SecretKeys, changes: ToSay<"rewrap"> = {}): Promise<Signed> {
  const section = `${INCIDENT}/sections/${"d".repeat(26)}`;
  const said = {
    installation: ROOT.kid,
    incident: INCIDENT,
    grant: CONSENT.consent,
    oldKid: old.kid,
    newKid: next.kid,
    items: [{ section, version: 1, commitment: new Uint8Array(32), wrapDigest: new Uint8Array(32) }],
    sequence: 1n,
    ...changes,
  };
  return sign("rewrap", said as ToSay<"rewrap">, old);
}

test("steps that follow each other lead to the reader", async () => {
  const steps = [await step(FIRST, SECOND), await step(SECOND, THIRD)];

  assert.equal((await handedOver(steps, CONSENT, EYES, BOOK)).length, 1);
});

for (const changes of [
  { incident: `incidents/${"b".repeat(26)}` },
  { installation: SECOND.kid },
  { grant: `consents/${"e".repeat(26)}` },
]) {
  test(`a step of another ${Object.keys(changes)[0]} is refused`, async () => {
    const steps = [await step(FIRST, SECOND), await step(SECOND, THIRD, changes)];

    await assert.rejects(handedOver(steps, CONSENT, EYES, BOOK), /another grant/);
  });
}

test("a step by somebody who was never reached is refused, and so is none", async () => {
  await assert.rejects(handedOver([await step(SECOND, THIRD)], CONSENT, EYES, BOOK), /by another/);
  await assert.rejects(handedOver([await step(FIRST, SECOND)], CONSENT, EYES, BOOK), Unverified);
  await assert.rejects(handedOver([], CONSENT, EYES, BOOK), Unverified);
});

test("a step in another's name is refused", async () => {
  const forged = { ...(await step(FIRST, THIRD)), signature: (await step(SECOND, THIRD)).signature };

  await assert.rejects(handedOver([forged], CONSENT, EYES, BOOK), Unverified);
});

test("a consent for as long as there is a calendar is in force, and one is not before or after", () => {
  const during = (from: bigint, until: bigint) =>
    create(ConsentSchema, { validFrom: { seconds: from }, validUntil: { seconds: until } });
  const now = new Date(Date.UTC(2026, 11, 1));
  const seconds = BigInt(now.getTime() / 1000);

  requireInForce(during(FIRST_SECOND, LAST_SECOND), now);
  requireInForce(during(seconds + 65n, seconds + 66n), now);
  requireInForce(during(seconds - 66n, seconds - 64n), now);
  assert.throws(() => requireInForce(during(seconds + 66n, LAST_SECOND), now), Unverified);
  assert.throws(() => requireInForce(during(FIRST_SECOND, seconds - 65n), now), Unverified);
});
