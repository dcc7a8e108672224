/** Who handles a report: the people of an intake that the reporter signed, each verified from the root. */

import type { PublicKeys } from "../crypto/keys.js";
import { Capacity, type Signed } from "../gen/common/v1/common_pb.js";
import type { HandledReport } from "../gen/disclosure/v1/disclosure_pb.js";
import type { Intake } from "../gen/statements/v1/statements_pb.js";
import type { Book } from "./book.js";
import type { Circle } from "./circle.js";
import { Unverified } from "./errors.js";
import type { Author, Authors } from "./reading.js";
import { insist, part, spoken } from "./served.js";

/** A report as its handler sees it, verified. */
export interface Case {
  /** As served. */
  readonly report: HandledReport;
  /** The pinned reporter's keys. */
  readonly reporter: PublicKeys;
  /** The reporter's newest choice of handlers; it names these eyes. */
  readonly intake: Intake;
  /** Who they are: whom a text is sealed to. */
  readonly handlers: Authors;
}

/** Returns the public keys of authors. */
export function keysOfAll(authors: Authors): PublicKeys[] {
  return [...authors.values()].map(([, keys]) => keys);
}

/**
 * Returns the intake that the reporter signed for this incident.
 *
 * @throws Unverified - somebody else signed it, or it is for another incident.
 */
export async function verifiedIntake(
  signed: Signed | undefined,
  reporter: PublicKeys,
  installation: string,
  incident: string,
): Promise<Intake> {
  const intake = await spoken("intake", signed, reporter);
  insist(intake.installation === installation && intake.incident === incident, "intake of another incident");
  insist(intake.reporterKid === reporter.kid, "intake of another reporter");
  return intake;
}

/**
 * Returns the holders of `kids` as handlers that the intake names, themselves or by an earlier key.
 *
 * @throws Unverified - one of them was not chosen, or does not hold the role it was chosen for.
 */
export function handlersOf(intake: Intake, book: Book, kids: Iterable<string>): Promise<Authors> {
  return byKid(kids, book, (kid) => handler(intake, book, kid));
}

/**
 * Returns the counsellor whose key wrote something, appointed at one of `participations`, now or once.
 *
 * @throws Unverified - the book proves no such role.
 */
export async function counsellor(
  book: Book,
  kid: string,
  participations: readonly string[],
): Promise<Author> {
  let failed = new Unverified("author is no counsellor here");
  for (const participation of new Set(participations)) {
    try {
      const appointment = await book.appointmentOf(kid, { participation, capacity: Capacity.COUNSELLOR });
      return { kid, isReporter: false, member: await book.member(kid), appointment };
    } catch (error) {
      if (!(error instanceof Unverified)) {
        throw error;
      }
      failed = error;
    }
  }
  throw failed;
}

/**
 * Returns whose keys wrote: counsellors of the intake, and of the circle for those who left the intake.
 *
 * @throws Unverified - one of them is no such counsellor.
 */
export function writers(
  kids: Iterable<string>,
  book: Book,
  intake: Intake,
  circle?: Circle,
): Promise<Authors> {
  const participations = intake.handlers.map((chosen) => chosen.participation);
  participations.push(...(circle?.served.participations.map(({ name }) => name) ?? []));
  return byKid(kids, book, (kid) => counsellor(book, kid, participations));
}

async function byKid(
  kids: Iterable<string>,
  book: Book,
  find: (kid: string) => Promise<Author>,
): Promise<Authors> {
  const found = [...new Set(kids)].map(
    async (kid) => [kid, [await find(kid), await book.keys(kid)]] as const,
  );
  return new Map(await Promise.all(found));
}

async function handler(intake: Intake, book: Book, kid: string): Promise<Author> {
  const member = await book.member(kid);
  const chosen = part(
    intake.handlers.find((candidate) => member.kids.includes(candidate.kid)),
    "handler whom the reporter did not choose",
  );
  const { participation } = chosen;
  const held = await book.appointment(chosen.appointment, { participation, capacity: Capacity.COUNSELLOR });
  insist(held.subject === member.subject && member.kids.includes(held.kid), "handler's role");
  return { kid, isReporter: false, member, appointment: held };
}
