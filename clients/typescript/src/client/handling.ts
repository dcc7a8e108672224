/** A handler's acts: see the case, talk with the reporter, note, propose. Reporters are pinned. */

import type { PublicKeys } from "../crypto/keys.js";
import { Kind, type NoticeState, type Signed } from "../gen/common/v1/common_pb.js";
import type { SectionHeader } from "../gen/disclosure/v1/disclosure_pb.js";
import {
  HandlerService as Disclosure,
  type HandlerServiceOpenSectionsResponse,
  type ProposeNoticeResponse,
} from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { Intake } from "../gen/statements/v1/statements_pb.js";
import { Cases } from "./cases.js";
import type { Circle } from "./circle.js";
import { MeldbrugError } from "./errors.js";
import { type Case, handlersOf, keysOfAll, verifiedIntake, writers } from "./handlers.js";
import { incidentOf } from "./names.js";
import { all, every, inTurns, type Listed } from "./paging.js";
import type { Pins } from "./pins.js";
import { type Decided, type Proposal, Proposing } from "./proposing.js";
import {
  type Authors,
  allOpen,
  areNamed,
  type Content,
  Reader,
  type Text,
  textsOf,
  type Unopened,
} from "./reading.js";
import { seal } from "./sealing.js";
import { insist, keysOf, part } from "./served.js";
import type { Session } from "./session.js";

/** The cases of one handler. */
export class Handling extends Cases {
  readonly #session: Session;
  readonly #pins: Pins;
  readonly #proposing: Proposing;

  /** Acts with the member's key; `pins` remembers reporters. */
  constructor(session: Session, pins: Pins) {
    super(session);
    this.#session = session;
    this.#pins = pins;
    this.#proposing = new Proposing(session);
  }

  /**
   * Returns the report with its reporter and handlers, all verified.
   *
   * @throws Unverified - the reporter changed, or the intake is not the reporter's or names others only.
   */
  async report(incident: string): Promise<Case> {
    const answer = await this.#session.call(Disclosure.method.getReport, { incident });
    const report = part(answer.report, "report of another incident");
    insist(report.name === incident, "report of another incident");
    const reporter = await keysOf(report.reporterKeys);
    const intake = await this.#seenIntake(report.intake, reporter, incident);
    const kids = [this.#session.kid, ...report.handlerKids];
    const book = await this.#session.lookUp([...kids, ...intake.handlers.map(({ kid }) => kid)]);
    return { report, reporter, intake, handlers: await handlersOf(intake, book, kids) };
  }

  /**
   * Returns who can be addressed.
   *
   * @param incident - `incidents/{incident}`.
   * @param organisation - Whose contacts to look up, for an incident without production; by the independent point only.
   * @throws MeldbrugError - the incident has no production and no organisation is named.
   */
  async circle(incident: string, organisation = ""): Promise<Circle> {
    const { production } = (await this.report(incident)).intake;
    if (production) {
      return this.#session.circle(production);
    }
    if (!organisation) {
      throw new MeldbrugError("the report names no production: say which organisation to address");
    }
    return this.#session.participationsOf(organisation);
  }

  /** Lists sections, messages and notes that the caller can open, oldest first. */
  headers(incident: string): Listed<SectionHeader> {
    return every(
      (pageToken) => this.#session.call(Disclosure.method.listSections, { incident, pageToken }),
      (page) => page.sections,
    );
  }

  /**
   * Opens sections, all of them unless some are named; each opening is recorded for the reporter.
   *
   * One that its author sealed wrongly is among them, marked as unopened.
   *
   * @throws Unverified - a text is not what it says; nothing is shown.
   */
  async read(incident: string, sections?: readonly string[]): Promise<Text[]> {
    const names = sections ?? (await all(this.headers(incident))).map(({ name }) => name);
    return textsOf(await this.#lookedAt(incident, names));
  }

  /** Returns the messages between reporter and handlers, oldest first. */
  async mailbox(incident: string): Promise<Text[]> {
    const headers = await all(this.headers(incident));
    const messages = headers.filter(({ kind }) => kind === Kind.MESSAGE);
    return this.read(
      incident,
      messages.map(({ name }) => name),
    );
  }

  /** Sends a message to the reporter; the other handlers can read it too. */
  send(incident: string, text: string): Promise<SectionHeader> {
    return this.add(incident, Kind.MESSAGE, text);
  }

  /** Keeps a note among handlers; the reporter cannot open it. */
  note(incident: string, text: string): Promise<SectionHeader> {
    return this.add(incident, Kind.INTERNAL_NOTE, text);
  }

  /** Adds a section, sealed to the current handlers and, unless it is a note, the reporter. */
  async add(incident: string, kind: Kind, content: string | Uint8Array): Promise<SectionHeader> {
    return this.#put(await this.report(incident), this.#newSection(incident), 1, kind, content);
  }

  /** Writes a new version of the caller's own section; what was consented to stays the old one. */
  async replace(section: string, content: string | Uint8Array): Promise<SectionHeader> {
    const incident = incidentOf(section);
    const found = (await all(this.headers(incident))).filter(({ name }) => name === section).at(-1);
    if (!found) {
      throw new MeldbrugError("there is no such section");
    }
    return this.#put(await this.report(incident), section, found.version + 1, found.kind, content);
  }

  /**
   * Asks the reporter to consent to a notice; nothing is shared by it.
   *
   * @throws Unverified - a reader or a section does not verify.
   * @throws Refused - as `error.proto` says; the reporter was not asked.
   */
  async propose(incident: string, proposal: Proposal): Promise<ProposeNoticeResponse> {
    const found = await this.report(incident);
    const names = [...(proposal.sections ?? [])];
    for (const [kind, content] of proposal.texts ?? []) {
      names.push((await this.#put(found, this.#newSection(incident), 1, kind, content)).name);
    }
    const refs = (await this.contents(incident, names)).map((content) => content.ref);
    return this.#proposing.propose(found.report.name, found.reporter, found.handlers, refs, proposal);
  }

  /**
   * Records a new decision on a notice; one that does not stand has closed it when this returns.
   *
   * @param notice - `incidents/{incident}/notices/{notice}`.
   * @param decided - The decision.
   * @param recipient - `participations/{participation}`; looked up when absent.
   */
  async decide(notice: string, decided: Decided, recipient?: string): Promise<NoticeState> {
    const { reporter, handlers } = await this.report(incidentOf(notice));
    const addressed = recipient ?? (await this.#recipient(notice));
    return this.#proposing.decide(notice, addressed, reporter, handlers, decided);
  }

  /**
   * Opens and verifies sections, in the order asked for.
   *
   * @throws Unverified - one of them is not what it says, or does not open.
   */
  async contents(incident: string, sections: readonly string[]): Promise<Content[]> {
    return allOpen(await this.#lookedAt(incident, sections));
  }

  #lookedAt(incident: string, sections: readonly string[]): Promise<(Content | Unopened)[]> {
    return inTurns(sections, (some) => this.#opened(incident, some));
  }

  async #opened(incident: string, sections: readonly string[]): Promise<(Content | Unopened)[]> {
    const requestId = this.#session.connection.newRequestId();
    const request = { incident, sections: [...sections], requestId };
    const answer = await this.#session.call(Disclosure.method.openSections, request);
    insist(areNamed(answer.sections, sections), "sections");
    const reporter = await keysOf(answer.reporterKeys);
    const intake = await this.#seenIntake(answer.intake, reporter, incident);
    const authors = await this.#authors(intake, answer, reporter);
    const reader = new Reader(this.#session.eyes, reporter, incident, [], authors);
    return Promise.all(answer.sections.map((opened) => reader.look(opened, incident)));
  }

  /** Returns who wrote, after checking that the intake names these eyes, by this or an earlier key. */
  async #authors(
    intake: Intake,
    answer: HandlerServiceOpenSectionsResponse,
    reporter: PublicKeys,
  ): Promise<Authors> {
    const kids = new Set(answer.sections.flatMap(({ header }) => header?.authorKid || []));
    kids.delete(reporter.kid);
    const chosen = intake.handlers.map(({ kid }) => kid);
    const book = await this.#session.lookUp([this.#session.kid, ...kids, ...chosen]);
    await handlersOf(intake, book, [this.#session.kid]);
    const haveLeft = [...kids].some((kid) => !chosen.includes(kid));
    const circle = intake.production && haveLeft ? await this.#session.circle(intake.production) : undefined;
    return writers(kids, book, intake, circle);
  }

  async #seenIntake(signed: Signed | undefined, reporter: PublicKeys, incident: string): Promise<Intake> {
    const intake = await verifiedIntake(signed, reporter, this.#session.installation, incident);
    await this.#pins.check(incident, reporter.kid, intake.sequence);
    return intake;
  }

  async #put(
    { handlers, reporter }: Case,
    section: string,
    version: number,
    kind: Kind,
    content: string | Uint8Array,
  ): Promise<SectionHeader> {
    const { keys, installation, connection } = this.#session;
    const readers = keysOfAll(handlers);
    if (kind !== Kind.INTERNAL_NOTE) {
      readers.unshift(reporter);
    }
    const text = { section, version, kind, content, reporterKid: reporter.kid };
    const sealed = await seal(keys, installation, text, readers, connection.device.random);
    const request = { section: sealed, requestId: connection.newRequestId() };
    const stored = part((await this.#session.call(Disclosure.method.putSection, request)).section, "section");
    insist(stored.name === section, "another section");
    return stored;
  }

  #newSection(incident: string): string {
    return `${incident}/sections/${this.#session.connection.newId()}`;
  }

  async #recipient(notice: string): Promise<string> {
    for await (const sent of this.notices(incidentOf(notice))) {
      if (sent.name === notice) {
        return sent.recipient;
      }
    }
    throw new MeldbrugError("there is no such notice");
  }
}
