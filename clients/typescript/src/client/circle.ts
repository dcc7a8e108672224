/** Who takes part and who can be chosen, verified: what a reporter or handler picks people from. */

import type { VerifiedAppointment, VerifiedMember } from "../crypto/chains.js";
import type { PublicKeys } from "../crypto/keys.js";
import { Capacity, SubjectKind } from "../gen/common/v1/common_pb.js";
import type { Contact, Organisation, Circle as Served } from "../gen/directory/v1/directory_pb.js";
import { Book } from "./book.js";
import { Unverified } from "./errors.js";
import { bookIn } from "./served.js";

/** Someone, or a system, with a role that was verified from the root. */
export interface Person {
  /** The current key. */
  readonly kid: string;
  /** Its public keys. */
  readonly keys: PublicKeys;
  /** Who it is. */
  readonly member: VerifiedMember;
  /** The role and the participation it is for. */
  readonly appointment: VerifiedAppointment;
  /** Whether this is a system; it is shown as one. */
  readonly isSystem: boolean;
}

/** A circle as served, with people that verified. */
export class Circle {
  readonly served: Served;
  readonly book: Book;

  /** Keeps what was served; people are verified when they are asked for. */
  constructor(served: Served, rootKid: string) {
    this.served = served;
    this.book = new Book(rootKid, bookIn(served.book));
  }

  /** `productions/{production}`; empty for the standing entry. */
  get production(): string {
    return this.served.production?.name ?? "";
  }

  /**
   * Returns the organisation of a participation.
   *
   * @throws Unverified - the circle does not hold it.
   */
  organisation(participation: string): Organisation {
    const part = this.served.participations.find(({ name }) => name === participation);
    if (!part) {
      throw new Unverified("participation");
    }
    const organisation = this.served.organisations.find(({ name }) => name === part.organisation);
    if (!organisation) {
      throw new Unverified("organisation");
    }
    return organisation;
  }

  /**
   * Returns the title of every organisation by its name: as vouched for, where somebody of it is here.
   *
   * @throws Unverified - one of the people does not verify.
   */
  async titles(): Promise<Map<string, string>> {
    const everyone = await this.everyone();
    return new Map([
      ...this.served.organisations.map(({ name, title }) => [name, title] as const),
      ...everyone.map(({ member }) => [member.organisation, member.organisationTitle] as const),
    ]);
  }

  /**
   * Returns everybody with a current role.
   *
   * @throws Unverified - as `people`.
   */
  async everyone(): Promise<Person[]> {
    return [...(await this.counsellors()), ...(await this.safetyContacts())];
  }

  /**
   * Returns current people in a capacity, of one participation or of all.
   *
   * @throws Unverified - one of them does not verify; the directory served a key that nobody vouches for.
   */
  people(capacity: Capacity, participation = ""): Promise<Person[]> {
    const wanted = this.served.contacts.filter(
      (contact) =>
        contact.capacity === capacity &&
        !contact.ended &&
        (participation === "" || participation === contact.participation),
    );
    return Promise.all(wanted.map((contact) => this.#person(contact)));
  }

  /** Returns who takes reports. */
  counsellors(participation = ""): Promise<Person[]> {
    return this.people(Capacity.COUNSELLOR, participation);
  }

  /** Returns who receives notices. */
  safetyContacts(participation = ""): Promise<Person[]> {
    return this.people(Capacity.SAFETY_CONTACT, participation);
  }

  /** Returns the counsellors of the independent point. */
  async independent(): Promise<Person[]> {
    const standing = this.served.participations.filter((part) => part.independent);
    return (await Promise.all(standing.map(({ name }) => this.counsellors(name)))).flat();
  }

  async #person(contact: Contact): Promise<Person> {
    const { kid, participation, capacity } = contact;
    const appointment = await this.book.appointment(contact.appointment, { participation, capacity });
    const member = await this.book.member(kid);
    if (appointment.subject !== member.subject || !member.kids.includes(appointment.kid)) {
      throw new Unverified("contact");
    }
    const isSystem = member.subjectKind === SubjectKind.SYSTEM;
    return { kid, keys: await this.book.keys(kid), member, appointment, isSystem };
  }
}

/**
 * Returns the people with these keys, in that order.
 *
 * @throws Unverified - one of the keys is nobody's here.
 */
export function named(people: readonly Person[], kids: readonly string[]): Person[] {
  const byKid = new Map(people.map((person) => [person.kid, person]));
  const found = kids.map((kid) => byKid.get(kid)).filter((person) => person !== undefined);
  if (found.length !== kids.length) {
    throw new Unverified(`${kids.length - found.length} of the people`);
  }
  return found;
}
