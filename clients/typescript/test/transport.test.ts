/** Streams of the Connect protocol: whole messages, an end of their own, and nothing without bounds. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { Connection } from "../src/client/connection.js";
import { type MeldbrugError, NotReached, Refused, Unverified } from "../src/client/errors.js";
import { MemberClient } from "../src/client/member.js";
import { all } from "../src/client/paging.js";
import { enveloped, MAX_STREAMED_BYTES, Transport } from "../src/client/transport.js";
import { concat, equal, utf8 } from "../src/crypto/bytes.js";
import { ReaderService } from "../src/gen/coordination/v1/coordination_service_pb.js";
import {
  type Answer,
  bytes,
  KEYS,
  last,
  refuses,
  said,
  serving,
  stale,
  streams,
  UNAVAILABLE,
} from "./scripted.js";

const TYPE = "application/connect+proto";
const [ONE, TWO] = [utf8("one"), utf8("two messages")];

/** A transport whose `fetch` answers with these pieces, one read each. */
function pieces(...parts: readonly Uint8Array[]): Transport {
  const waiting = [...parts];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = waiting.shift();
      if (next) {
        controller.enqueue(next);
      } else {
        controller.close();
      }
    },
  });
  const headers = { "content-type": TYPE };
  return new Transport("https://x.example", async () => new Response(body, { headers }));
}

function read(transport: Transport, timeoutS = 5): Promise<Uint8Array[]> {
  return all(transport.stream({ path: "/x/Y", message: ONE, headers: {}, timeoutS }));
}

test("messages arrive whole however they are cut", async () => {
  const whole = concat(enveloped(ONE), enveloped(new Uint8Array(0)), enveloped(TWO), last({}));

  for (const size of [1, 2, 3, 7, whole.length]) {
    const cut = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
      whole.slice(at * size, (at + 1) * size),
    );
    const found = await read(pieces(...cut));

    assert.deepEqual(
      found.map((each) => each.length),
      [3, 0, 12],
    );
    assert.ok(equal(found[2] ?? ONE, TWO));
  }
});

test("what a stream brought is let go of while it lasts", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const brought: WeakRef<Uint8Array>[] = [];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const message = enveloped(new Uint8Array(1000));
      brought.push(new WeakRef(message));
      controller.enqueue(message);
    },
  });
  const headers = { "content-type": TYPE };
  const transport = new Transport("https://x.example", async () => new Response(body, { headers }));
  const stream = transport.stream({ path: "/x/Y", message: ONE, headers: {}, timeoutS: 60 });

  for (let at = 0; at < 100; at++) {
    await stream.next();
  }
  await new Promise((resolve) => setTimeout(resolve));
  collect();
  const held = brought.filter((each) => each.deref()).length;
  await stream.return();

  assert.ok(held < 10, `${held} of ${brought.length} are held`);
});

const TOO_LARGE = Uint8Array.of(0, 0, 0x10, 0, 1);

for (const [name, parts, error] of [
  ["without an end", [enveloped(ONE)], NotReached],
  ["cut within a message", [enveloped(ONE).slice(0, 6)], NotReached],
  ["of nothing", [], NotReached],
  ["with a compressed message", [Uint8Array.of(1, 0, 0, 0, 0)], Unverified],
  ["with an unknown flag", [Uint8Array.of(4, 0, 0, 0, 0)], Unverified],
  ["with a message beyond the bound", [TOO_LARGE], Unverified],
  ["whose end is no JSON", [Uint8Array.of(2, 0, 0, 0, 1, 0x7b)], NotReached],
  ["that ends in an error", [last({ error: UNAVAILABLE })], Refused],
  ["that is cancelled", [last({ error: { code: "canceled" } })], NotReached],
] as const) {
  test(`a stream ${name} is an error`, () => assert.rejects(read(pieces(...parts)), error));
}

test("the bound of a message is one MiB, itself included", async () => {
  assert.ok(MAX_STREAMED_BYTES < new DataView(TOO_LARGE.buffer).getUint32(1));
  const largest = new Uint8Array(MAX_STREAMED_BYTES);

  assert.equal((await read(pieces(enveloped(largest), last({}))))[0]?.length, MAX_STREAMED_BYTES);
});

test("a stream that says nothing more is over in time", async () => {
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(enveloped(ONE)),
  });
  const headers = { "content-type": TYPE };
  const transport = new Transport("https://x.example", async () => new Response(silent, { headers }));

  await assert.rejects(read(transport, 0.1), NotReached);
});

test("a stream that is silent for too long is dead, and one that beats is not", async () => {
  const beats = [enveloped(ONE), enveloped(TWO), last({})];
  const beating = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      const next = beats.shift();
      if (next) controller.enqueue(next);
      else controller.close();
    },
  });
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(enveloped(ONE)),
  });
  const held = (body: ReadableStream<Uint8Array>) =>
    all(
      new Transport(
        "https://x.example",
        async () => new Response(body, { headers: { "content-type": TYPE } }),
      ).stream({
        path: "/x/Y",
        message: ONE,
        headers: {},
        timeoutS: 60,
        silentS: 0.15,
      }),
    );

  assert.equal((await held(beating)).length, 2);
  await assert.rejects(held(silent), NotReached);
});

test("whoever watches ends it while nothing comes", () => {
  let closed: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const ending = new AbortController();
  const quiet: Answer = (response) => {
    response.writeHead(200, { "content-type": TYPE });
    response.write(enveloped(new Uint8Array(0)));
    response.on("close", closed);
  };

  return serving([quiet], async (connection, asked) => {
    const heard: boolean[] = [];
    const watcher = {
      signal: ending.signal,
      heard: (isHeard: boolean) => {
        heard.push(isHeard);
        ending.abort();
      },
    };
    assert.deepEqual(await all(new MemberClient(connection, KEYS).reader.watch("", watcher)), []);
    await gone;
    assert.equal(heard[0], true);
    assert.equal(asked.length, 1, "it was not opened anew");
    assert.deepEqual(await all(new MemberClient(connection, KEYS).reader.watch("", watcher)), []);
    assert.equal(asked.length, 1, "what has ended is not begun");
  });
});

test("whoever watches is told that the line broke and that it is back", () =>
  serving(
    [refuses(said("unavailable", "DATABASE_UNAVAILABLE"), 503), streams([new Uint8Array(0)])],
    async (connection) => {
      const heard: boolean[] = [];
      const ending = new AbortController();
      const watcher = {
        signal: ending.signal,
        heard: (isHeard: boolean) => {
          heard.push(isHeard);
          if (isHeard) ending.abort();
        },
      };

      await all(new MemberClient(connection, KEYS).reader.watch("", watcher));

      assert.deepEqual(heard.slice(0, 2), [false, true]);
    },
  ));

async function failure(answer: Answer): Promise<MeldbrugError> {
  const open = (connection: Connection) =>
    all(connection.stream(ReaderService.method.watchInbox, {}, { keys: KEYS }, 5));
  return serving([answer], (connection) =>
    open(connection).then(
      () => assert.fail("it did not fail"),
      (error) => error,
    ),
  );
}

test("a stream may be refused before it begins", async () => {
  const error = await failure(refuses(said("permission_denied", "NOT_PERMITTED"), 403));

  assert.ok(error instanceof Refused);
  assert.equal(error.reason, "NOT_PERMITTED");
});

test("a stream that is called stale corrects the clock for the next", () =>
  serving([streams([], { error: stale() })], async (connection, asked) => {
    connection.clock.correct(0);
    const stream = connection.stream(ReaderService.method.watchInbox, {}, { keys: KEYS }, 5);

    await assert.rejects(stream.next(), Refused);
    assert.equal(asked.length, 1);
    assert.ok(Math.abs(connection.clock.now().getTime() - Date.now()) < 5000);
  }));

test("what came of a stream is no message", async () => {
  assert.ok((await failure(streams([Uint8Array.of(0xff)]))) instanceof Unverified);
  assert.ok((await failure(bytes(ONE))) instanceof Unverified);
});

test("whoever stops reading ends the call", () => {
  let closed: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const endless: Answer = (response) => {
    response.writeHead(200, { "content-type": TYPE });
    response.write(enveloped(new Uint8Array(0)));
    response.on("close", closed);
  };

  return serving([endless], async (connection) => {
    for await (const _ of connection.stream(ReaderService.method.watchInbox, {}, { keys: KEYS }, 60)) {
      break;
    }
    await gone;
  });
});
