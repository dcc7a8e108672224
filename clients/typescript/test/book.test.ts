/** T26: a key book is believed as far as it leads to the root, and no further. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Book } from "../src/client/book.js";
import { Unverified } from "../src/client/errors.js";
import type { SignedBy } from "../src/crypto/chains.js";
import type { SecretKeys } from "../src/crypto/keys.js";
import { Capacity } from "../src/gen/common/v1/common_pb.js";
import {
  ADMIN,
  ADMIN_SUBJECT,
  APPOINTMENT,
  actor,
  adminEndorsed,
  appointed,
  BROADCASTER,
  bookOf,
  endorsed,
  INSTALLATION,
  MEMBER,
  MEMBER_SUBJECT,
  PARTICIPATION,
  PRODUCER,
  ROOT,
  rotated,
  STRANGER,
} from "./builders.js";

const [NEXT, LATER] = [await actor("next"), await actor("later")];
const WHERE = { participation: PARTICIPATION, capacity: Capacity.SAFETY_CONTACT };
const BY_ROOT = await adminEndorsed();
const BY_ADMIN = await endorsed(MEMBER, ADMIN);
const SEAT = await appointed();
const KNOWN = [ROOT, ADMIN, MEMBER];

function book(
  endorsements: SignedBy[],
  rest: { rotations?: SignedBy[]; appointments?: SignedBy[]; keys?: SecretKeys[]; root?: string } = {},
): Book {
  const { keys = KNOWN, root = INSTALLATION, ...said } = rest;
  return new Book(root, bookOf(keys, { endorsements, ...said }));
}

test("an honest book names member and role", async () => {
  const found = book([BY_ROOT, BY_ADMIN], { appointments: [SEAT] });

  assert.equal((await found.member(MEMBER.kid)).subject, MEMBER_SUBJECT);
  assert.ok((await found.member(ADMIN.kid)).admin);
  assert.equal((await found.appointment(APPOINTMENT, WHERE)).role, "Contactpersoon veiligheid");
  assert.equal((await found.appointmentOf(MEMBER.kid, WHERE)).kid, MEMBER.kid);
});

test("rotations lead from old keys to new ones", async () => {
  const found = book([BY_ROOT, BY_ADMIN], {
    rotations: [await rotated(MEMBER, NEXT), await rotated(NEXT, LATER)],
    appointments: [SEAT],
    keys: [...KNOWN, NEXT, LATER],
  });

  assert.deepEqual((await found.member(LATER.kid)).kids, [MEMBER.kid, NEXT.kid, LATER.kid]);
  assert.deepEqual((await found.member(NEXT.kid)).kids, [MEMBER.kid, NEXT.kid]);
  assert.equal((await found.appointmentOf(LATER.kid, WHERE)).subject, MEMBER_SUBJECT);
  assert.equal((await found.appointment(APPOINTMENT, WHERE)).kid, MEMBER.kid);
});

test("an admin who rotated still vouches", async () => {
  const next = await actor("admin next");
  const found = book([BY_ROOT, await endorsed(MEMBER, next)], {
    rotations: [await rotated(ADMIN, next, ADMIN_SUBJECT)],
    appointments: [SEAT],
    keys: [...KNOWN, next],
  });

  assert.equal((await found.member(MEMBER.kid)).organisation, BROADCASTER);
  assert.equal((await found.appointment(APPOINTMENT, WHERE)).signerKid, ADMIN.kid);
});

const DAMAGED = { ...BY_ADMIN, signed: { ...BY_ADMIN.signed, signature: new Uint8Array(64) } };

for (const [name, served] of [
  ["nothing", book([])],
  ["no admin", book([BY_ADMIN])],
  ["no member", book([BY_ROOT])],
  ["another root", book([BY_ROOT, BY_ADMIN], { root: STRANGER.kid })],
  ["the root's keys withheld", book([BY_ROOT, BY_ADMIN], { keys: [ADMIN, MEMBER] })],
  [
    "endorsed by a stranger",
    book([BY_ROOT, await endorsed(MEMBER, STRANGER)], { keys: [...KNOWN, STRANGER] }),
  ],
  [
    "an admin who endorsed itself",
    book([await adminEndorsed(STRANGER, STRANGER), await endorsed(MEMBER, STRANGER)], {
      keys: [...KNOWN, STRANGER],
    }),
  ],
  [
    "another organisation's admin",
    book([BY_ROOT, await endorsed(MEMBER, ADMIN, { organisation: PRODUCER })]),
  ],
  [
    "rotations in a circle",
    book([BY_ROOT, BY_ADMIN], {
      rotations: [await rotated(NEXT, MEMBER), await rotated(MEMBER, NEXT)],
      keys: [...KNOWN, NEXT],
    }),
  ],
  ["a statement that was changed", book([BY_ROOT, DAMAGED])],
] as const) {
  test(`a member whom nobody vouches for does not exist: ${name}`, () =>
    assert.rejects(served.member(MEMBER.kid), Unverified));
}

for (const [name, seat] of [
  ["by one who is no admin", await appointed({}, MEMBER)],
  ["another capacity", await appointed({ capacity: Capacity.COUNSELLOR })],
  ["elsewhere", await appointed({ participation: `participations/${"a".repeat(26)}` })],
  ["another organisation", await appointed({ organisation: PRODUCER })],
  ["another person", await appointed({ subject: `persons/${"a".repeat(26)}` })],
  ["another key", await appointed({ kid: STRANGER.kid })],
] as const) {
  test(`a role that was not given does not exist: ${name}`, async () => {
    const served = book([BY_ROOT, BY_ADMIN], { appointments: [seat] });

    await assert.rejects(served.appointment(APPOINTMENT, WHERE), Unverified);
    await assert.rejects(served.appointmentOf(MEMBER.kid, WHERE), Unverified);
  });
}
