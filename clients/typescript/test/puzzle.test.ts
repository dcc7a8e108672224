/** Work that a flooded server asks: done within bounds, over the bytes as they are sent. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_PUZZLES } from "../src/client/connection.js";
import { DEVICE } from "../src/client/device.js";
import { NotReached, Refused } from "../src/client/errors.js";
import { MAX_BITS, type Puzzle, solve, solves } from "../src/client/puzzle.js";
import { base64url, fromBase64url, utf8 } from "../src/crypto/bytes.js";
import { sha256 } from "../src/crypto/platform.js";
import { ReaderService } from "../src/gen/coordination/v1/coordination_service_pb.js";
import { PublicService } from "../src/gen/directory/v1/directory_service_pb.js";
import { type Answer, type Asked, bytes, KEYS, refuses, said, serving, streams } from "./scripted.js";

const CHALLENGE = utf8("a challenge of some length, made by the server");
const EMPTY = bytes(new Uint8Array(0));

function asks(bits: string, challenge = base64url(CHALLENGE)): Answer {
  return refuses(said("resource_exhausted", "PUZZLE_REQUIRED", { challenge, bits }), 429);
}

/** Whether a call brought a solution for its own bytes, by the rule of docs/edge.md and not by our code. */
async function isSolved(asked: Asked | undefined, bits: number): Promise<boolean> {
  const [challenge, nonce] = String(asked?.headers["meldbrug-puzzle"]).split(".").map(fromBase64url);
  assert.ok(asked && challenge && nonce);
  const hash = await sha256(utf8("meldbrug/puzzle/v1\0"), challenge, await sha256(asked.body), nonce);
  const binary = Array.from(hash, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return nonce.length === 8 && binary.startsWith("0".repeat(bits));
}

test("a call is repeated with a solution over its own bytes", () =>
  serving([asks("10"), EMPTY], async (connection, asked) => {
    await connection.call(PublicService.method.getProductionByCode, { code: "a".repeat(26) });

    assert.equal(asked[0]?.headers["meldbrug-puzzle"], undefined);
    assert.ok(await isSolved(asked[1], 10));
  }));

test("a stream's solution is over its bytes with the envelope", () =>
  serving([asks("8"), streams([])], async (connection, asked) => {
    const stream = connection.stream(ReaderService.method.watchInbox, {}, { keys: KEYS }, 5);

    assert.equal((await stream.next()).done, true);
    assert.equal(asked[1]?.body.length, 5);
    assert.ok(await isSolved(asked[1], 8));
  }));

test("no bits are no work, and the solution has its form all the same", () =>
  serving([asks("0"), EMPTY], async (connection, asked) => {
    await connection.call(PublicService.method.getStandingEntry, {});

    assert.ok(await isSolved(asked[1], 0));
  }));

test("a server that asks again and again is left", () =>
  serving([asks("4")], async (connection, asked) => {
    await assert.rejects(connection.call(PublicService.method.getStandingEntry, {}), Refused);

    assert.equal(asked.length, MAX_PUZZLES + 1);
  }));

test("a server cannot make a telephone burn", () =>
  serving([asks(String(MAX_BITS + 1))], async (connection, asked) => {
    await assert.rejects(connection.call(PublicService.method.getStandingEntry, {}), NotReached);

    assert.equal(asked.length, 1);
  }));

for (const [bits, challenge] of [
  ["", undefined],
  ["-1", undefined],
  ["many", undefined],
  ["9999", undefined],
  ["8", ""],
  ["8", "not base64url!"],
  ["8", "A".repeat(1000)],
] as const) {
  test(`“${bits}” bits of “${challenge?.slice(0, 20)}” are no puzzle`, () =>
    serving([asks(bits, challenge)], async (connection, asked) => {
      await assert.rejects(connection.call(PublicService.method.getStandingEntry, {}), Refused);

      assert.equal(asked.length, 1);
    }));
}

const PUZZLE: Puzzle = { challenge: CHALLENGE, bodyHash: await sha256(utf8("body")), bits: 12 };

test("a solution solves its own puzzle and no other", async () => {
  const nonce = await solve(PUZZLE, DEVICE, Number.POSITIVE_INFINITY);

  assert.ok(solves(PUZZLE, nonce));
  assert.ok(!solves({ ...PUZZLE, bodyHash: await sha256(utf8("another")) }, nonce));
  assert.ok(!solves({ ...PUZZLE, bits: 32 }, nonce));
  assert.ok(!solves({ ...PUZZLE, bits: 0 }, nonce.slice(1)));
});

test("solving lets others go on, and is given up in time", async () => {
  let paused = 0;
  const device = {
    ...DEVICE,
    pause: async () => {
      paused += 1;
    },
    elapsedS: () => paused,
  };

  await assert.rejects(solve({ ...PUZZLE, bits: 32 }, device, 3), NotReached);

  assert.equal(paused, 3);
});

test("an app may solve elsewhere", () =>
  serving(
    [asks("6"), EMPTY],
    async (connection, asked) => {
      await connection.call(PublicService.method.getStandingEntry, {});

      assert.ok(await isSolved(asked[1], 6));
    },
    { solver: (puzzle, withinS) => solve(puzzle, DEVICE, withinS) },
  ));
