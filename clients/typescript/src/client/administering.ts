/** What an organisation's admin does: invite, endorse, appoint, take part; what is signed was verified. */

import type { MessageInitShape } from "@bufbuild/protobuf";

import { type Capacity, type Signed, SubjectKind } from "../gen/common/v1/common_pb.js";
import type {
  Contact,
  Member,
  Organisation,
  Participation,
  Production,
  ProductionSchema,
} from "../gen/directory/v1/directory_pb.js";
import {
  AdminService,
  type InviteMemberResponse,
  type RegisterProductionResponse,
} from "../gen/directory/v1/directory_service_pb.js";
import { wholeSeconds } from "./consenting.js";
import { MeldbrugError } from "./errors.js";
import { all, every, type Listed } from "./paging.js";
import { insist, keysOf, part } from "./served.js";
import type { Session } from "./session.js";

/** Whom to invite. */
export interface Invitee {
  /** Name as shown. */
  readonly title: string;
  readonly subjectKind?: SubjectKind;
  /** `persons/{person}` or `systems/{system}` of somebody who is known; absent for somebody new. */
  readonly subject?: string;
  /** Whether to invite an admin. */
  readonly admin?: boolean;
}

/** A role to give. */
export interface Role {
  /** `participations/{participation}`. */
  readonly participation: string;
  /** The member's current key. */
  readonly kid: string;
  /** What the appointment allows. */
  readonly capacity: Capacity;
  /** As shown to reporters and readers. */
  readonly role: string;
  /** `appointments/{appointment}` of whom to deputise for; absent when nobody. */
  readonly deputyOf?: string;
}

/** A production to register. */
export interface NewProduction {
  readonly title: string;
  readonly start: Date;
  readonly end: Date;
  readonly isan?: string;
  readonly eidr?: string;
}

/** Acts for the caller's own organisation. */
export class Administering {
  readonly #session: Session;

  /** Acts with the member's key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Invites a person, new or known, or a system; the code goes out of band, once. */
  invite(invitee: Invitee): Promise<InviteMemberResponse> {
    const { title, subjectKind = SubjectKind.PERSON, subject = "", admin = false } = invitee;
    const request = { title, subjectKind, subject, admin, ...this.#once() };
    return this.#session.call(AdminService.method.inviteMember, request);
  }

  /** Lists the organisation's members. */
  members(): Listed<Member> {
    return every(
      (pageToken) => this.#session.call(AdminService.method.listMembers, { pageToken }),
      (page) => page.members,
    );
  }

  /**
   * Vouches for a pending key.
   *
   * @param member - `members/{member}`.
   * @param kid - The fingerprint as its holder read it out, on another channel than this one.
   * @throws MeldbrugError - there is no such member.
   * @throws Unverified - the directory serves another key than the one that was compared.
   */
  async endorse(member: string, kid: string): Promise<Member> {
    const found = (await all(this.members())).find(({ name }) => name === member);
    if (!found) {
      throw new MeldbrugError("there is no such member");
    }
    const { organisation } = await this.#session.me();
    const own = part(organisation, "organisation");
    const endorsement = await endorsementOf(this.#session, found, own, kid, false);
    const request = { member, endorsement, ...this.#once() };
    return part((await this.#session.call(AdminService.method.endorseMember, request)).member, "member");
  }

  /** Removes a member; its seats have ended when this returns. */
  async remove(member: string): Promise<Member> {
    const request = { member, ...this.#once() };
    return part((await this.#session.call(AdminService.method.removeMember, request)).member, "member");
  }

  /** Registers a production that the caller's organisation leads; the answer holds its code. */
  registerProduction(production: NewProduction): Promise<RegisterProductionResponse> {
    const { title, start, end, isan = "", eidr = "" } = production;
    const times = { startTime: wholeSeconds(start), endTime: wholeSeconds(end) };
    const request = { production: { title, isan, eidr, ...times }, ...this.#once() };
    return this.#session.call(AdminService.method.registerProduction, request);
  }

  /**
   * Changes a production that the caller's organisation leads.
   *
   * @throws Stale - it changed since it was read.
   */
  async updateProduction(production: MessageInitShape<typeof ProductionSchema>): Promise<Production> {
    const request = { production, ...this.#once() };
    const answer = await this.#session.call(AdminService.method.updateProduction, request);
    return part(answer.production, "production");
  }

  /** Replaces a production's code; the old one ends at once. */
  async rotateCode(production: string): Promise<Production> {
    const request = { production, ...this.#once() };
    const answer = await this.#session.call(AdminService.method.rotateProductionCode, request);
    return part(answer.production, "production");
  }

  /** Proposes that an organisation takes part in a production that the caller's organisation leads. */
  async proposeParticipation(production: string, organisation: string): Promise<Participation> {
    const request = { production, organisation, ...this.#once() };
    const answer = await this.#session.call(AdminService.method.proposeParticipation, request);
    return part(answer.participation, "participation");
  }

  /** Lists the participations of the caller's organisation, proposed ones included. */
  participations(): Listed<Participation> {
    return every(
      (pageToken) => this.#session.call(AdminService.method.listParticipations, { pageToken }),
      (page) => page.participations,
    );
  }

  /** Accepts a proposed participation. */
  async acceptParticipation(participation: string): Promise<Participation> {
    const request = { participation, ...this.#once() };
    const answer = await this.#session.call(AdminService.method.acceptParticipation, request);
    return part(answer.participation, "participation");
  }

  /** Ends a participation; its readers' seats have ended when this returns. */
  async endParticipation(participation: string): Promise<Participation> {
    const request = { participation, ...this.#once() };
    const answer = await this.#session.call(AdminService.method.endParticipation, request);
    return part(answer.participation, "participation");
  }

  /**
   * Appoints the holder of a key as counsellor or safety contact.
   *
   * @throws Unverified - nobody vouches for the key, or it is of another organisation.
   */
  async appoint({ participation, kid, capacity, role, deputyOf = "" }: Role): Promise<Contact> {
    const book = await this.#session.lookUp([kid, this.#session.kid]);
    const [own, member] = [await book.member(this.#session.kid), await book.member(kid)];
    insist(member.organisation === own.organisation, "member of another organisation");
    const appointment = await this.#session.sign("appointment", {
      installation: this.#session.installation,
      organisation: own.organisation,
      appointment: `appointments/${this.#session.connection.newId()}`,
      participation,
      capacity,
      role,
      subject: member.subject,
      kid,
      deputyOf,
      signerKid: this.#session.kid,
      sequence: this.#session.sequence(),
    });
    const request = { appointment, ...this.#once() };
    return part((await this.#session.call(AdminService.method.appointMember, request)).contact, "contact");
  }

  /** Ends a role; its seats have ended when this returns. */
  async endAppointment(appointment: string): Promise<Contact> {
    const request = { appointment, ...this.#once() };
    return part((await this.#session.call(AdminService.method.endAppointment, request)).contact, "contact");
  }

  #once(): { requestId: string } {
    return { requestId: this.#session.connection.newRequestId() };
  }
}

/**
 * Returns an endorsement of exactly the key that was compared.
 *
 * @throws Unverified - the directory serves another key for the member.
 */
export async function endorsementOf(
  session: Session,
  member: Member,
  organisation: Organisation,
  kid: string,
  admin: boolean,
): Promise<Signed> {
  insist(member.kid === kid, "the key is not the one that was compared");
  await keysOf(member.keys, kid);
  insist(member.organisation === organisation.name, "member of another organisation");
  return session.sign("endorsement", {
    installation: session.installation,
    organisation: organisation.name,
    organisationTitle: organisation.title,
    subject: member.subject,
    subjectName: member.title,
    subjectKind: member.subjectKind,
    kid,
    admin,
    validFrom: wholeSeconds(session.connection.clock.now()),
    signerKid: session.kid,
    sequence: session.sequence(),
  });
}
