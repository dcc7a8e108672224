"""Opened texts and people as they are shown."""

from __future__ import annotations

from typing import Any

from meldbrug.client import MeldbrugError, Person, Text, Unopened, name_of
from meldbrug.common.v1 import common_pb2 as common

from .labels import label
from .output import Screen, moment


def text_data(text: Text) -> dict[str, Any]:
    """Returns an opened text as JSON."""
    member, held = text.author.member, text.author.appointment
    return {
        "section": text.section,
        "version": text.version,
        "kind": name_of(common.Kind, text.kind),
        "text": text.text,
        "opens": not isinstance(text, Unopened),
        "bytes": len(text.data),
        "byReporter": text.author.is_reporter,
        "author": member.subject_name if member else "",
        "role": held.role if held else "",
        "organisation": member.organisation_title if member else "",
        "time": text.create_time,
    }


def person_data(person: Person) -> dict[str, Any]:
    """Returns somebody with a role as JSON."""
    return {
        "kid": person.kid,
        "name": person.member.subject_name,
        "subject": person.member.subject,
        "role": person.appointment.role,
        "organisation": person.member.organisation_title,
        "organisationName": person.member.organisation,
        "participation": person.appointment.participation,
        "appointment": person.appointment.appointment,
        "deputyOf": person.appointment.deputy_of,
        "capacity": name_of(common.Capacity, _capacity(person)),
        "isSystem": person.is_system,
    }


def person_line(screen: Screen, person: Person) -> str:
    """Returns somebody for people: name, role, organisation; systems marked as systems."""
    named = f"{person.member.subject_name} ({person.appointment.role}, {person.member.organisation_title})"
    return f"{named} [{screen.words('system')}]" if person.is_system else named


def show_texts(screen: Screen, texts: list[Text]) -> None:
    """Shows opened texts with who wrote them."""
    if screen.data({"items": [text_data(text) for text in texts]}):
        return
    if not texts:
        screen.word("nothing-here")
    for text in texts:
        who = screen.words("reporter") if text.author.is_reporter else _name(text)
        kind = label(screen.words, name_of(common.Kind, text.kind))
        screen.panel(f"{who} · {kind} · {moment(text.create_time)}", said_by(screen, text))


def said_by(screen: Screen, text: Text) -> str:
    """Returns what a section says, or in words of ours why it shows nothing: never an empty panel."""
    if isinstance(text, Unopened):
        return screen.words("does-not-open")
    return screen.words("a-file", bytes=len(text.data)) if text.data else text.text


def _name(text: Text) -> str:
    member, held = text.author.member, text.author.appointment
    if member is None or held is None:
        raise MeldbrugError("a text without a verified author")
    return f"{member.subject_name}, {held.role}, {member.organisation_title}"


def _capacity(person: Person) -> common.Capacity.ValueType:
    return (
        common.CAPACITY_COUNSELLOR
        if person.appointment.capacity == common.CAPACITY_COUNSELLOR
        else common.CAPACITY_SAFETY_CONTACT
    )
