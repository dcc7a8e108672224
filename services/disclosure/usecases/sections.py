"""Sealed sections coming in: whole, signed by their author, and sealed to exactly those who may read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.errors import AuthorSignature
from meldbrug.crypto.sealing import verify_sealed
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from services.disclosure.domain import IncidentState, Kind, incident_of, require_wraps, wrong_state
from services.disclosure.store import reports
from services.disclosure.usecases import wire
from services.kernel.errors import FailedPrecondition, InvalidField, NotPermitted


def require_whole(section: pb.NewSection, installation: str, author: PublicKeys, reporter_kid: str) -> None:
    """Holds a section to its digest, its place, its author and the incident's reporter.

    Raises:
        DigestMismatch: the ciphertext is not the one its author signed.
        AuthorSignature: another author, another place or another reporter.
    """
    if section.header.reporter_kid != reporter_kid:
        raise AuthorSignature("other-reporter")
    verify_sealed(wire.place(installation, section.header), wire.sealed(section), author)


def require_shape(section: pb.NewSection, incident: str, *, may_be_note: bool) -> None:
    """Holds a section to its incident, and a reporter's to kinds that reporters write."""
    if incident_of(section.header.name) != incident:
        raise InvalidField("header.name", "is of another incident")
    if section.header.kind == common_pb2.KIND_INTERNAL_NOTE and not may_be_note:
        raise InvalidField("header.kind", "is for handlers only")


def readers_of(kind: int, reporter_kid: str, handler_kids: Iterable[str]) -> list[str]:
    """To whom a section of this kind is sealed: all handlers, and the reporter of all but their own notes."""
    return [*handler_kids] if kind == Kind.INTERNAL_NOTE else [reporter_kid, *handler_kids]


async def store(
    conn: AsyncConnection,
    section: pb.NewSection,
    installation: str,
    reporter_kid: str,
    handler_kids: Iterable[str],
) -> pb.SectionHeader:
    """Stores a checked section with its wraps; returns its header as stored.

    Raises:
        InvalidArgument: WRAP_MISMATCH, unless there is exactly one wrap for each reader.
        NotPermitted: the name is somebody else's.
    """
    place, wraps = wire.place(installation, section.header), wire.wraps(section.wraps)
    require_wraps(wraps, place.section, place.version, readers_of(place.kind, reporter_kid, handler_kids))
    row = await reports.add_section(conn, place, wire.sealed(section))
    await reports.add_wraps(conn, place.incident, place.incident, wraps)
    return wire.section_header(row)


async def put(
    conn: AsyncConnection,
    installation: str,
    section: pb.NewSection,
    row: Row[Any],
    author: PublicKeys,
    *,
    may_be_note: bool,
) -> pb.SectionHeader:
    """Checks and stores a section of the incident `row`; returns its header as stored."""
    require_shape(section, row.name, may_be_note=may_be_note)
    require_whole(section, installation, author, row.reporter_kid)
    await require_next_version(conn, section.header)
    handlers = [seat.kid for seat in await reports.live_handlers(conn, row.name)]
    return await store(conn, section, installation, row.reporter_kid, handlers)


async def require_next_version(conn: AsyncConnection, header: pb.SectionHeader) -> None:
    """Holds a section to its author's next version of the same kind.

    Raises:
        NotPermitted: another author's; who may not read it must not learn that it is there.
        FailedPrecondition: not the next version.
    """
    newest = await reports.newest(conn, header.name)
    if newest is not None and newest.author_kid != header.author_kid:
        raise NotPermitted
    if newest is not None and newest.kind != header.kind:
        raise InvalidField("header.kind", "stays the same in every version")
    if header.version != (newest.version if newest else 0) + 1:
        raise FailedPrecondition


def require_not_withdrawn(*, withdrawn: bool) -> None:
    """Refuses what would be added to a report that its reporter withdrew."""
    if withdrawn:
        raise wrong_state(IncidentState.WITHDRAWN)
