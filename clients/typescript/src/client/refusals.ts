/** What a refusal of the Connect protocol stands for: JSON with a code and details in base64. */

import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";

import { fromBase64, textOf } from "../crypto/bytes.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { type MeldbrugError, NotPermitted, NotReached, Refused, Stale, Unavailable } from "./errors.js";

const DOMAIN = "meldbrug";
const NANOS_PER_SECOND = 1_000_000_000;
/** What is said without details when nobody of ours answered. */
const UNANSWERED = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"]);
const CLASSES = new Map<string, typeof Refused>([
  ["PERMISSION_DENIED", NotPermitted],
  ["UNAVAILABLE", Unavailable],
  ["ABORTED", Stale],
]);
/** What stands between a client and the service says it with a status of HTTP (the protocol's own table). */
const BY_STATUS = new Map<number, string>([
  [400, "INTERNAL"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "UNIMPLEMENTED"],
  [429, "UNAVAILABLE"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "UNAVAILABLE"],
]);

/** An error as Connect writes it; nothing of it is believed before it was looked at. */
interface Written {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly details?: unknown;
}

/** Returns the error that the body of a refused call stands for. */
export function refusalOf(status: number, body: Uint8Array): MeldbrugError {
  const written = jsonIn(body);
  if (typeof written?.code === "string") {
    return refusalIn(written);
  }
  return withoutDetails(BY_STATUS.get(status) ?? "UNKNOWN", "");
}

/** Returns the error that the end of a stream carries; undefined when it ended well. */
export function refusalAtEnd(body: Uint8Array): MeldbrugError | undefined {
  const end = jsonIn(body) as { error?: Written } | undefined;
  if (!end) {
    return new NotReached("the stream has no end");
  }
  return end.error && refusalIn(end.error);
}

function refusalIn(written: Written): MeldbrugError {
  const code = codeOf(written.code);
  const message = typeof written.message === "string" ? written.message : "";
  const details = Array.isArray(written.details) ? (written.details as unknown[]) : [];
  if (details.length === 0) {
    return withoutDetails(code, message);
  }
  const info = detailIn(ErrorInfoSchema, details);
  const delay = detailIn(RetryInfoSchema, details)?.retryDelay;
  return new (CLASSES.get(code) ?? Refused)({
    code,
    reason: info?.domain === DOMAIN ? info.reason : "",
    message,
    metadata: new Map(Object.entries(info?.metadata ?? {})),
    fields:
      detailIn(BadRequestSchema, details)?.fieldViolations.map(
        (item) => [item.field, item.description] as const,
      ) ?? [],
    retryAfterS: delay && Number(delay.seconds) + delay.nanos / NANOS_PER_SECOND,
  });
}

function withoutDetails(code: string, message: string): MeldbrugError {
  if (UNANSWERED.has(code)) {
    return new NotReached(`no answer: ${code}`);
  }
  const refused = CLASSES.get(code) ?? Refused;
  return new refused({ code, reason: "", message: message || code, metadata: new Map(), fields: [] });
}

/** Returns the last detail of a type; one that does not parse is none. */
function detailIn<D extends DescMessage>(
  schema: D,
  details: readonly unknown[],
): MessageShape<D> | undefined {
  let found: MessageShape<D> | undefined;
  for (const detail of details as readonly { type?: unknown; value?: unknown }[]) {
    if (detail?.type === schema.typeName && typeof detail.value === "string") {
      found = parsed(schema, detail.value) ?? found;
    }
  }
  return found;
}

function parsed<D extends DescMessage>(schema: D, value: string): MessageShape<D> | undefined {
  const bytes = fromBase64(value + "=".repeat(-value.length & 3));
  try {
    return bytes && fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}

/** Connect writes codes in lower case and spells one of them in its own way. */
function codeOf(code: unknown): string {
  const name = typeof code === "string" ? code.toUpperCase() : "UNKNOWN";
  return name === "CANCELED" ? "CANCELLED" : name;
}

function jsonIn(body: Uint8Array): Written | undefined {
  try {
    const read: unknown = JSON.parse(textOf(body) ?? "");
    return typeof read === "object" && read !== null ? read : undefined;
  } catch {
    return undefined;
  }
}
