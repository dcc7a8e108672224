/** What a server may leave out although a client needs it: absent parts as empty ones, which verify as nothing. */

import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

import { CryptoError } from "../crypto/errors.js";
import { PublicKeys } from "../crypto/keys.js";
import { type Said, type StatementKind, verify } from "../crypto/statements.js";
import { type Signed, SignedSchema, type PublicKeys as WireKeys } from "../gen/common/v1/common_pb.js";
import { type KeyBook, KeyBookSchema } from "../gen/directory/v1/directory_pb.js";
import { Unverified } from "./errors.js";

/** Throws `Unverified(what)` unless the check holds. */
export function insist(holds: unknown, what: string): asserts holds {
  if (!holds) {
    throw new Unverified(what);
  }
}

/** Returns a part of an answer that must be there. */
export function part<T>(found: T | undefined, what: string): T {
  insist(found !== undefined, what);
  return found;
}

/** Returns a book, empty when there is none: it proves nothing. */
export function bookIn(served: KeyBook | undefined): KeyBook {
  return served ?? create(KeyBookSchema);
}

/** Returns a statement, empty when there is none: it verifies under no key. */
export function signedIn(served: Signed | undefined): Signed {
  return served ?? create(SignedSchema);
}

/** Returns a time that the service tells; 1970 when it tells none. */
export function dateOf(served: Timestamp | undefined): Date {
  return served ? timestampDate(served) : new Date(0);
}

/**
 * Returns served public keys; they must be those of `kid` when one is named.
 *
 * @throws Unverified - they are malformed, or another's.
 */
export async function keysOf(served: WireKeys | undefined, kid = ""): Promise<PublicKeys> {
  const { signing, sealing } = part(served, "key");
  const keys = await made("key", () => PublicKeys.of(signing, sealing));
  insist(kid === "" || keys.kid === kid, "key of another");
  return keys;
}

/**
 * Returns a statement that `signer` made.
 *
 * @throws Unverified - it is another's, or malformed.
 */
export function spoken<K extends StatementKind>(
  kind: K,
  signed: Signed | undefined,
  signer: PublicKeys,
): Promise<Said<K>> {
  return made(kind, () => verify(kind, signedIn(signed), signer));
}

async function made<T>(what: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    throw error instanceof CryptoError ? new Unverified(`${what}: ${error.detail}`) : error;
  }
}
