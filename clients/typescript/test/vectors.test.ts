/** The vectors that every language must pass, replayed; each refusal is refused for its stated reason. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { type Actors, parsed, replay, type Vector } from "./replay.js";

const FOLDER = new URL("../../../../tests/vectors/", import.meta.url);
const ACTORS = read("actors.json") as Actors;
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => [name, (read(name) as { vectors?: Vector[] }).vectors ?? []] as const)
  .filter(([, vectors]) => vectors.length > 0);

function read(name: string): unknown {
  return parsed(readFileSync(new URL(name, FOLDER), "utf8"));
}

for (const [name, vectors] of FILES) {
  test(`every vector of ${name} gives its result or is refused for its reason`, async () => {
    assert.deepEqual(await replay(ACTORS, vectors), []);
  });
}

test("all files of vectors were played, refusals among them", () => {
  const all = FILES.flatMap(([, vectors]) => vectors);

  assert.ok(FILES.length >= 9);
  assert.ok(all.filter((vector) => vector.refused !== undefined).length > 80);
  assert.ok(all.filter((vector) => vector.result !== undefined).length > 50);
});

test("a vector that does not do what it says is told", async () => {
  const [first] = FILES.flatMap(([, vectors]) => vectors).filter((vector) => vector.refused !== undefined);
  assert.ok(first);

  const failures = await replay(ACTORS, [{ ...first, refused: { reason: "OTHER", detail: "other" } }]);

  assert.equal(failures.length, 1);
});
