/** What a reporter sends and sees: a report before it is sent, and who opened it afterwards. */

import type { VerifiedMember } from "../crypto/chains.js";
import type { SecretKeys } from "../crypto/keys.js";
import { Capacity, type Category, type Kind, Language, OpeningCapacity } from "../gen/common/v1/common_pb.js";
import type { Opening } from "../gen/disclosure/v1/disclosure_pb.js";
import type { Book } from "./book.js";
import type { Person } from "./circle.js";
import type { Connection } from "./connection.js";
import { seal } from "./sealing.js";
import { insist } from "./served.js";
import type { Voice } from "./speaking.js";

/** A report before it is sent. */
export interface Draft {
  /** What is told, by kind. */
  readonly texts: ReadonlyMap<Kind, string | Uint8Array>;
  /** Who handles it, verified people from a circle. */
  readonly intake: readonly Person[];
  /** `productions/{production}`; empty for the standing entry. */
  readonly production?: string;
  /** What kind of behaviour; may be empty. */
  readonly categories?: readonly Category[];
  /** The reporter's. */
  readonly language?: Language;
  /** Persons and systems who must never know. */
  readonly excludedSubjects?: readonly string[];
  /** Organisations whose people must never know. */
  readonly excludedOrganisations?: readonly string[];
  /** `incidents/{incident}` to report it as: whoever repeats a report knows by it which one arrived. New when absent. */
  readonly incident?: string;
}

/** Returns a draft sealed and signed, as a new incident of the reporter with these keys. */
export async function submission(draft: Draft, keys: SecretKeys, connection: Connection, voice: Voice) {
  const { production = "", categories = [], language = Language.NL } = draft;
  const { excludedSubjects = [], excludedOrganisations = [] } = draft;
  const incident = draft.incident ?? `incidents/${connection.newId()}`;
  const readers = [keys.public, ...draft.intake.map((person) => person.keys)];
  const { random } = connection.device;
  const sections = [...draft.texts].map(([kind, content]) => {
    const section = `${incident}/sections/${connection.newId()}`;
    const text = { section, kind, content, reporterKid: keys.kid };
    return seal(keys, connection.installation, text, readers, random);
  });
  const excludes = excludedSubjects.length + excludedOrganisations.length > 0;
  return {
    incident,
    sections: await Promise.all(sections),
    intake: await voice.intake(incident, production, draft.intake),
    categories: [...categories],
    language,
    requestId: connection.newRequestId(),
    ...(excludes && {
      exclusion: await voice.exclusion(incident, excludedSubjects, excludedOrganisations),
    }),
  };
}

/** One recorded opening, and who it was. */
export interface Seen {
  /** As recorded before a byte left. */
  readonly opening: Opening;
  /** Whose key opened, verified; absent for the reporter's own openings. */
  readonly who: VerifiedMember | undefined;
  /** The role it was opened in, as its organisation gave it; empty for the reporter. */
  readonly role: string;
}

/**
 * Returns an opening with who it was, as `book` proves.
 *
 * @throws Unverified - nobody vouches for whoever opened, or for the role.
 */
export async function seenBy(opening: Opening, book: Book): Promise<Seen> {
  if (opening.capacity === OpeningCapacity.REPORTER) {
    return { opening, who: undefined, role: "" };
  }
  const who = await book.member(opening.kid);
  insist(who.subject === opening.subject, "opening by another");
  const isReader = opening.capacity === OpeningCapacity.READER;
  const held = await book.appointmentOf(opening.kid, {
    participation: opening.participation,
    capacity: isReader ? Capacity.SAFETY_CONTACT : Capacity.COUNSELLOR,
  });
  return { opening, who, role: held.role };
}
