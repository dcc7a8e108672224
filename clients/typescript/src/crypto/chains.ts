/**
 * Why a client believes a key: from the secretariat root through an admin to the member and its seat.
 *
 * Whoever seals verifies these first. The directory that serves a chain is not believed in anything: a false key,
 * name, admin or appointment fails here.
 */

import { timestampDate } from "@bufbuild/protobuf/wkt";

import type { Signed } from "../gen/common/v1/common_pb.js";
import type { Endorsement, KeyRotation } from "../gen/statements/v1/statements_pb.js";
import { AppointmentBroken, CryptoError, EndorsementBroken } from "./errors.js";
import type { PublicKeys } from "./keys.js";
import { type Said, type StatementKind, verify } from "./statements.js";

export const MAX_ENDORSEMENTS = 4;
export const MAX_ROTATIONS = 64;

/** A statement with the key that is said to have signed it. */
export interface SignedBy {
  readonly signed: Signed;
  readonly signer: PublicKeys;
}

/** Whose a key is, as the root or an admin under it vouches. */
export interface VerifiedMember {
  /** `organisations/{organisation}`. */
  readonly organisation: string;
  /** Its name as shown. */
  readonly organisationTitle: string;
  /** `persons/{person}` or `systems/{system}`. */
  readonly subject: string;
  /** Name as shown. */
  readonly subjectName: string;
  /** Number of the `SubjectKind`. */
  readonly subjectKind: number;
  /** The key asked about. */
  readonly kid: string;
  /** Whether it may endorse and appoint for the organisation. */
  readonly admin: boolean;
  /** The endorsed key and every one that followed it, oldest first; the last is `kid`. */
  readonly kids: readonly string[];
  /** From when the endorsement holds; the caller compares it with its clock. */
  readonly validFrom: Date;
}

/** The seat that an admin of the organisation gave to a key. */
export interface VerifiedAppointment {
  /** `appointments/{appointment}`. */
  readonly appointment: string;
  /** `organisations/{organisation}`. */
  readonly organisation: string;
  /** `participations/{participation}`. */
  readonly participation: string;
  /** Number of the `Capacity`. */
  readonly capacity: number;
  /** The role as shown. */
  readonly role: string;
  /** `persons/{person}` or `systems/{system}`. */
  readonly subject: string;
  /** The key as appointed; the member may have rotated since. */
  readonly kid: string;
  /** The appointment it deputises for; empty when none. */
  readonly deputyOf: string;
  /** The admin's key. */
  readonly signerKid: string;
}

/** Where a seat is said to be, and what it is said to allow: the number of the `Capacity`. */
export interface Place {
  readonly participation: string;
  readonly capacity: number;
}

type Following = ReadonlyMap<string, KeyRotation>;
type Refusal = new (detail: string) => CryptoError;

/**
 * Returns whose `subjectKeys` are, believing nothing but the fingerprint of the root.
 *
 * @param rootKid - The installation id, from the client's own configuration.
 * @param endorsements - From the root down; the subject's own is last. At most 4.
 * @param rotations - Of everyone in the chain, in any order; each must be needed. At most 64.
 * @param subjectKeys - The keys asked about.
 * @throws EndorsementBroken - the chain does not lead from the root to exactly these keys.
 */
export async function verifyMember(
  rootKid: string,
  endorsements: readonly SignedBy[],
  rotations: readonly SignedBy[],
  subjectKeys: PublicKeys,
): Promise<VerifiedMember> {
  if (endorsements.length < 1 || endorsements.length > MAX_ENDORSEMENTS || rotations.length > MAX_ROTATIONS) {
    throw new EndorsementBroken("length");
  }
  const following = await byOldKid(rootKid, rotations);
  const members = await walk(rootKid, endorsements, following);
  const member = members.at(-1);
  if (!member || member.kid !== subjectKeys.kid) {
    throw new EndorsementBroken("other-key");
  }
  const used = new Set(members.flatMap((verified) => verified.kids.slice(0, -1)));
  if ([...following.keys()].some((kid) => !used.has(kid))) {
    throw new EndorsementBroken("loose-rotation");
  }
  return member;
}

/**
 * Returns the seat that `admin` gave `member` at `place`.
 *
 * @param rootKid - The installation id, from the client's own configuration.
 * @param appointment - The statement and the key that signed it.
 * @param admin - Whose key that is, from `verifyMember`.
 * @param member - Who is said to be appointed, from `verifyMember`.
 * @param place - Where the seat is said to be, and for what.
 * @throws AppointmentBroken - not signed by an admin of the organisation, or for another key, person or place.
 */
export async function verifyAppointment(
  rootKid: string,
  appointment: SignedBy,
  admin: VerifiedMember,
  member: VerifiedMember,
  place: Place,
): Promise<VerifiedAppointment> {
  const said = await verified("appointment", appointment, AppointmentBroken);
  requireAll(AppointmentBroken, {
    installation: said.installation === rootKid,
    "not-an-admin": admin.admin && admin.kids.includes(said.signerKid),
    organisation: said.organisation === admin.organisation && said.organisation === member.organisation,
    "other-key": said.subject === member.subject && member.kids.includes(said.kid),
    participation: said.participation === place.participation,
    capacity: said.capacity === place.capacity,
  });
  const { organisation, participation, capacity, role, subject, kid, deputyOf, signerKid } = said;
  return {
    appointment: said.appointment,
    organisation,
    participation,
    capacity,
    role,
    subject,
    kid,
    deputyOf,
    signerKid,
  };
}

async function walk(
  rootKid: string,
  endorsements: readonly SignedBy[],
  following: Following,
): Promise<VerifiedMember[]> {
  const members: VerifiedMember[] = [];
  for (const endorsement of endorsements) {
    const said = await verified("endorsement", endorsement, EndorsementBroken);
    const isByRoot = said.signerKid === rootKid;
    requireAll(EndorsementBroken, {
      installation: said.installation === rootKid,
      "admin-by-root-only": isByRoot || !said.admin,
      signer: isByRoot || mayEndorse(members, said),
    });
    members.push(memberOf(said, kidsOf(said, following)));
  }
  return members;
}

function mayEndorse(members: readonly VerifiedMember[], said: Endorsement): boolean {
  return members.some(
    ({ admin, organisation, kids }) =>
      admin && organisation === said.organisation && kids.includes(said.signerKid),
  );
}

async function byOldKid(rootKid: string, rotations: readonly SignedBy[]): Promise<Following> {
  const following = new Map<string, KeyRotation>();
  for (const rotation of rotations) {
    const said = await verified("rotation", rotation, EndorsementBroken);
    requireAll(EndorsementBroken, {
      installation: said.installation === rootKid,
      // The installation id is the root's fingerprint: another root is another installation.
      "root-rotates": said.oldKid !== rootKid && said.newKid !== rootKid,
      fork: !following.has(said.oldKid),
    });
    following.set(said.oldKid, said);
  }
  return following;
}

function kidsOf(said: Endorsement, following: Following): string[] {
  const kids = [said.kid];
  let rotation = following.get(said.kid);
  while (rotation) {
    requireAll(EndorsementBroken, {
      "rotation-foreign": rotation.organisation === said.organisation && rotation.subject === said.subject,
      cycle: !kids.includes(rotation.newKid),
    });
    kids.push(rotation.newKid);
    rotation = following.get(rotation.newKid);
  }
  return kids;
}

function memberOf(said: Endorsement, kids: readonly string[]): VerifiedMember {
  if (!said.validFrom) {
    throw new EndorsementBroken("statement-rules");
  }
  const { organisation, organisationTitle, subject, subjectName, subjectKind, admin } = said;
  return {
    organisation,
    organisationTitle,
    subject,
    subjectName,
    subjectKind,
    kid: kids.at(-1) ?? said.kid,
    admin,
    kids,
    validFrom: timestampDate(said.validFrom),
  };
}

async function verified<K extends StatementKind>(
  kind: K,
  carried: SignedBy,
  refusal: Refusal,
): Promise<Said<K>> {
  try {
    return await verify(kind, carried.signed, carried.signer);
  } catch (error) {
    throw error instanceof CryptoError ? new refusal(`statement-${error.detail}`) : error;
  }
}

function requireAll(refusal: Refusal, rules: Readonly<Record<string, boolean>>): void {
  for (const [detail, holds] of Object.entries(rules)) {
    if (!holds) {
      throw new refusal(detail);
    }
  }
}
