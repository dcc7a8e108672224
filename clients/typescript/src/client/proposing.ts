/** Proposing a notice: what the handler decides, why, and whom the reporter is asked about. */

import type { PublicKeys } from "../crypto/keys.js";
import {
  Capacity,
  type Ground,
  Kind,
  type NoticeState,
  type Purpose,
  type Signed,
} from "../gen/common/v1/common_pb.js";
import type { NewSection } from "../gen/disclosure/v1/disclosure_pb.js";
import { HandlerService, type ProposeNoticeResponse } from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { SectionRef } from "../gen/statements/v1/statements_pb.js";
import type { Person } from "./circle.js";
import { wholeSeconds } from "./consenting.js";
import { MeldbrugError } from "./errors.js";
import { keysOfAll } from "./handlers.js";
import { incidentOf } from "./names.js";
import type { Authors } from "./reading.js";
import { seal } from "./sealing.js";
import { part } from "./served.js";
import type { Session } from "./session.js";

/** A decision to disclose, or that it no longer stands. */
export interface Decided {
  /** On what ground. */
  readonly ground: Ground;
  /** Why it is necessary; sealed to the handlers. */
  readonly necessity: string;
  /** The licence or article, where the ground needs one. */
  readonly reference?: string;
  /** False to close the notice. */
  readonly stands?: boolean;
}

/** A notice before the reporter is asked. */
export interface Proposal extends Omit<Decided, "stands"> {
  /** `participations/{participation}`. */
  readonly recipient: string;
  /** Who shall read: verified safety contacts of the recipient. */
  readonly readers: readonly Person[];
  /** What for. */
  readonly purposes: readonly Purpose[];
  /** Until when at the latest; cut to the second. */
  readonly validUntil: Date;
  /** What is written for it, by kind. */
  readonly texts?: ReadonlyMap<Kind, string | Uint8Array>;
  /** What was written before and goes along. */
  readonly sections?: readonly string[];
}

/** Signs decisions and sends proposals. */
export class Proposing {
  readonly #session: Session;

  /** Acts with the handler's key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Asks for consent to `sections`, which are stored and verified already.
   *
   * @throws MeldbrugError - a reader is no safety contact of the recipient.
   */
  async propose(
    incident: string,
    reporter: PublicKeys,
    handlers: Authors,
    sections: readonly SectionRef[],
    proposal: Proposal,
  ): Promise<ProposeNoticeResponse> {
    requireContacts(proposal);
    const notice = `${incident}/notices/${this.#session.connection.newId()}`;
    const necessity = await this.#necessity(incident, reporter, handlers, proposal.necessity);
    return this.#session.call(HandlerService.method.proposeNotice, {
      notice,
      recipient: proposal.recipient,
      readerKids: proposal.readers.map((reader) => reader.kid),
      sections: [...sections],
      purposes: [...proposal.purposes],
      validUntil: wholeSeconds(proposal.validUntil),
      decision: await this.#decision(notice, proposal.recipient, reporter, necessity, proposal),
      necessity,
      requestId: this.#session.connection.newRequestId(),
    });
  }

  /** Records a new decision; returns where the notice stands. */
  async decide(
    notice: string,
    recipient: string,
    reporter: PublicKeys,
    handlers: Authors,
    decided: Decided,
  ): Promise<NoticeState> {
    const necessity = await this.#necessity(incidentOf(notice), reporter, handlers, decided.necessity);
    const answer = await this.#session.call(HandlerService.method.recordDecision, {
      notice,
      decision: await this.#decision(notice, recipient, reporter, necessity, decided),
      necessity,
      requestId: this.#session.connection.newRequestId(),
    });
    return answer.state;
  }

  #necessity(
    incident: string,
    reporter: PublicKeys,
    handlers: Authors,
    content: string,
  ): Promise<NewSection> {
    const { keys, installation, connection } = this.#session;
    const section = `${incident}/sections/${connection.newId()}`;
    const text = { section, kind: Kind.INTERNAL_NOTE, content, reporterKid: reporter.kid };
    return seal(keys, installation, text, keysOfAll(handlers), connection.device.random);
  }

  #decision(
    notice: string,
    recipient: string,
    reporter: PublicKeys,
    necessity: NewSection,
    { ground, reference = "", stands = true }: Decided,
  ): Promise<Signed> {
    return this.#session.sign("decision", {
      installation: this.#session.installation,
      notice,
      reporterKid: reporter.kid,
      recipient,
      ground,
      reference,
      necessityDigest: part(necessity.header, "section").digest,
      handlerKid: this.#session.kid,
      stands,
      sequence: this.#session.sequence(),
    });
  }
}

function requireContacts({ recipient, readers }: Proposal): void {
  const areContacts = readers.every(
    ({ appointment }) =>
      appointment.participation === recipient && appointment.capacity === Capacity.SAFETY_CONTACT,
  );
  if (!areContacts) {
    throw new MeldbrugError("a reader is no safety contact of the recipient");
  }
}
