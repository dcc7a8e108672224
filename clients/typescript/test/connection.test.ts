/** What a connection does when a server is stale, full, away or slow: the same bytes again, where it may. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create, toBinary } from "@bufbuild/protobuf";

import { ATTEMPTS, type CallOptions, Connection } from "../src/client/connection.js";
import { DEVICE, ServerClock } from "../src/client/device.js";
import {
  MeldbrugError,
  NotPermitted,
  NotReached,
  Refused,
  Stale,
  Unavailable,
  Unverified,
} from "../src/client/errors.js";
import { MAX_ANSWER_BYTES } from "../src/client/transport.js";
import { equal, utf8 } from "../src/crypto/bytes.js";
import { bodyHash } from "../src/crypto/tokens.js";
import {
  AcceptInvitationRequestSchema,
  EnrolmentService,
  GetMeResponseSchema,
  MemberService,
} from "../src/gen/directory/v1/directory_service_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  type Answer,
  bytes,
  detail,
  FULL,
  KEYS,
  message,
  never,
  ROOT,
  refuses,
  retryAfter,
  said,
  serving,
  stale,
  UNAVAILABLE,
  violation,
} from "./scripted.js";

const REQUEST = { code: "a".repeat(26), requestId: "0b6c1e3c-7f0b-4a63-9a0e-0d3f4c1b2a11" };
const BODY = toBinary(AcceptInvitationRequestSchema, create(AcceptInvitationRequestSchema, REQUEST));
const ACCEPT = `${ROOT.kid}/meldbrug.directory.v1.EnrolmentService/AcceptInvitation`;
const EMPTY = bytes(new Uint8Array(0));

function accept(connection: Connection, options: CallOptions = {}) {
  const credentials = { keys: KEYS, selfCertifying: true };
  return connection.call(EnrolmentService.method.acceptInvitation, REQUEST, { credentials, ...options });
}

/** Returns what the answers make of a call, and how often the server was asked. */
async function refusal(answers: readonly Answer[], options: CallOptions = {}) {
  return serving(answers, async (connection, asked) => {
    const error = await accept(connection, options).then(
      () => assert.fail("it was answered"),
      (raised: unknown) => raised,
    );
    return { error, times: asked.length };
  });
}

test("unavailable is repeated with the same bytes and a token made anew", () =>
  serving([refuses(UNAVAILABLE), refuses(UNAVAILABLE), EMPTY], async (connection, asked) => {
    await accept(connection);

    assert.equal(asked.length, 3);
    for (const { body, token, path, headers } of asked) {
      assert.ok(equal(body, BODY));
      assert.ok(token && equal(token.bh, await bodyHash(BODY)));
      assert.equal(token.aud, ACCEPT);
      assert.equal(token.embedded?.kid, KEYS.kid);
      assert.equal(path, "/meldbrug.directory.v1.EnrolmentService/AcceptInvitation");
      assert.equal(headers["connect-protocol-version"], "1");
      assert.equal(headers["content-type"], "application/proto");
    }
  }));

test("unavailable is given up after some attempts", async () => {
  const { error, times } = await refusal([refuses(UNAVAILABLE, 503)]);

  assert.ok(error instanceof Unavailable);
  assert.equal(error.reason, "DATABASE_UNAVAILABLE");
  assert.equal(times, ATTEMPTS);
});

for (const [code, reason] of [
  ["internal", "INTERNAL"],
  ["invalid_argument", "FIELD_INVALID"],
  ["failed_precondition", "WRONG_STATE"],
  ["permission_denied", "NOT_PERMITTED"],
  ["unauthenticated", "KEY_UNKNOWN"],
  ["resource_exhausted", "OVERLOADED"],
  ["already_exists", "REQUEST_ID_REUSED"],
] as const) {
  test(`${code} is not repeated`, async () => {
    const { error, times } = await refusal([refuses(said(code, reason))]);

    assert.ok(error instanceof Refused);
    assert.deepEqual([error.code, error.reason, times], [code.toUpperCase(), reason, 1]);
  });
}

test("a report waits until a full server takes it", () =>
  serving([...Array<Answer>(8).fill(refuses(FULL, 429)), EMPTY], async (connection, asked) => {
    await accept(connection, { repeatWhenExhausted: true });

    assert.equal(asked.length, 9);
    assert.ok(asked.every(({ body }) => equal(body, BODY)));
  }));

test("a report does not wait for ever", async () => {
  const { error, times } = await refusal([refuses(FULL)], { repeatWhenExhausted: true, withinS: 0.3 });

  assert.ok(error instanceof Refused || error instanceof NotReached);
  assert.ok(times > ATTEMPTS);
});

test("a stale clock is corrected once and stays corrected", () => {
  const slow = { ...DEVICE, now: () => new Date(Date.now() - 2 * 3600 * 1000) };

  return serving(
    [refuses(stale()), EMPTY],
    async (connection, asked) => {
      await accept(connection);
      await accept(connection);

      const areFresh = asked.map(({ token }) => Math.abs((token?.iat ?? 0) - Date.now() / 1000) < 60);
      assert.deepEqual(areFresh, [false, true, true]);
    },
    { clock: new ServerClock(slow) },
  );
});

test("a server that calls every token stale is believed once", async () => {
  assert.equal((await refusal([refuses(stale("1795424400000"))])).times, 2);
});

for (const told of ["", "soon", "-5", "9".repeat(40)]) {
  test(`a server time of “${told}” corrects nothing`, async () => {
    assert.equal((await refusal([refuses(stale(told))])).times, 1);
  });
}

for (const [name, lie] of [
  ["no message", bytes(Uint8Array.of(0xff, 0xff))],
  ["a page of somebody else's", bytes(utf8("<html>"), "text/html")],
  ["an answer without end", bytes(new Uint8Array(MAX_ANSWER_BYTES + 1))],
  [
    "a time of no calendar",
    message(GetMeResponseSchema, { member: { keyChangeTime: { seconds: 2n ** 62n } } }),
  ],
  ["a fraction of no second", message(GetMeResponseSchema, { member: { keyChangeTime: { nanos: -1 } } })],
] as const) {
  test(`${name} is not given out`, () =>
    serving([lie], async (connection, asked) => {
      const answer = connection.call(MemberService.method.getMe, {}, { credentials: { keys: KEYS } });

      await assert.rejects(answer, Unverified);
      assert.equal(asked.length, 1);
    }));
}

for (const seconds of [2n ** 62n, -(2n ** 62n)]) {
  test(`a wait of ${seconds} seconds is no wait`, async () => {
    const { error } = await refusal([
      refuses(said("unavailable", "DATABASE_UNAVAILABLE", {}, retryAfter(seconds))),
    ]);

    assert.ok(error instanceof Unavailable);
  });
}

test("a refusal whose details are garbage is a refusal", async () => {
  const details = [
    { type: ErrorInfoSchema.typeName, value: "//8" },
    { type: ErrorInfoSchema.typeName, value: "not base64!" },
  ];
  const { error } = await refusal([refuses({ code: "permission_denied", message: "no", details })]);

  assert.ok(error instanceof NotPermitted);
  assert.equal(error.reason, "");
});

test("reasons of another domain are not ours", async () => {
  const foreign = detail(ErrorInfoSchema, { reason: "TOKEN_STALE", domain: "proxy.example" });
  const { error, times } = await refusal([
    refuses({ code: "unauthenticated", message: "no", details: [foreign] }),
  ]);

  assert.ok(error instanceof Refused);
  assert.deepEqual([error.reason, times], ["", 1]);
});

test("a refusal brings its details", async () => {
  const { error } = await refusal([
    refuses(said("invalid_argument", "FIELD_INVALID", {}, violation("code", "too short"))),
  ]);

  assert.ok(error instanceof Refused);
  assert.deepEqual(error.fields, [["code", "too short"]]);
});

for (const [code, kind] of [
  ["permission_denied", NotPermitted],
  ["aborted", Stale],
  ["unavailable", Unavailable],
] as const) {
  test(`${code} is an error of its own`, async () => {
    assert.ok((await refusal([refuses(said(code, "X"))], { withinS: 0.2 })).error instanceof kind);
  });
}

for (const answer of [
  bytes(utf8("<html>Bad gateway</html>"), "text/html", 502),
  refuses({ code: "unavailable", message: "", details: [] }, 503),
  refuses({ code: "canceled", message: "", details: [] }, 499),
  refuses({ code: "deadline_exceeded", message: "", details: [] }, 504),
]) {
  test("a server that is not there has not answered, and is asked again", async () => {
    const { error, times } = await refusal([answer]);

    assert.ok(error instanceof NotReached);
    assert.equal(times, ATTEMPTS);
  });
}

test("a refusal that is too large is none that is read", async () => {
  const { error } = await refusal([bytes(new Uint8Array(70_000), "application/json", 403)]);

  assert.ok(error instanceof Unverified);
});

test("an answer is nowhere else than where it was asked for", async () => {
  const elsewhere: Answer = (response) => response.writeHead(307, { location: "/elsewhere" }).end();

  const { error, times } = await refusal([elsewhere], { withinS: 0.2 });

  assert.ok(error instanceof NotReached);
  assert.ok(times >= 1);
});

test("every attempt has a deadline within the whole", () =>
  serving([refuses(UNAVAILABLE), EMPTY], async (connection, asked) => {
    await accept(connection, { withinS: 3 });

    const told = asked.map(({ headers }) => Number(headers["connect-timeout-ms"]));
    assert.ok(told.every((timeoutMs) => timeoutMs > 0 && timeoutMs <= 3000));
  }));

test("a server that does not answer is not waited for longer", async () => {
  assert.ok((await refusal([never], { withinS: 0.2 })).error instanceof NotReached);
});

test("a fetch that heeds no signal is not waited for either", async () => {
  const connection = new Connection({
    base: "https://meldbrug.example",
    installation: ROOT.kid,
    fetch: () => new Promise(() => undefined),
  });

  await assert.rejects(accept(connection, { withinS: 0.1 }), NotReached);
});

test("nobody there is not reached", async () => {
  const connection = new Connection({ base: "http://127.0.0.1:1", installation: ROOT.kid });

  await assert.rejects(accept(connection, { withinS: 0.3 }), NotReached);
});

test("a member's token names its key only", () =>
  serving([EMPTY], async (connection, asked) => {
    await connection.call(MemberService.method.getMe, {}, { credentials: { keys: KEYS } });

    assert.equal(asked[0]?.token?.kid, KEYS.kid);
    assert.equal(asked[0]?.token?.embedded, undefined);
  }));

test("whoever looks up what anyone may brings no token", () =>
  serving([EMPTY], async (connection, asked) => {
    await connection.call(MemberService.method.getMe, {});

    assert.equal(asked[0]?.headers.authorization, undefined);
  }));

for (const base of [
  "http://meldbrug.example",
  "http://localhost.example",
  "http://128.0.0.1",
  "http://0.0.0.0",
]) {
  test(`${base} is not called in plain unless that was said`, () => {
    const installation = ROOT.kid;

    assert.throws(() => new Connection({ base, installation }), MeldbrugError);
    assert.ok(new Connection({ base, installation, plaintext: true }));
  });
}

for (const base of [
  "",
  "meldbrug.example",
  "ftp://localhost",
  "https://meldbrug.example/?to=x",
  "https://me@x.example",
]) {
  test(`“${base}” is no base`, () => {
    assert.throws(() => new Connection({ base, installation: ROOT.kid }), MeldbrugError);
  });
}

test("this machine is called in plain, and a base may have a path", () =>
  serving([EMPTY], async (connection) => {
    await accept(connection);
    for (const base of ["http://localhost:1", "http://[::1]:1/api/", "https://meldbrug.example"]) {
      assert.ok(new Connection({ base, installation: connection.installation }));
    }
  }));
