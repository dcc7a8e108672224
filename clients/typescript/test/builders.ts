/** Actors and statements for tests: all follow from a name, nothing is random. */

import { create } from "@bufbuild/protobuf";

import { base32, utf8 } from "../src/crypto/bytes.js";
import type { SignedBy } from "../src/crypto/chains.js";
import { SecretKeys } from "../src/crypto/keys.js";
import { sha256 } from "../src/crypto/platform.js";
import { sign, type ToSay } from "../src/crypto/statements.js";
import { Capacity, SubjectKind } from "../src/gen/common/v1/common_pb.js";
import { type KeyBook, KeyBookSchema } from "../src/gen/directory/v1/directory_pb.js";

export const SEQUENCE = 1_795_424_400_000n;

/** 32 bytes that follow from `text`. */
export function hashed(text: string): Promise<Uint8Array> {
  return sha256(utf8(`meldbrug test: ${text}`));
}

/** The keys of an actor; those of `tests/vectors/actors.json`. */
export async function actor(name: string): Promise<SecretKeys> {
  return SecretKeys.of(await hashed(`${name} signing`), await hashed(`${name} sealing`));
}

/** An id of 128 bits. */
export async function ident(name: string): Promise<string> {
  return base32((await hashed(name)).slice(0, 16));
}

export const [ROOT, ADMIN, MEMBER, REPORTER, STRANGER] = await Promise.all(
  (["root", "admin", "member", "reporter", "stranger"] as const).map(actor) as [
    Promise<SecretKeys>,
    Promise<SecretKeys>,
    Promise<SecretKeys>,
    Promise<SecretKeys>,
    Promise<SecretKeys>,
  ],
);
export const INSTALLATION = ROOT.kid;
export const BROADCASTER = `organisations/${await ident("broadcaster")}`;
export const PRODUCER = `organisations/${await ident("producer")}`;
export const INCIDENT = `incidents/${await ident("incident")}`;
export const PARTICIPATION = `participations/${await ident("participation")}`;
export const APPOINTMENT = `appointments/${await ident("appointment")}`;
export const ADMIN_SUBJECT = `persons/${await ident("admin")}`;
export const MEMBER_SUBJECT = `persons/${await ident("member")}`;

/** An endorsement of a member by `signer`, with `changes`. */
export async function endorsed(
  key: SecretKeys,
  signer: SecretKeys,
  changes: ToSay<"endorsement"> = {},
): Promise<SignedBy> {
  const said = {
    installation: INSTALLATION,
    organisation: BROADCASTER,
    organisationTitle: "Omroep De Waard",
    subject: MEMBER_SUBJECT,
    subjectName: "Vertrouwenspersoon De Waard",
    subjectKind: SubjectKind.PERSON,
    kid: key.kid,
    validFrom: { seconds: 1_795_000_000n },
    signerKid: signer.kid,
    sequence: SEQUENCE,
    ...changes,
  };
  return { signed: await sign("endorsement", said as ToSay<"endorsement">, signer), signer: signer.public };
}

/** An admin's endorsement by the root, with `changes`. */
export function adminEndorsed(key = ADMIN, signer = ROOT): Promise<SignedBy> {
  const names = { admin: true, subject: ADMIN_SUBJECT, subjectName: "Bestuurder De Waard" };
  return endorsed(key, signer, names);
}

/** A rotation of a member's key. */
export async function rotated(
  old: SecretKeys,
  next: SecretKeys,
  subject = MEMBER_SUBJECT,
): Promise<SignedBy> {
  const said = {
    installation: INSTALLATION,
    organisation: BROADCASTER,
    subject,
    oldKid: old.kid,
    newKid: next.kid,
    sequence: SEQUENCE,
  };
  return { signed: await sign("rotation", said, old), signer: old.public };
}

/** An appointment of the member as safety contact, with `changes`. */
export async function appointed(changes: ToSay<"appointment"> = {}, signer = ADMIN): Promise<SignedBy> {
  const said = {
    installation: INSTALLATION,
    organisation: BROADCASTER,
    appointment: APPOINTMENT,
    participation: PARTICIPATION,
    capacity: Capacity.SAFETY_CONTACT,
    role: "Contactpersoon veiligheid",
    subject: MEMBER_SUBJECT,
    kid: MEMBER.kid,
    signerKid: signer.kid,
    sequence: SEQUENCE,
    ...changes,
  };
  return { signed: await sign("appointment", said as ToSay<"appointment">, signer), signer: signer.public };
}

/** What a directory serves. */
export function bookOf(
  keys: readonly SecretKeys[],
  said: { endorsements?: SignedBy[]; rotations?: SignedBy[]; appointments?: SignedBy[] } = {},
): KeyBook {
  const signed = (list: SignedBy[] = []) => list.map((each) => each.signed);
  return create(KeyBookSchema, {
    keys: keys.map(({ public: { signing, sealing } }) => ({ signing, sealing })),
    endorsements: signed(said.endorsements),
    rotations: signed(said.rotations),
    appointments: signed(said.appointments),
  });
}
