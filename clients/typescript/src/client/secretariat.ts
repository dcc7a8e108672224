/** What the secretariat does with the root key: admit organisations and vouch for their admins. */

import type { MessageInitShape } from "@bufbuild/protobuf";

import type {
  Member,
  Organisation,
  Organisation_Kind,
  OrganisationSchema,
  Participation,
} from "../gen/directory/v1/directory_pb.js";
import {
  type AdmitOrganisationResponse,
  SecretariatService,
} from "../gen/directory/v1/directory_service_pb.js";
import { endorsementOf } from "./administering.js";
import { MeldbrugError } from "./errors.js";
import { all, every, type Listed } from "./paging.js";
import { part } from "./served.js";
import type { Session } from "./session.js";

/** An organisation to admit. */
export interface Admitted {
  readonly title: string;
  readonly kind: Organisation_Kind;
  /** Name of the first admin as shown. */
  readonly adminTitle: string;
  /** `organisations/{organisation}` that it signs through; absent when it signs itself. */
  readonly umbrella?: string;
}

/** Acts with the secretariat's key; endorsing takes the root itself. */
export class Secretariat {
  readonly #session: Session;

  /** Acts with the member's key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Admits an organisation and invites its first admin; the code goes out of band, once. */
  admit({ title, kind, adminTitle, umbrella = "" }: Admitted): Promise<AdmitOrganisationResponse> {
    const request = { organisation: { title, kind, umbrella }, adminTitle, ...this.#once() };
    return this.#session.call(SecretariatService.method.admitOrganisation, request);
  }

  /** Lists every organisation. */
  organisations(): Listed<Organisation> {
    return every(
      (pageToken) => this.#session.call(SecretariatService.method.listOrganisations, { pageToken }),
      (page) => page.organisations,
    );
  }

  /**
   * Changes title, kind, umbrella or state.
   *
   * @throws Stale - it changed since it was read.
   */
  async update(organisation: MessageInitShape<typeof OrganisationSchema>): Promise<Organisation> {
    const request = { organisation, ...this.#once() };
    const answer = await this.#session.call(SecretariatService.method.updateOrganisation, request);
    return part(answer.organisation, "organisation");
  }

  /** Lists members whose keys wait for the root's endorsement. */
  pendingAdmins(): Listed<Member> {
    return every(
      (pageToken) => this.#session.call(SecretariatService.method.listPendingAdmins, { pageToken }),
      (page) => page.members,
    );
  }

  /**
   * Vouches for an organisation's admin.
   *
   * @param member - `members/{member}`.
   * @param kid - The fingerprint as its holder read it out, on another channel than this one.
   * @throws MeldbrugError - no such key waits, or the organisation is not known.
   * @throws Unverified - the directory serves another key than the one that was compared.
   */
  async endorseAdmin(member: string, kid: string): Promise<Member> {
    const pending = (await all(this.pendingAdmins())).find(({ name }) => name === member);
    if (!pending) {
      throw new MeldbrugError("no such key waits for endorsement");
    }
    const organisation = await this.#organisation(pending.organisation);
    const endorsement = await endorsementOf(this.#session, pending, organisation, kid, true);
    const request = { member, endorsement, ...this.#once() };
    const answer = await this.#session.call(SecretariatService.method.endorseAdmin, request);
    return part(answer.member, "member");
  }

  /** Ends a participation; its readers' seats have ended when this returns. */
  async closeParticipation(participation: string): Promise<Participation> {
    const request = { participation, ...this.#once() };
    const answer = await this.#session.call(SecretariatService.method.closeParticipation, request);
    return part(answer.participation, "participation");
  }

  async #organisation(wanted: string): Promise<Organisation> {
    const found = (await all(this.organisations())).find(({ name }) => name === wanted);
    if (!found) {
      throw new MeldbrugError("the organisation is not known");
    }
    return found;
  }

  #once(): { requestId: string } {
    return { requestId: this.#session.connection.newRequestId() };
  }
}
