// Who a reporter can choose, in the way it is shown: a counsellor with deputies, or the independent point.

import type { Circle, Person } from "meldbrug";

/** One choice of whoever handles a report. */
export interface Choice {
  /** The participation it is at. */
  readonly participation: string;
  /** The counsellor first, then their deputies. */
  readonly people: readonly Person[];
  readonly organisation: string;
  readonly isIndependent: boolean;
}

/** Somebody or some organisation that can be excluded. */
export interface Excludable {
  readonly name: string;
  readonly title: string;
  readonly organisation: string;
  readonly isSystem: boolean;
}

/**
 * Returns the choices of a circle, the independent point last.
 *
 * @throws Unverified - one of the people does not verify.
 */
export async function choicesOf(circle: Circle): Promise<Choice[]> {
  const independent = new Set(
    circle.served.participations.filter((part) => part.independent).map((part) => part.name),
  );
  const people = await circle.counsellors();
  const heads = people.filter(
    (person) => !person.appointment.deputyOf || !named(people, person.appointment.deputyOf),
  );
  const choices = heads.map((head) => ({
    participation: head.appointment.participation,
    people: [
      head,
      ...people.filter((person) => person.appointment.deputyOf === head.appointment.appointment),
    ],
    organisation: head.member.organisationTitle,
    isIndependent: independent.has(head.appointment.participation),
  }));
  return choices.sort((one, other) => Number(one.isIndependent) - Number(other.isIndependent));
}

function named(people: readonly Person[], appointment: string): boolean {
  return people.some((person) => person.appointment.appointment === appointment);
}

/**
 * Returns everyone of a circle who can be excluded, each once.
 *
 * @throws Unverified - one of the people does not verify.
 */
export async function excludablePeople(circle: Circle): Promise<Excludable[]> {
  const bySubject = new Map<string, Excludable>();
  for (const person of await circle.everyone()) {
    const { subject, organisationTitle } = person.member;
    bySubject.set(subject, {
      name: subject,
      title: person.appointment.role,
      organisation: organisationTitle,
      isSystem: person.isSystem,
    });
  }
  return [...bySubject.values()].sort((one, other) => one.organisation.localeCompare(other.organisation));
}

/** Returns the organisations of a circle that can be excluded: not the independent point, which nobody else sees into. */
export async function excludableOrganisations(circle: Circle): Promise<Excludable[]> {
  const independent = new Set(
    circle.served.participations.filter((part) => part.independent).map((part) => part.organisation),
  );
  const titles = await circle.titles();
  return circle.served.organisations
    .filter((organisation) => !independent.has(organisation.name))
    .map(({ name }) => ({ name, title: titles.get(name) ?? "", organisation: "", isSystem: false }));
}
