"""Choosing people and organisations from a circle, by number, name or fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meldbrug.client import Circle, Person

from .output import Screen
from .problems import Problem
from .showing import person_data

MIN_FINGERPRINT: Final = 8
"""So many characters of a fingerprint tell people of one circle apart."""


def show_circle(screen: Screen, circle: Circle, chosen: Iterable[str] = ()) -> None:
    """Shows who takes part, who takes reports and who would receive notices; systems are marked."""
    counsellors, contacts = circle.counsellors(), circle.safety_contacts()
    organisations = list(circle.titles().items())
    content = {
        "production": circle.production,
        "title": circle.served.production.title,
        "organisations": [{"name": name, "title": title} for name, title in organisations],
        "counsellors": [person_data(person) for person in counsellors],
        "safetyContacts": [person_data(person) for person in contacts],
        "chosen": sorted(chosen),
    }
    if screen.data(content):
        return
    if circle.served.production.title:
        screen.line(circle.served.production.title, style="bold")
    screen.word("circle-organisations")
    screen.table(
        ("number", "organisation"),
        [(str(number), title) for number, (_, title) in enumerate(organisations, 1)],
    )
    screen.word("circle-counsellors")
    _people(screen, counsellors, 1, set(chosen))
    screen.word("circle-contacts")
    _people(screen, contacts, len(counsellors) + 1, set())


def chosen_people(circle: Circle, asked: Sequence[str]) -> list[Person]:
    """Returns the counsellors that were asked for.

    Raises:
        Problem: nobody, or more than one, is meant.
    """
    return [_one(circle.counsellors(), choice) for choice in asked]


def chosen_contacts(circle: Circle, participation: str, asked: Sequence[str]) -> list[Person]:
    """Returns safety contacts of a participation; all of them when none is asked for.

    Numbers are those of the list of the whole circle, where contacts are counted after the counsellors.

    Raises:
        Problem: nobody, more than one, or somebody of another participation, is meant.
    """
    contacts = circle.safety_contacts(participation)
    if not asked:
        return contacts
    listed = dict(enumerate(circle.safety_contacts(), len(circle.counsellors()) + 1))
    numbered = {
        str(number): person
        for number, person in listed.items()
        if person.appointment.participation == participation
    }
    return [_contact(contacts, numbered, choice) for choice in asked]


def excluded_names(
    circle: Circle, people: Sequence[str], organisations: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Returns resource names of people and organisations that were asked for.

    Raises:
        Problem: nobody, or more than one, is meant.
    """
    subjects = [_one(circle.everyone(), choice).member.subject for choice in people]
    return list(dict.fromkeys(subjects)), [_named(circle.titles(), choice) for choice in organisations]


def titles_of(circle: Circle, subjects: Sequence[str], organisations: Sequence[str]) -> list[str]:
    """Returns what people call those whose resource names these are; people with their organisation."""
    people = {
        person.member.subject: f"{person.member.subject_name} ({person.member.organisation_title})"
        for person in circle.everyone()
    }
    return [*(people[name] for name in subjects), *(circle.titles()[name] for name in organisations)]


def _people(screen: Screen, people: Sequence[Person], first: int, chosen: set[str]) -> None:
    screen.table(
        ("number", "name", "role", "organisation", "fingerprint-short"),
        [
            (
                f"{number}{' ✓' if person.kid in chosen else ''}",
                person.member.subject_name + (f" [{screen.words('system')}]" if person.is_system else ""),
                person.appointment.role,
                person.member.organisation_title,
                person.kid[:MIN_FINGERPRINT],
            )
            for number, person in enumerate(people, first)
        ],
    )


def _contact(contacts: Sequence[Person], numbered: Mapping[str, Person], choice: str) -> Person:
    if not choice.isdecimal():
        return _one(contacts, choice)
    if choice not in numbered:
        raise Problem(f"no contact of this recipient has number {choice} in the list")
    return numbered[choice]


def _one(people: Sequence[Person], choice: str) -> Person:
    if choice.isdecimal() and 1 <= int(choice) <= len(people):
        return people[int(choice) - 1]
    found = [person for person in people if _is_meant(person, choice)]
    # The same person may hold two roles; then either is meant.
    if len({person.kid for person in found}) != 1:
        raise Problem(f"{'nobody' if not found else 'more than one'} in the list is {choice!r}")
    return found[0]


def _is_meant(person: Person, choice: str) -> bool:
    wanted = choice.casefold()
    by_name = wanted in {person.member.subject_name.casefold(), person.appointment.role.casefold()}
    return by_name or (len(wanted) >= MIN_FINGERPRINT and person.kid.startswith(wanted))


def _named(titles: dict[str, str], choice: str) -> str:
    names = list(titles)
    if choice.isdecimal() and 1 <= int(choice) <= len(names):
        return names[int(choice) - 1]
    found = [name for name, title in titles.items() if choice.casefold() in {title.casefold(), name}]
    if len(found) != 1:
        raise Problem(f"{'no' if not found else 'more than one'} organisation in the list is {choice!r}")
    return found[0]
