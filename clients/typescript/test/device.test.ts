/** What a device remembers and is told: pins, pages, its clock, its randomness. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { DEVICE, newId, newRequestId, ServerClock } from "../src/client/device.js";
import { MeldbrugError, Unverified } from "../src/client/errors.js";
import { nameOf } from "../src/client/names.js";
import { every } from "../src/client/paging.js";
import { type Pin, type PinStore, Pins } from "../src/client/pins.js";
import { randomBytes } from "../src/crypto/bytes.js";
import { NoticeState, NoticeStateSchema } from "../src/gen/common/v1/common_pb.js";

const INCIDENT = `incidents/${"a".repeat(26)}`;
const OTHER = `incidents/${"b".repeat(26)}`;
const [HONEST, ANOTHER] = ["r".repeat(52), "q".repeat(52)];

class Shelf implements PinStore {
  readonly held = new Map<string, Pin>();

  async exchange(incident: string, decide: (known: Pin | undefined) => Pin): Promise<void> {
    this.held.set(incident, decide(this.held.get(incident)));
  }
}

test("the first reporter seen is the only one, for whoever shares the store", async () => {
  const shelf = new Shelf();
  await new Pins(shelf).check(INCIDENT, HONEST, 5n);

  const again = new Pins(shelf);
  await again.check(INCIDENT, HONEST, 6n);
  await again.check(OTHER, ANOTHER, 1n);
  await assert.rejects(again.check(INCIDENT, ANOTHER, 7n), /changed/);
  await assert.rejects(again.check(INCIDENT, HONEST, 5n), /older/);

  assert.equal(shelf.held.get(INCIDENT)?.intakeSequence, 6n);
});

test("a store that was emptied forgets nothing for the page", async () => {
  const shelf = new Shelf();
  const pins = new Pins(shelf);
  await pins.check(INCIDENT, HONEST, 5n);
  shelf.held.clear();

  await assert.rejects(pins.check(INCIDENT, ANOTHER, 6n), Unverified);
  assert.equal(shelf.held.size, 0);
});

test("without a store the page remembers by itself", async () => {
  const pins = new Pins();
  await pins.check(INCIDENT, HONEST, 5n);

  await assert.rejects(pins.check(INCIDENT, HONEST, 4n), Unverified);
});

const NOON = Date.UTC(2026, 10, 23, 12);

/** A device's clock that a test sets, and the time that passes meanwhile. */
function watch() {
  const state = { setMs: 0, passedS: 0 };
  const device = {
    ...DEVICE,
    now: () => new Date(NOON + state.setMs + state.passedS * 1000),
    elapsedS: () => state.passedS,
  };
  return { state, clock: new ServerClock(device) };
}

test("a clock is agreed on until the device's is set", () => {
  const { state, clock } = watch();
  assert.equal(clock.isAgreed, false);

  clock.agree();
  state.passedS += 3600;
  assert.equal(clock.isAgreed, true);

  state.setMs -= 600_000;
  assert.equal(clock.isAgreed, false);

  clock.correct(NOON);
  assert.equal(clock.isAgreed, true);
  assert.equal(clock.now().getTime(), NOON);
});

test("sequences rise even when the clock stands still", () => {
  const { clock } = watch();
  const given = [clock.sequence(), clock.sequence(), clock.sequence()];
  clock.correct(NOON - 2000);

  assert.deepEqual(given, [BigInt(NOON), BigInt(NOON) + 1n, BigInt(NOON) + 2n]);
  assert.equal(clock.sequence(), BigInt(NOON) + 3n);
});

test("a sequence that was refused for being ahead is not gone on from", () => {
  const { clock } = watch();
  clock.sequence();
  const right = NOON - 600_000;
  clock.correct(right);

  const next = Number(clock.sequence());

  assert.ok(next > right && next <= right + 10_000);
});

test("a number that has no name here is shown as itself", () => {
  assert.equal(nameOf(NoticeStateSchema, NoticeState.OFFERED), "NOTICE_STATE_OFFERED");
  assert.equal(nameOf(NoticeStateSchema, 99), "99");
});

test("ids are of the form that the wire takes", () => {
  const ids = new Set(Array.from({ length: 100 }, () => newId(randomBytes)));

  assert.equal(ids.size, 100);
  assert.match([...ids][0] ?? "", /^[a-z2-7]{26}$/);
  assert.match(
    newRequestId(randomBytes),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("a list without end is given up", async () => {
  const found: number[] = [];
  const turning = async () => {
    const fetch = async () => ({ items: [1], nextPageToken: "more" });
    for await (const item of every(fetch, (page) => page.items, 3)) {
      found.push(item);
    }
  };

  await assert.rejects(turning, MeldbrugError);
  assert.deepEqual(found, [1, 1, 1]);
});

test("pages are turned until the last", async () => {
  const pages = new Map([
    ["", { items: ["a", "b"], nextPageToken: "next" }],
    ["next", { items: [], nextPageToken: "more" }],
    ["more", { items: ["c"], nextPageToken: "" }],
  ]);
  const found: string[] = [];

  for await (const item of every(
    async (token) => pages.get(token) ?? assert.fail(),
    (page) => page.items,
  )) {
    found.push(item);
  }

  assert.deepEqual(found, ["a", "b", "c"]);
});

test("a page may be asked for again", async () => {
  const pages = new Map([
    ["", { items: ["a"], nextPageToken: "next" }],
    ["next", { items: ["b"], nextPageToken: "" }],
  ]);
  const list = every(
    async (token) => pages.get(token) ?? assert.fail(),
    (page) => page.items,
  );

  const first = await list.page();
  for (const _ of [1, 2]) {
    assert.deepEqual(await list.page(first.nextPageToken), { items: ["b"], nextPageToken: "" });
  }
});
