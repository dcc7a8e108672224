/** Says for each statement on standard input how this client reads it: why it is refused, or what Python would write. */

import { text } from "node:stream/consumers";

import { create, toJson } from "@bufbuild/protobuf";

import { CryptoError, type StatementKind } from "../src/crypto/index.js";
import { FORMS, parse } from "../src/crypto/statements.js";
import { SignedSchema } from "../src/gen/common/v1/common_pb.js";

function judged([kind, statement]: readonly [StatementKind, string]): unknown {
  try {
    const said = parse(kind, create(SignedSchema, { statement: Buffer.from(statement, "hex") }));
    return toJson(FORMS[kind].schema, said, { useProtoFieldName: true });
  } catch (error) {
    return error instanceof CryptoError ? error.detail : String(error);
  }
}

const asked = JSON.parse(await text(process.stdin)) as (readonly [StatementKind, string])[];
process.stdout.write(JSON.stringify(asked.map(judged)));
