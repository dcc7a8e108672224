/** The reporter's answers to what a handler asks: see what readers would see, then yes, no, or a part. */

import { timestampFromDate } from "@bufbuild/protobuf/wkt";

import { equal } from "../crypto/bytes.js";
import { CryptoError } from "../crypto/errors.js";
import { previewDigest } from "../crypto/preview.js";
import { digestOf } from "../crypto/sealing.js";
import { parse, type ToSay } from "../crypto/statements.js";
import { Language, type Purpose } from "../gen/common/v1/common_pb.js";
import type { ConsentEvent, ConsentRequest, Wrap } from "../gen/disclosure/v1/disclosure_pb.js";
import { ReporterService } from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { Decision, SectionRef } from "../gen/statements/v1/statements_pb.js";
import { Book } from "./book.js";
import { Circle, named, type Person } from "./circle.js";
import { Unverified } from "./errors.js";
import { counsellor } from "./handlers.js";
import { incidentOf } from "./names.js";
import { every } from "./paging.js";
import {
  type Act,
  chosenPurposes,
  chosenReaders,
  chosenSections,
  organisationTitle,
  type Preview,
  WHOLE,
  type Yes,
} from "./previews.js";
import type { Author, Content } from "./reading.js";
import type { ReporterClient } from "./reporter.js";
import { bookIn, dateOf, insist, part, signedIn, spoken } from "./served.js";

/** Version of how a notice is shown, to reporter and readers alike. */
export const TEMPLATE = "notice/v1";

/** The consents of one reporter. */
export class Consents {
  readonly #reporter: ReporterClient;

  /** Acts with the reporter's key. */
  constructor(reporter: ReporterClient) {
    this.#reporter = reporter;
  }

  /** Yields what was asked, newest first. */
  async *requests(): AsyncGenerator<ConsentRequest, void, undefined> {
    const { name: incident } = await this.#reporter.find();
    yield* every(
      (pageToken) => this.#reporter.call(ReporterService.method.listConsentRequests, { incident, pageToken }),
      (page) => page.consentRequests,
    );
  }

  /**
   * Returns the notice as its readers would see it.
   *
   * @throws Unverified - a reader, the handler, the decision or a text does not verify; do not answer yes.
   */
  async preview(notice: string, language: Language = Language.NL): Promise<Preview> {
    const answer = await this.#reporter.call(ReporterService.method.getConsentRequest, { notice });
    const asked = part(answer.consentRequest, "another notice");
    insist(asked.notice === notice, "another notice");
    const book = new Book(this.#reporter.installation, bookIn(asked.book));
    const circle = new Circle(part(answer.circle, "circle"), this.#reporter.installation);
    const [decision, handler] = await this.#decision(asked, book);
    const contents = await this.#contents(asked);
    const readers = named(await circle.safetyContacts(asked.recipient), asked.readerKids);
    return {
      request: asked,
      texts: contents.map((content) => content.text),
      readers,
      organisationTitle: await organisationTitle(circle, asked.recipient, readers),
      handler,
      decision,
      language,
      validUntil: dateOf(asked.validUntil),
      contents,
    };
  }

  /**
   * Says yes to what the preview showed, or to a part of it.
   *
   * @throws MeldbrugError - the part is empty, or not a part of what was asked.
   * @throws Refused - the server refused it; the state is unchanged.
   */
  async give(preview: Preview, yes: Yes = WHOLE): Promise<ConsentRequest> {
    const contents = chosenSections(preview, yes);
    const readers = chosenReaders(preview, yes);
    const purposes = chosenPurposes(preview, yes);
    await this.#reporter.agreeOnTime();
    const consent = `consents/${this.#reporter.connection.newId()}`;
    const wraps = await Promise.all(
      contents.flatMap((content) => readers.map((reader) => content.wrap(reader.keys, consent, purposes))),
    );
    const statement = await this.#statement(preview, consent, contents, readers, purposes, yes, wraps);
    const request = {
      notice: preview.request.notice,
      consent: await this.#reporter.sign("consent", statement),
      wraps,
      requestId: this.#reporter.connection.newRequestId(),
    };
    const answer = await this.#reporter.call(ReporterService.method.giveConsent, request);
    return part(answer.consentRequest, "answer");
  }

  /** Says no; to everyone else it stays unanswered. */
  async refuse(notice: string): Promise<ConsentRequest> {
    await this.#reporter.agreeOnTime();
    const refusal = await this.#reporter.voice.refusal(notice);
    const request = { notice, refusal, requestId: this.#reporter.connection.newRequestId() };
    const answer = await this.#reporter.call(ReporterService.method.refuseConsent, request);
    return part(answer.consentRequest, "answer");
  }

  /** Takes a yes back, whole or for some readers or sections; reading has stopped when this returns. */
  async withdraw(notice: string, some: Pick<Yes, "readerKids" | "sections"> = {}): Promise<ConsentRequest> {
    await this.#reporter.agreeOnTime();
    const incident = incidentOf(notice);
    const withdrawal = await this.#reporter.voice.withdrawal(
      incident,
      notice,
      some.readerKids,
      some.sections,
    );
    const request = { notice, withdrawal, requestId: this.#reporter.connection.newRequestId() };
    const answer = await this.#reporter.call(ReporterService.method.withdrawConsent, request);
    return part(answer.consentRequest, "answer");
  }

  /**
   * Yields consents, refusals and withdrawals as this reporter signed them, newest first.
   *
   * @throws Unverified - one of them is not the reporter's.
   */
  async *history(): AsyncGenerator<Act, void, undefined> {
    const { name: incident } = await this.#reporter.find();
    yield* every(
      (pageToken) => this.#reporter.call(ReporterService.method.listConsentEvents, { incident, pageToken }),
      (page) => Promise.all(page.events.map((event) => this.#act(event))),
    );
  }

  async #act(event: ConsentEvent): Promise<Act> {
    const reporter = this.#reporter.public;
    const said = { notice: event.notice, createTime: dateOf(event.createTime) };
    if (event.consent) {
      return { ...said, kind: "consent", statement: await spoken("consent", event.consent, reporter) };
    }
    if (event.refusal) {
      return { ...said, kind: "refusal", statement: await spoken("refusal", event.refusal, reporter) };
    }
    const statement = await spoken("withdrawal", event.withdrawal, reporter);
    return { ...said, kind: "withdrawal", statement };
  }

  async #decision(asked: ConsentRequest, book: Book): Promise<readonly [Decision, Author]> {
    const { handlerKid } = claimed(asked);
    const intake = await this.#reporter.intake();
    const participations = intake.handlers.map((chosen) => chosen.participation);
    const handler = await counsellor(book, handlerKid, participations);
    const decision = await spoken("decision", asked.decision, await book.keys(handlerKid));
    insist(decision.installation === this.#reporter.installation, "decision of another installation");
    insist(decision.notice === asked.notice && decision.recipient === asked.recipient, "decision");
    insist(decision.reporterKid === this.#reporter.kid, "decision about another reporter");
    return [decision, handler];
  }

  /** Opens what readers would read, and checks that it is what was asked about. */
  async #contents(asked: ConsentRequest): Promise<Content[]> {
    const contents = await this.#reporter.contents(asked.sections.map(({ section }) => section));
    const areAsked = contents.every(({ ref }, at) => isSame(ref, asked.sections[at]));
    insist(areAsked && contents.length === asked.sections.length, "sections");
    return contents;
  }

  async #statement(
    preview: Preview,
    consent: string,
    contents: readonly Content[],
    readers: readonly Person[],
    purposes: Purpose[],
    yes: Yes,
    wraps: readonly Wrap[],
  ): Promise<ToSay<"consent">> {
    const { notice, recipient, termsVersion } = preview.request;
    const digests = contents.map((content) => content.header.digest);
    const { clock } = this.#reporter.connection;
    return {
      installation: this.#reporter.installation,
      incident: incidentOf(notice),
      notice,
      consent,
      reporterKid: this.#reporter.kid,
      recipient,
      readerKids: readers.map((reader) => reader.kid),
      sections: contents.map((content) => content.ref),
      purposes,
      validFrom: wholeSeconds(clock.now()),
      validUntil: wholeSeconds(yes.validUntil ?? preview.validUntil),
      termsVersion,
      wraps: await Promise.all(
        wraps.map(async ({ readerKid, section, wrap }) => ({
          readerKid,
          section,
          wrapDigest: await digestOf(wrap),
        })),
      ),
      previewDigest: await previewDigest(notice, digests, TEMPLATE, preview.language),
      previewTemplate: TEMPLATE,
      previewLanguage: preview.language,
      sequence: clock.sequence(),
    };
  }
}

/** Returns a moment in whole seconds. */
export function wholeSeconds(moment: Date) {
  return timestampFromDate(new Date(Math.floor(moment.getTime() / 1000) * 1000));
}

function claimed(asked: ConsentRequest): Decision {
  try {
    return parse("decision", signedIn(asked.decision));
  } catch (error) {
    throw error instanceof CryptoError ? new Unverified("decision") : error;
  }
}

function isSame(ref: SectionRef, asked: SectionRef | undefined): boolean {
  return (
    asked !== undefined &&
    ref.section === asked.section &&
    ref.version === asked.version &&
    ref.kind === asked.kind &&
    equal(ref.digest, asked.digest) &&
    equal(ref.commitment, asked.commitment)
  );
}
