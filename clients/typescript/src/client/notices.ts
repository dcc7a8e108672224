/** A notice as its reader may read it: held against decision, consent and re-wraps before that. */

import { equal } from "../crypto/bytes.js";
import { CryptoError } from "../crypto/errors.js";
import type { PublicKeys } from "../crypto/keys.js";
import { digestOf } from "../crypto/sealing.js";
import { parse, type Said, type StatementKind } from "../crypto/statements.js";
import { CLOCK_SKEW_S, TOKEN_LIFETIME_S } from "../crypto/tokens.js";
import type { Kind, Purpose, Signed } from "../gen/common/v1/common_pb.js";
import type { OpenedSection, SectionHeader } from "../gen/disclosure/v1/disclosure_pb.js";
import type { OpenSectionsResponse } from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { Consent, Decision, Rewrap_Item, SectionRef } from "../gen/statements/v1/statements_pb.js";
import type { Book } from "./book.js";
import { Unverified } from "./errors.js";
import { counsellor } from "./handlers.js";
import { incidentOf } from "./names.js";
import { type Author, type Authors, type Eyes, Reader, type Text } from "./reading.js";
import { dateOf, insist, keysOf, part, signedIn, spoken } from "./served.js";

/** How far a device's clock may be off before a token is refused and the clock corrected. */
const CLOCK_TOLERANCE_MS = (TOKEN_LIFETIME_S + CLOCK_SKEW_S) * 1000;

/** A notice as its reader may read it, and by whose yes. */
export interface OpenedNotice {
  /** `incidents/{incident}/notices/{notice}`. */
  readonly notice: string;
  /** What was opened, by kind. */
  readonly texts: readonly Text[];
  /** The reporter's statement, verified. */
  readonly consent: Consent;
  /** The handler's statement, verified. */
  readonly decision: Decision;
  /** Who decided to propose it. */
  readonly handler: Author;
}

/** What a reader asked for and knows beside the answer. */
export interface AskedNotice {
  readonly notice: string;
  /** Kinds asked for; empty for all. */
  readonly kinds: readonly Kind[];
  /** As stated. */
  readonly purpose: Purpose;
  /** The participation that the stub names as sender. */
  readonly sender: string;
  /** The corrected time. */
  readonly now: Date;
}

/**
 * Returns a notice's texts after checking every statement that lets these eyes read them.
 *
 * @param eyes - Whose key reads.
 * @param asked - What was asked for.
 * @param answer - What the server gave.
 * @param book - What vouches for the handler and for these eyes' own earlier keys.
 * @throws Unverified - any of it is not what it says.
 */
export async function readNotice(
  eyes: Eyes,
  asked: AskedNotice,
  answer: OpenSectionsResponse,
  book: Book,
): Promise<OpenedNotice> {
  const { notice, sender } = asked;
  const reporter = await keysOf(answer.reporterKeys);
  const [decision, handler] = await decided(answer.decision, asked, reporter, book, eyes);
  const consent = await given(answer.consent, notice, reporter, decision, eyes);
  requireInForce(consent, asked.now);
  insist(consent.purposes.includes(asked.purpose), "purpose");
  const promised = await promisedTo(eyes, consent, answer.rewraps, book);
  const others = await authorsBeside(answer, reporter, handler, book, sender);
  const authors = new Map([[handler.kid, [handler, await book.keys(handler.kid)] as const], ...others]);
  const reader = new Reader(eyes, reporter, consent.consent, consent.purposes, authors);
  const texts: Text[] = [];
  for (const opened of answer.sections) {
    await requirePromised(opened, consent, promised);
    texts.push((await reader.content(opened, incidentOf(notice))).text);
  }
  const kinds = new Set(texts.map(({ kind }) => kind));
  insist(asked.kinds.length === 0 || isSame(kinds, new Set(asked.kinds)), "kinds");
  return { notice, texts, consent, decision, handler };
}

/**
 * Returns when the consent is in force at a moment, as far as a device's clock can tell.
 *
 * @throws Unverified - it is over, or has not begun.
 */
export function requireInForce(consent: Consent, now: Date): void {
  const [since, until] = [dateOf(consent.validFrom).getTime(), dateOf(consent.validUntil).getTime()];
  const moment = now.getTime();
  insist(
    since <= moment + CLOCK_TOLERANCE_MS && moment - CLOCK_TOLERANCE_MS < until,
    "consent is not in force",
  );
}

/**
 * Returns what re-wraps hand to these eyes, each step signed by the key before it.
 *
 * @throws Unverified - no unbroken line leads from the readers consented to to these eyes.
 */
export async function handedOver(
  rewraps: readonly Signed[],
  consent: Consent,
  eyes: Eyes,
  book: Book,
): Promise<Rewrap_Item[]> {
  const reached = new Set(consent.readerKids);
  const handed = new Map<string, Rewrap_Item[]>();
  for (const signed of rewraps) {
    const { oldKid } = claimed("rewrap", signed, "re-wrap");
    insist(reached.has(oldKid), "re-wrap by another");
    const step = await spoken("rewrap", signed, await book.keys(oldKid));
    insist(
      step.installation === eyes.installation &&
        step.incident === consent.incident &&
        step.grant === consent.consent,
      "re-wrap of another grant",
    );
    reached.add(step.newKid);
    handed.set(step.newKid, [...(handed.get(step.newKid) ?? []), ...step.items]);
  }
  return part(handed.get(eyes.keys.kid), "reader");
}

/** Returns a statement UNVERIFIED, to learn whose key it names. */
export function claimed<K extends StatementKind>(kind: K, signed: Signed | undefined, what: string): Said<K> {
  try {
    return parse(kind, signedIn(signed));
  } catch (error) {
    throw error instanceof CryptoError ? new Unverified(what) : error;
  }
}

async function decided(
  signed: Signed | undefined,
  { notice, sender }: AskedNotice,
  reporter: PublicKeys,
  book: Book,
  eyes: Eyes,
): Promise<readonly [Decision, Author]> {
  const { handlerKid } = claimed("decision", signed, "decision");
  const handler = await counsellor(book, handlerKid, [sender]);
  const decision = await spoken("decision", signed, await book.keys(handlerKid));
  insist(
    decision.installation === eyes.installation && decision.notice === notice,
    "decision on another notice",
  );
  insist(decision.reporterKid === reporter.kid, "decision about another reporter");
  insist(decision.stands, "decision does not stand");
  return [decision, handler];
}

async function given(
  signed: Signed | undefined,
  notice: string,
  reporter: PublicKeys,
  decision: Decision,
  eyes: Eyes,
): Promise<Consent> {
  const consent = await spoken("consent", signed, reporter);
  insist(
    consent.installation === eyes.installation && consent.notice === notice,
    "consent to another notice",
  );
  insist(consent.incident === incidentOf(notice), "consent on another incident");
  insist(consent.reporterKid === reporter.kid, "consent of another reporter");
  insist(consent.recipient === decision.recipient, "consent for another recipient");
  return consent;
}

/** Returns the digest of each section's wrap for these eyes, by the consent or re-wraps from it. */
async function promisedTo(
  eyes: Eyes,
  consent: Consent,
  rewraps: readonly Signed[],
  book: Book,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { kid } = eyes.keys;
  if (consent.readerKids.includes(kid)) {
    const own = consent.wraps.filter(({ readerKid }) => readerKid === kid);
    return new Map(own.map(({ section, wrapDigest }) => [section, wrapDigest]));
  }
  const handed = await handedOver(rewraps, consent, eyes, book);
  for (const item of handed) {
    const ref = refOf(consent, item.section, item.version);
    insist(ref && equal(ref.commitment, item.commitment), "re-wrap");
  }
  return new Map(handed.map(({ section, wrapDigest }) => [section, wrapDigest]));
}

async function requirePromised(
  opened: OpenedSection,
  consent: Consent,
  promised: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const header = part(opened.header, "section that was not consented to");
  const ref = refOf(consent, header.name, header.version);
  insist(ref && isOf(ref, header), "section that was not consented to");
  const digest = promised.get(header.name);
  insist(
    digest && equal(await digestOf(part(opened.wrap, "wrap").wrap), digest),
    "wrap that was not consented to",
  );
}

/** Returns handlers other than the one who decided whose texts are in the answer. */
async function authorsBeside(
  answer: OpenSectionsResponse,
  reporter: PublicKeys,
  handler: Author,
  book: Book,
  sender: string,
): Promise<Authors> {
  const kids = new Set(answer.sections.flatMap(({ header }) => header?.authorKid || []));
  kids.delete(reporter.kid);
  kids.delete(handler.kid);
  const found = [...kids].map(
    async (kid) => [kid, [await counsellor(book, kid, [sender]), await book.keys(kid)]] as const,
  );
  return new Map(await Promise.all(found));
}

function refOf(consent: Consent, section: string, version: number): SectionRef | undefined {
  return consent.sections.find((ref) => ref.section === section && ref.version === version);
}

function isOf(ref: SectionRef, header: SectionHeader): boolean {
  return (
    ref.kind === header.kind && equal(ref.digest, header.digest) && equal(ref.commitment, header.commitment)
  );
}

function isSame(one: ReadonlySet<number>, other: ReadonlySet<number>): boolean {
  return one.size === other.size && [...one].every((item) => other.has(item));
}
