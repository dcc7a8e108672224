/** What principals sign: protobuf bytes, verified as received before anything in them is believed. */

import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

import { type Signed, SignedSchema } from "../gen/common/v1/common_pb.js";
import {
  AppointmentSchema,
  ConsentSchema,
  DecisionSchema,
  EndorsementSchema,
  ExclusionSchema,
  IntakeSchema,
  KeyRotationSchema,
  RefusalSchema,
  RewrapSchema,
  TermsAnswerSchema,
  WithdrawalSchema,
} from "../gen/statements/v1/statements_pb.js";
import { concat, utf8 } from "./bytes.js";
import { StatementForeign, StatementMalformed, StatementSignature } from "./errors.js";
import type { PublicKeys, SecretKeys } from "./keys.js";
import { sha256 } from "./platform.js";
import { keepsRules, submessages } from "./rules.js";

export const MAX_STATEMENT_BYTES = 32_768;
/** The first and last second that a calendar of the years 1 to 9999 holds. */
export const FIRST_SECOND = -62_135_596_800n;
export const LAST_SECOND = 253_402_300_799n;
const NANOS_PER_SECOND = 1_000_000_000;
/** Seven bits each, for a length of at most 32. */
const MAX_LENGTH_BYTES = 5;

/** The message of each kind of statement, and the field in which it names the key that signs. */
export const FORMS = {
  intake: { schema: IntakeSchema, signer: "reporterKid" },
  consent: { schema: ConsentSchema, signer: "reporterKid" },
  refusal: { schema: RefusalSchema, signer: "reporterKid" },
  withdrawal: { schema: WithdrawalSchema, signer: "reporterKid" },
  exclusion: { schema: ExclusionSchema, signer: "reporterKid" },
  decision: { schema: DecisionSchema, signer: "handlerKid" },
  terms: { schema: TermsAnswerSchema, signer: "readerKid" },
  endorsement: { schema: EndorsementSchema, signer: "signerKid" },
  appointment: { schema: AppointmentSchema, signer: "signerKid" },
  rotation: { schema: KeyRotationSchema, signer: "oldKid" },
  rewrap: { schema: RewrapSchema, signer: "oldKid" },
} as const;

/** What a statement says; the name is the label in front of the bytes that are signed. */
export type StatementKind = keyof typeof FORMS;

/** The message of a kind of statement. */
export type Said<K extends StatementKind> = MessageShape<(typeof FORMS)[K]["schema"]>;

/** The fields of a kind of statement, before it is signed. */
export type ToSay<K extends StatementKind> = MessageInitShape<(typeof FORMS)[K]["schema"]>;

/** Returns what is signed: the kind's label, a zero byte, and the statement's bytes. */
export function signingInput(kind: StatementKind, statement: Uint8Array): Uint8Array {
  return concat(utf8(`meldbrug/${kind}/v1\0`), statement);
}

/** Returns the SHA-256 of the statement's bytes, by which others may name it. */
export function statementDigest(signed: Signed): Promise<Uint8Array> {
  return sha256(signed.statement);
}

/**
 * Returns the statement as bytes with the signature of `keys`.
 *
 * @throws StatementMalformed - it breaks a rule of its fields.
 * @throws StatementForeign - it names another key as its signer.
 */
export async function sign<K extends StatementKind>(
  kind: K,
  fields: ToSay<K>,
  keys: SecretKeys,
): Promise<Signed> {
  const schema: DescMessage = FORMS[kind].schema;
  const message = create(schema, fields);
  requireRules(schema, message);
  requireSigner(kind, message, keys.kid);
  const statement = toBinary(schema, message);
  return create(SignedSchema, { statement, signature: await keys.sign(signingInput(kind, statement)) });
}

/**
 * Returns the statement that `signer` signed; nothing is parsed before the signature holds.
 *
 * @throws StatementSignature - the signature is not the signer's over these bytes as this kind.
 * @throws StatementMalformed - see `parse`.
 * @throws StatementForeign - the statement names another key as its signer.
 */
export async function verify<K extends StatementKind>(
  kind: K,
  signed: Signed,
  signer: PublicKeys,
): Promise<Said<K>> {
  if (!(await signer.verify(signed.signature, signingInput(kind, signed.statement)))) {
    throw new StatementSignature("signature");
  }
  const message = parse(kind, signed);
  requireSigner(kind, message, signer.kid);
  return message;
}

/**
 * Returns the statement UNVERIFIED, only to learn from it whose key to verify it with.
 *
 * @throws StatementMalformed - not such a message, an unknown field at any depth, or a field's rule broken.
 */
export function parse<K extends StatementKind>(kind: K, signed: Signed): Said<K> {
  if (signed.statement.length > MAX_STATEMENT_BYTES) {
    throw new StatementMalformed("too-large");
  }
  const schema: DescMessage = FORMS[kind].schema;
  const message = parsed(schema, signed.statement);
  requireRules(schema, message);
  return message as Said<K>;
}

/** Whether each Timestamp in it is a moment of the years 1 to 9999; the rules of fields let more pass. */
export function holdsTimes(schema: DescMessage, message: Message): boolean {
  if (schema.typeName === TimestampSchema.typeName) {
    const { seconds, nanos } = message as Timestamp;
    return seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < NANOS_PER_SECOND;
  }
  return submessages(schema, message).every((part) => holdsTimes(...part));
}

function parsed(schema: DescMessage, statement: Uint8Array): Message {
  let isKnown: boolean;
  let message: Message;
  try {
    isKnown = isWrittenAs(schema, statement);
    message = isKnown ? fromBinary(schema, statement) : create(schema);
  } catch {
    throw new StatementMalformed("does-not-parse");
  }
  if (!isKnown) {
    throw new StatementMalformed("unknown-field");
  }
  return message;
}

/**
 * Tells whether the bytes hold fields of `schema` only, at any depth, each written as its type is.
 *
 * The parser goes by the number of a field alone; what is of another type would be read as something else than
 * another language reads in the same signed bytes.
 */
function isWrittenAs(schema: DescMessage, bytes: Uint8Array): boolean {
  const reader = new BinaryReader(bytes);
  let isKnown = true;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) {
      requireLength(reader);
    }
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (!field || !takes(field, wireType)) {
      reader.skip(wireType, number);
      isKnown = false;
    } else if (field.message) {
      isKnown = isWrittenAs(field.message, reader.bytes()) && isKnown;
    } else {
      reader.skip(wireType, number);
    }
  }
  return isKnown;
}

/** The parser drops what does not fit 32 bits of a length; another language refuses the same signed bytes. */
function requireLength(reader: BinaryReader): void {
  const start = reader.pos;
  const length = BigInt(reader.uint64());
  if (reader.pos - start > MAX_LENGTH_BYTES || length > reader.len) {
    throw new RangeError("a length that no part has");
  }
  reader.pos = start;
}

/** Statements have texts, bytes, messages and varints; a list of numbers is written packed or one by one. */
function takes(field: DescField, wireType: WireType): boolean {
  const isDelimited =
    field.message !== undefined || field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  if (isDelimited) {
    return wireType === WireType.LengthDelimited;
  }
  return (
    wireType === WireType.Varint || (field.fieldKind === "list" && wireType === WireType.LengthDelimited)
  );
}

function requireRules(schema: DescMessage, message: Message): void {
  if (!keepsRules(schema, message) || !holdsTimes(schema, message)) {
    throw new StatementMalformed("rules");
  }
}

function requireSigner(kind: StatementKind, message: Message, kid: string): void {
  if ((message as unknown as Record<string, unknown>)[FORMS[kind].signer] !== kid) {
    throw new StatementForeign("signer");
  }
}
