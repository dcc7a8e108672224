"""The gates of the open path, door by door: the caller's standing, and the rules that decide anew.

Statements are built with Core and compiled once; their parameters are numbered, so that the driver sends
them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    SmallInteger,
    Text,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from services.disclosure.domain import Door
from services.disclosure.store import tables as t
from services.disclosure.store.seats import consent_opens, live_seat, number

SHARED_LOCK = "pg_advisory_xact_lock_shared(hashtextextended({key}, 0))"
DIALECT = PGDialectAsync_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's own


def _param(name: str, kind: Any = Text) -> ColumnElement[Any]:
    return bindparam(name, type_=kind() if isinstance(kind, type) else kind)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as the driver takes it, and the names of its parameters in order."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Locked:
    """A statement behind the shared lock of its incident: one call, which is one transaction.

    A function of each session rather than of the schema: its text lives in the code that calls it, so that
    two versions of the code run side by side. It is volatile, and so its statement sees what had been
    committed when the lock was had, not when the call began.

    Args:
        definition: What makes the function; once in a session.
        call: The call.
    """

    definition: str
    call: Compiled


def compiled(statement: Select[Any]) -> Compiled:
    """Compiles a statement whose values are all parameters."""
    made = _compile(statement)
    return Compiled(made.string, tuple(made.positiontup or ()))


def locked(name: str, statement: Select[Any]) -> Locked:
    """Puts a statement that has the parameter `incident` behind that incident's shared lock."""
    made = _compile(statement)
    names = tuple(made.positiontup or ())
    types = [_written(made.binds[each].type) for each in names]
    columns = ", ".join(f"{column.name} {_written(column.type)}" for column in statement.selected_columns)
    values = ", ".join(f"${place}::{kind}" for place, kind in enumerate(types, start=1))
    return Locked(
        f"CREATE FUNCTION pg_temp.{name} ({', '.join(types)}) RETURNS TABLE ({columns}) "
        "LANGUAGE plpgsql VOLATILE AS $function$\n"
        "#variable_conflict use_column\n"
        f"BEGIN PERFORM {SHARED_LOCK.format(key=f'${names.index(str(INCIDENT.key)) + 1}')}; "
        f"RETURN QUERY {made.string}; END\n$function$",
        Compiled(f"SELECT * FROM pg_temp.{name} ({values})", names),  # noqa: S608 (names and types are ours)
    )


def _compile(statement: Select[Any]) -> SQLCompiler:
    made = statement.compile(dialect=DIALECT)
    if any(made.params.values()):
        raise TypeError("a statement of the open path holds no values of its own")
    return made


def _written(kind: TypeEngine[Any]) -> str:
    return kind.compile(DIALECT)


KID, SUBJECT, INCIDENT, NOTICE = _param("kid"), _param("subject"), _param("incident"), _param("notice")
EPOCH, REQUEST_ID, PURPOSE = (
    _param("epoch", BigInteger),
    _param("request_id"),
    _param("purpose", SmallInteger),
)
KINDS, SECTIONS = _param("kinds", ARRAY(SmallInteger)), _param("sections", ARRAY(Text))
NO_BYTES = cast(null(), LargeBinary)
NO_KINDS = literal_column("'{}'::smallint[]", ARRAY(SmallInteger))

incident, seat, notice, consent = t.incidents.c, t.seats.c, t.notices.c, t.consents.c
pair, wrap, section, release = t.consent_sections.c, t.wraps.c, t.sections.c, t.releases.c


def any_of(column: ColumnElement[Any], values: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a value is in an array."""
    return column == func.any(values)


def _readers_standing() -> Select[Any]:
    kinds = select(func.array_agg(pair.kind)).where(
        pair.consent == seat.grant_name, pair.reader_kid == seat.kid
    )
    return (
        select(
            incident.epoch,
            incident.name.label("incident"),
            func.kernel.app_now().label("now"),
            seat.first_open_time.is_not(None).label("has_opened"),
            func.coalesce(kinds.scalar_subquery(), NO_KINDS).label("kinds"),
            consent.purposes,
        )
        .join_from(t.seats, t.incidents, incident.name == seat.incident)
        .join(t.consents, consent.name == seat.grant_name)
        .join(t.notices, and_(notice.name == seat.notice, notice.consent == seat.grant_name))
        .where(seat.notice == NOTICE, seat.kid == KID, seat.subject == SUBJECT, live_seat())
    )


def _standing_without_notice(source: FromClause, *gate: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            incident.epoch,
            incident.name.label("incident"),
            func.kernel.app_now().label("now"),
            true().label("has_opened"),
            NO_KINDS.label("kinds"),
            NO_KINDS.label("purposes"),
        )
        .select_from(source)
        .where(incident.name == INCIDENT, *gate)
    )


_OF_INCIDENT = t.seats.join(t.incidents, incident.name == seat.incident)
_INTAKE_SEAT = (seat.grant_name == INCIDENT, seat.kid == KID, seat.subject == SUBJECT, live_seat())
_NOT_WITHDRAWN = incident.withdrawn == false()
_OWN = incident.reporter_kid == KID


def _vouching(*statements: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    names = ("grant_statement", "grant_signature", "decision_statement", "decision_signature")
    return [column.label(name) for name, column in zip(names, statements, strict=True)]


def _identity(
    capacity: Door,
    notice_name: ColumnElement[Any],
    subject: ColumnElement[Any],
    participation: ColumnElement[Any],
) -> list[ColumnElement[Any]]:
    return [
        incident.name.label("incident"),
        notice_name.label("notice"),
        number(capacity).label("capacity"),
        subject.label("subject"),
        participation.label("participation"),
    ]


def _readers_gate(now: CTE) -> CTE:
    """Live seat ∧ consent given, in its window, for the purpose ∧ decision stands ∧ its terms accepted."""
    return (
        select(
            *_identity(Door.READER, notice.name, seat.subject, seat.participation),
            PURPOSE.label("purpose"),
            seat.grant_name,
            consent.purposes,
            incident.reporter_signing,
            incident.reporter_sealing,
            *_vouching(
                consent.statement, consent.signature, notice.decision_statement, notice.decision_signature
            ),
        )
        .select_from(_OF_INCIDENT)
        .join(t.notices, and_(notice.name == seat.notice, notice.consent == seat.grant_name))
        .join(t.consents, and_(consent.name == seat.grant_name, consent.notice == notice.name))
        .join(now, true())
        .where(
            incident.name == INCIDENT,
            incident.epoch == EPOCH,
            _NOT_WITHDRAWN,
            notice.name == NOTICE,
            notice.incident == INCIDENT,
            seat.kid == KID,
            seat.subject == SUBJECT,
            live_seat(),
            any_of(PURPOSE, consent.purposes),
            consent_opens(now.c.at),
        )
        .cte("gate")
    )


def _intake_gate(capacity: Door, source: FromClause, *conditions: ColumnElement[bool]) -> CTE:
    """The gate of those who open under the intake: the handlers, and the reporter without a seat."""
    is_handler = capacity is Door.HANDLER
    return (
        select(
            *_identity(
                capacity,
                null(),
                seat.subject if is_handler else null(),
                seat.participation if is_handler else null(),
            ),
            cast(null(), SmallInteger).label("purpose"),
            incident.name.label("grant_name"),
            NO_KINDS.label("purposes"),
            incident.reporter_signing,
            incident.reporter_sealing,
            *_vouching(incident.intake_statement, incident.intake_signature, NO_BYTES, NO_BYTES),
        )
        .select_from(source)
        .where(incident.name == INCIDENT, incident.epoch == EPOCH, *conditions)
        .cte("gate")
    )


def _now() -> CTE:
    return select(func.kernel.app_now().label("at")).cte("now")


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of a door, and the moment that they look at."""

    rules: CTE
    now: CTE


def reader() -> Gate:
    """The gate of a named reader of a notice."""
    now = _now()
    return Gate(_readers_gate(now), now)


def handler() -> Gate:
    """The gate of a handler of the intake."""
    return Gate(_intake_gate(Door.HANDLER, _OF_INCIDENT, _NOT_WITHDRAWN, *_INTAKE_SEAT), _now())


def reporter() -> Gate:
    """The gate of whoever holds the incident's key."""
    return Gate(_intake_gate(Door.REPORTER, t.incidents, _OWN), _now())


STANDING = {
    Door.READER: compiled(_readers_standing()),
    Door.HANDLER: compiled(_standing_without_notice(_OF_INCIDENT, _NOT_WITHDRAWN, *_INTAKE_SEAT)),
    Door.REPORTER: compiled(_standing_without_notice(t.incidents, _OWN)),
}
