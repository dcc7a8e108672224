/** A server that answers each call with the next of its answers, and remembers what it was asked. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";

import { Connection, type ConnectionOptions } from "../src/client/connection.js";
import { enveloped } from "../src/client/transport.js";
import { base64, concat, utf8 } from "../src/crypto/bytes.js";
import { SecretKeys } from "../src/crypto/keys.js";
import { parse, type Token } from "../src/crypto/tokens.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../src/gen/google/rpc/error_details_pb.js";

export const ROOT = await SecretKeys.of(filled("r"), filled("r"));
export const KEYS = await SecretKeys.of(filled("s"), filled("e"));

/** What the server does with one call. */
export type Answer = (response: ServerResponse, asked: Asked) => void;

/** One call as the server saw it. */
export interface Asked {
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: IncomingMessage["headers"];
  readonly token: Token | undefined;
}

/** A refusal, as JSON before it is written. */
export interface Written {
  readonly code: string;
  readonly message: string;
  readonly details: readonly { readonly type: string; readonly value: string }[];
}

export function filled(character: string): Uint8Array {
  return utf8(character.repeat(32));
}

export function detail<D extends DescMessage>(schema: D, init: MessageInitShape<D>) {
  const value = base64(toBinary(schema, create(schema, init))).replaceAll("=", "");
  return { type: schema.typeName, value };
}

/** A refusal as the services send it. */
export function said(
  code: string,
  reason: string,
  metadata: Record<string, string> = {},
  ...more: Written["details"]
): Written {
  const info = detail(ErrorInfoSchema, { reason, domain: "meldbrug", metadata });
  return { code, message: "no", details: [info, ...more] };
}

export const retryAfter = (seconds: bigint, nanos = 0) =>
  detail(RetryInfoSchema, { retryDelay: { seconds, nanos } });
export const violation = (field: string, description: string) =>
  detail(BadRequestSchema, { fieldViolations: [{ field, description }] });

/** Answers with a message. */
export function message<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Answer {
  return bytes(toBinary(schema, create(schema, init)));
}

export function bytes(body: Uint8Array, type = "application/proto", status = 200): Answer {
  return (response) => response.writeHead(status, { "content-type": type }).end(body);
}

export function refuses(refusal: Written, status = 400): Answer {
  return bytes(utf8(JSON.stringify(refusal)), "application/json", status);
}

/** Streams messages; then an end, with an error or without, or nothing when the connection shall break. */
export function streams(messages: readonly Uint8Array[], end: object | undefined = {}): Answer {
  return (response) => {
    response.writeHead(200, { "content-type": "application/connect+proto" });
    for (const each of messages) {
      response.write(enveloped(each));
    }
    response.end(end && last(end));
  };
}

export function last(end: object): Uint8Array {
  const body = enveloped(utf8(JSON.stringify(end)));
  return concat(Uint8Array.of(2), body.subarray(1));
}

export const never: Answer = () => undefined;
export const UNAVAILABLE = said("unavailable", "DATABASE_UNAVAILABLE");
export const FULL = said("resource_exhausted", "OVERLOADED", {}, retryAfter(0n, 1_000_000));

/** The refusal of a token by a clock that is off; the right time unless another is told. */
export function stale(serverTimeMs = String(Date.now())): Written {
  return said("unauthenticated", "TOKEN_STALE", { serverTimeMs });
}

/** Runs `use` with a connection to a server that plays `answers`, its last one again and again. */
export async function serving<T>(
  answers: readonly Answer[],
  use: (connection: Connection, asked: readonly Asked[]) => Promise<T>,
  options: Partial<ConnectionOptions> = {},
): Promise<T> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const { authorization = "" } = request.headers;
    const call = {
      path: request.url ?? "",
      body: new Uint8Array(await buffer(request)),
      headers: request.headers,
      token: authorization ? await parse(authorization.replace("Bearer ", "")) : undefined,
    };
    asked.push(call);
    answers[Math.min(asked.length, answers.length) - 1]?.(response, call);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  try {
    const backoffS = [0.001, 0.002] as const;
    return await use(new Connection({ base, installation: ROOT.kid, backoffS, ...options }), asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
