/**
 * A reporter's own acts: report, talk, exclude, change the intake, withdraw, and see who opened what.
 *
 * The receipt's keys are all the authority there is. Texts are sealed here; what comes back is verified.
 */

import { Kind } from "../gen/common/v1/common_pb.js";
import type { Status } from "../gen/coordination/v1/coordination_pb.js";
import { ReporterService as Coordination } from "../gen/coordination/v1/coordination_service_pb.js";
import type { OpenedSection, Report, SectionHeader } from "../gen/disclosure/v1/disclosure_pb.js";
import { ReporterService as Disclosure } from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { Intake } from "../gen/statements/v1/statements_pb.js";
import { Book } from "./book.js";
import { Circle, type Person } from "./circle.js";
import { handlersOf, keysOfAll, verifiedIntake, writers } from "./handlers.js";
import { Holder } from "./holder.js";
import { all, every, inTurns } from "./paging.js";
import { Pins } from "./pins.js";
import {
  type Authors,
  allOpen,
  areNamed,
  Content,
  Reader,
  type Text,
  textsOf,
  type Unopened,
} from "./reading.js";
import { type Draft, type Seen, seenBy, submission } from "./reports.js";
import { seal } from "./sealing.js";
import { bookIn, insist, part } from "./served.js";

/** The reporter of one incident. */
export class ReporterClient extends Holder {
  readonly #pins = new Pins();

  /** Returns the newest intake, which this reporter signed. */
  async intake(): Promise<Intake> {
    return this.#signedIntake(await this.find());
  }

  /**
   * Seals and submits a report; repeats it, unchanged, until it is in or the time is over.
   *
   * @throws Refused - the server refused it; nothing was stored.
   */
  async report(draft: Draft): Promise<Report> {
    await this.agreeOnTime(true);
    const request = await submission(draft, this.keys, this.connection, this.voice);
    const answer = await this.call(Disclosure.method.submitReport, request, true);
    return part(answer.report, "report");
  }

  /** Returns how things stand, and when to look again. */
  async status(): Promise<Status> {
    const { name: incident } = await this.find();
    return part((await this.call(Coordination.method.getStatus, { incident })).status, "status");
  }

  /** Returns who can be chosen or sealed to for this incident, the independent point included. */
  async circle(): Promise<Circle> {
    return (await this.#authors(await this.find())).circle;
  }

  /** Sends a message to the handlers of the intake. */
  send(text: string): Promise<SectionHeader> {
    return this.add(Kind.MESSAGE, text);
  }

  /**
   * Adds a section, sealed to the reporter and the current handlers.
   *
   * @throws Unverified - a handler's key does not verify; nothing was sent.
   */
  async add(kind: Kind, content: string | Uint8Array): Promise<SectionHeader> {
    const report = await this.find();
    const { book } = await this.#authors(report);
    // Whom to seal to: the handlers of the intake that this reporter signed.
    const handlers = await handlersOf(await this.#signedIntake(report), book, report.handlerKids);
    const text = {
      section: `${report.name}/sections/${this.connection.newId()}`,
      kind,
      content,
      reporterKid: this.kid,
    };
    const readers = [this.keys.public, ...keysOfAll(handlers)];
    const section = await seal(this.keys, this.installation, text, readers, this.connection.device.random);
    const request = { section, requestId: this.connection.newRequestId() };
    const stored = part((await this.call(Disclosure.method.putSection, request)).section, "section");
    insist(stored.name === text.section, "another section");
    return stored;
  }

  /** Yields sections and messages, oldest first. */
  async *headers(): AsyncGenerator<SectionHeader, void, undefined> {
    const { name: incident } = await this.find();
    yield* every(
      (pageToken) => this.call(Disclosure.method.listSections, { incident, pageToken }),
      (page) => page.sections,
    );
  }

  /**
   * Opens sections of the reporter's own incident; each opening is recorded.
   *
   * One that its author sealed wrongly is among them, marked as unopened.
   *
   * @throws Unverified - a text is not what it says; nothing is shown.
   */
  async read(sections: readonly string[]): Promise<Text[]> {
    return textsOf(await this.#lookedAt(sections));
  }

  /** Returns the messages between reporter and handlers, oldest first. */
  async mailbox(): Promise<Text[]> {
    const headers = await all(this.headers());
    return this.read(headers.filter(({ kind }) => kind === Kind.MESSAGE).map(({ name }) => name));
  }

  /**
   * Replaces the intake; those who are no longer named lose their seats before this returns.
   *
   * @param people - Who handles from now on, verified people from `circle()`.
   * @param shared - Earlier sections that those who join may read; one that does not open cannot be shared.
   */
  async changeIntake(people: readonly Person[], shared: readonly string[] = []): Promise<Report> {
    const report = await this.find();
    const joining = people.filter((person) => !report.handlerKids.includes(person.kid));
    const contents = (await this.#lookedAt(shared)).filter((item) => item instanceof Content);
    const wraps = contents.flatMap((content) =>
      joining.map((person) => content.wrap(person.keys, report.name, [])),
    );
    const request = {
      incident: report.name,
      intake: await this.voice.intake(report.name, report.production, people),
      wraps: await Promise.all(wraps),
      requestId: this.connection.newRequestId(),
    };
    const changed = part((await this.call(Disclosure.method.changeIntake, request)).report, "report");
    // Seen now, so that the intake before it is never taken for the newest again.
    await this.#signedIntake(changed);
    return changed;
  }

  /** Excludes people or organisations, for ever; reading stops before this returns. */
  async exclude(subjects: readonly string[] = [], organisations: readonly string[] = []): Promise<Report> {
    const { name: incident } = await this.find();
    const exclusion = await this.voice.exclusion(incident, subjects, organisations);
    const request = { incident, exclusion, requestId: this.connection.newRequestId() };
    return part((await this.call(Disclosure.method.exclude, request)).report, "report");
  }

  /** Withdraws the whole report: nobody but the reporter can open anything when this returns. */
  async withdrawReport(): Promise<Report> {
    const { name: incident } = await this.find();
    const withdrawal = await this.voice.withdrawal(incident);
    const request = { incident, withdrawal, requestId: this.connection.newRequestId() };
    return part((await this.call(Disclosure.method.withdrawReport, request)).report, "report");
  }

  /**
   * Yields who opened what and when, newest first.
   *
   * @throws Unverified - nobody vouches for one of those who opened.
   */
  async *openings(): AsyncGenerator<Seen, void, undefined> {
    const { name: incident } = await this.find();
    yield* every(
      (pageToken) => this.call(Disclosure.method.listOpenings, { incident, pageToken }),
      (page) => {
        const book = new Book(this.installation, bookIn(page.book));
        return Promise.all(page.openings.map((opening) => seenBy(opening, book)));
      },
    );
  }

  /**
   * Opens and verifies sections, keeping their content keys for handing them on.
   *
   * @throws Unverified - one of them is not what it says, or does not open.
   */
  async contents(sections: readonly string[]): Promise<Content[]> {
    return allOpen(await this.#lookedAt(sections));
  }

  async #lookedAt(sections: readonly string[]): Promise<(Content | Unopened)[]> {
    const report = await this.find();
    const opened = await inTurns(sections, (some) => this.#opened(report.name, some));
    const kids = new Set(opened.flatMap((section) => section.header?.authorKid || []));
    kids.delete(this.kid);
    const authors = kids.size > 0 ? await this.#knownAuthors(report, kids) : new Map();
    const reader = new Reader(this.eyes, this.keys.public, report.name, [], authors);
    return Promise.all(opened.map((section) => reader.look(section, report.name)));
  }

  /** Returns who wrote: counsellors of this circle, those included who have left the intake since. */
  async #knownAuthors(report: Report, kids: Iterable<string>): Promise<Authors> {
    const { book, circle } = await this.#authors(report);
    return writers(kids, book, await this.#signedIntake(report), circle);
  }

  async #authors(report: Report): Promise<{ readonly book: Book; readonly circle: Circle }> {
    const answer = await this.call(Disclosure.method.getCircle, { incident: report.name });
    return {
      book: new Book(this.installation, bookIn(answer.handlers)),
      circle: new Circle(part(answer.circle, "circle"), this.installation),
    };
  }

  /** Returns the newest intake; going back to an older one than was seen is refused. */
  async #signedIntake(report: Report): Promise<Intake> {
    const intake = await verifiedIntake(report.intake, this.public, this.installation, report.name);
    await this.#pins.check(report.name, this.kid, intake.sequence);
    return intake;
  }

  async #opened(incident: string, sections: readonly string[]): Promise<readonly OpenedSection[]> {
    const request = { incident, sections: [...sections], requestId: this.connection.newRequestId() };
    const answer = await this.call(Disclosure.method.openSections, request);
    insist(areNamed(answer.sections, sections), "sections");
    return answer.sections;
  }
}
