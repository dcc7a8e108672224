/** What a reporter is shown before the answer, what can be answered, and what was answered before. */

import type { Language, Purpose } from "../gen/common/v1/common_pb.js";
import type { ConsentRequest } from "../gen/disclosure/v1/disclosure_pb.js";
import type { Consent, Decision, Refusal, Withdrawal } from "../gen/statements/v1/statements_pb.js";
import type { Circle, Person } from "./circle.js";
import { MeldbrugError } from "./errors.js";
import type { Author, Content, Text } from "./reading.js";
import { insist, part } from "./served.js";

/** A notice exactly as its readers would see it, verified. */
export interface Preview {
  /** What the handler asks. */
  readonly request: ConsentRequest;
  /** What readers would read, in their order. */
  readonly texts: readonly Text[];
  /** Who they are, by name and role; systems are marked. */
  readonly readers: readonly Person[];
  /** Whose they are. */
  readonly organisationTitle: string;
  /** Who asks. */
  readonly handler: Author;
  /** The handler's signed ground. */
  readonly decision: Decision;
  /** In which language it is shown. */
  readonly language: Language;
  /** Until when at the latest. */
  readonly validUntil: Date;
  /** The sections with their keys, for handing them on. */
  readonly contents: readonly Content[];
}

/** A part of what was asked; what is left out stays as it was asked. */
export interface Yes {
  /** Only these readers. */
  readonly readerKids?: readonly string[];
  /** Only these sections. */
  readonly sections?: readonly string[];
  /** Only these purposes. */
  readonly purposes?: readonly Purpose[];
  /** Only until then, whole seconds. */
  readonly validUntil?: Date;
}

/** Everything that was asked. */
export const WHOLE: Yes = {};

/** One act of the reporter on a notice, as signed. */
export type Act = {
  /** `incidents/{incident}/notices/{notice}`. */
  readonly notice: string;
  /** When the service stored it, as the service says. */
  readonly createTime: Date;
} & (
  | { readonly kind: "consent"; readonly statement: Consent }
  | { readonly kind: "refusal"; readonly statement: Refusal }
  | { readonly kind: "withdrawal"; readonly statement: Withdrawal }
);

/**
 * Returns whose these readers are, as it was vouched for with each of them.
 *
 * The list of participations and organisations is nobody's statement: what is shown with it must not be another
 * organisation than the one the readers belong to.
 *
 * @throws Unverified - a reader is of another organisation than the recipient.
 */
export async function organisationTitle(
  circle: Circle,
  participation: string,
  readers: readonly Person[],
): Promise<string> {
  const organisation = circle.organisation(participation).name;
  insist(
    readers.every((reader) => reader.member.organisation === organisation),
    "readers' organisation",
  );
  const [first] = readers;
  return first?.member.organisationTitle ?? part((await circle.titles()).get(organisation), "organisation");
}

/**
 * Returns the sections of a part.
 *
 * @throws MeldbrugError - it has none, or one that was not asked for.
 */
export function chosenSections(preview: Preview, { sections = [] }: Yes): Content[] {
  const chosen = picked(preview.contents, (content) => content.header.name, sections, "a section");
  if (chosen.length === 0) {
    throw new MeldbrugError("nothing is left to consent to");
  }
  return chosen;
}

/**
 * Returns the readers of a part.
 *
 * @throws MeldbrugError - it has none, or one who was not asked for.
 */
export function chosenReaders(preview: Preview, { readerKids = [] }: Yes): Person[] {
  const chosen = picked(preview.readers, (reader) => reader.kid, readerKids, "a reader");
  if (chosen.length === 0) {
    throw new MeldbrugError("nobody is left to consent to");
  }
  return chosen;
}

/** Returns the purposes of a part, checked like sections and readers. */
export function chosenPurposes(preview: Preview, { purposes = [] }: Yes): Purpose[] {
  return picked(preview.request.purposes, String, purposes.map(String), "a purpose");
}

function picked<T>(
  asked: readonly T[],
  nameOf: (item: T) => string,
  names: readonly string[],
  what: string,
): T[] {
  const known = asked.map(nameOf);
  if (names.some((name) => !known.includes(name))) {
    throw new MeldbrugError(`${what} was not asked for`);
  }
  return asked.filter((item) => names.length === 0 || names.includes(nameOf(item)));
}
