"""The gates of the open path: for each door one statement on the caller's standing and one that lets out.

The second decides the gate anew, records the release and fetches content. Content is joined to the verdict
and to the release inside the one statement: no row comes back that the gate did not let out and that was not
written down. Statements are built with Core and compiled once; their parameters are numbered, so that the
driver sends them as they are.
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
    Select,
    SmallInteger,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg

from services.disclosure.domain import ConsentState, Door, NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat


def _param(name: str, kind: Any = Text) -> ColumnElement[Any]:
    return bindparam(name, type_=kind() if isinstance(kind, type) else kind)


def _number(value: int) -> ColumnElement[int]:
    """A constant in the text of the statement, so that all its parameters are the caller's."""
    return literal_column(str(int(value)), SmallInteger)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as the driver takes it, and the names of its parameters in order."""

    text: str
    names: tuple[str, ...]


def _compiled(statement: Select[Any]) -> Compiled:
    dialect = PGDialectAsync_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    compiled = statement.compile(dialect=dialect)
    if any(compiled.params.values()):
        raise TypeError("a statement of the open path holds no values of its own")
    return Compiled(compiled.string, tuple(compiled.positiontup or ()))


KID, SUBJECT, INCIDENT, NOTICE = _param("kid"), _param("subject"), _param("incident"), _param("notice")
EPOCH, REQUEST_ID, PURPOSE = (
    _param("epoch", BigInteger),
    _param("request_id"),
    _param("purpose", SmallInteger),
)
KINDS, SECTIONS = _param("kinds", ARRAY(SmallInteger)), _param("sections", ARRAY(Text))
NO_KINDS = literal_column("'{}'::smallint[]", ARRAY(SmallInteger))

incident, seat, notice, consent = t.incidents.c, t.seats.c, t.notices.c, t.consents.c
pair, wrap, section, release = t.consent_sections.c, t.wraps.c, t.sections.c, t.releases.c


def _any_of(column: ColumnElement[Any], values: ColumnElement[Any]) -> ColumnElement[bool]:
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
        _number(capacity).label("capacity"),
        subject.label("subject"),
        participation.label("participation"),
    ]


def _readers_gate(now: CTE) -> CTE:
    """Live seat ∧ consent given, in its window, for the purpose ∧ decision stands ∧ its terms accepted."""
    accepted = exists().where(
        t.acceptances.c.notice == notice.name,
        t.acceptances.c.participation == notice.recipient,
        t.acceptances.c.terms_version == consent.terms_version,
        t.acceptances.c.accepted == true(),
    )
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
            consent.state == _number(ConsentState.GIVEN),
            consent.valid_from <= now.c.at,
            now.c.at < consent.valid_until,
            _any_of(PURPOSE, consent.purposes),
            notice.decision_stands == true(),
            or_(
                notice.state == _number(NoticeState.TERMS_ACCEPTED),
                notice.state == _number(NoticeState.OPENED),
            ),
            accepted.correlate(t.notices, t.consents),
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
            *_vouching(incident.intake_statement, incident.intake_signature, null(), null()),
        )
        .select_from(source)
        .where(incident.name == INCIDENT, incident.epoch == EPOCH, *conditions)
        .cte("gate")
    )


def _readers_pairs(gate: CTE) -> CTE:
    """The pairs of the consent for this reader that have a wrap: all, or those of the kinds asked for."""
    of_kinds = or_(func.cardinality(KINDS) == _number(0), _any_of(pair.kind, KINDS))
    return (
        select(
            pair.section,
            pair.version,
            pair.kind,
            wrap.wrap,
            func.row_number().over(order_by=[pair.kind, pair.section]).label("place"),
        )
        .join_from(
            gate,
            t.consent_sections,
            and_(pair.consent == gate.c.grant_name, pair.reader_kid == KID, of_kinds),
        )
        .join(t.wraps, _wrap_of(pair.section, pair.version, gate))
        .cte("asked")
    )


def _wrap_of(name: ColumnElement[Any], version: ColumnElement[Any], gate: CTE) -> ColumnElement[bool]:
    return and_(
        wrap.section == name,
        wrap.version == version,
        wrap.reader_kid == KID,
        wrap.grant_name == gate.c.grant_name,
    )


def _intake_pairs(gate: CTE) -> CTE:
    """Of each section asked for, the newest version that the caller has a wrap of; in the order asked for."""
    newest = (
        select(section.name.label("section"), section.version, section.kind, wrap.wrap)
        .ext(distinct_on(section.name))
        .join_from(
            gate, t.sections, and_(section.incident == gate.c.incident, _any_of(section.name, SECTIONS))
        )
        .join(t.wraps, _wrap_of(section.name, section.version, gate))
        .order_by(section.name, section.version.desc())
        .subquery("newest")
    )
    place = func.array_position(SECTIONS, newest.c.section).label("place")
    return select(newest, place).cte("asked")


def _verdict(gate: CTE, asked: CTE, wanted: ColumnElement[Any]) -> CTE:
    """The gate's row where everything asked for is there: one forbidden section refuses it all (I21)."""
    in_order = asked.c.place
    every = select(
        func.count().label("found"),
        func.array_agg(aggregate_order_by(asked.c.section, in_order)).label("sections"),
        func.array_agg(aggregate_order_by(asked.c.version, in_order)).label("versions"),
        func.array_agg(aggregate_order_by(asked.c.kind, in_order)).label("kinds"),
    ).subquery("every")
    complete = or_(func.cardinality(wanted) == _number(0), func.cardinality(wanted) == every.c.found)
    return (
        select(gate, every.c.sections, every.c.versions, every.c.kinds)
        .join_from(gate, every, true())
        .where(every.c.found > _number(0), complete)
        .cte("verdict")
    )


RECORD = (
    "incident",
    "notice",
    "capacity",
    "subject",
    "participation",
    "sections",
    "versions",
    "kinds",
    "purpose",
)


def _released(verdict: CTE, now: CTE) -> CTE:
    """Writes the release down; a repeated call finds its own there."""
    rows = select(*(verdict.c[name] for name in RECORD), KID, REQUEST_ID, now.c.at).join_from(
        verdict, now, true()
    )
    return (
        insert(t.releases)
        .from_select([*RECORD, "kid", "request_id", "create_time"], rows)
        .on_conflict_do_nothing(index_elements=["kid", "request_id"])
        .returning(t.releases.c.id)
        .cte("released")
    )


def _statement(gate: CTE, asked: CTE, wanted: ColumnElement[Any], now: CTE) -> Select[Any]:
    verdict = _verdict(gate, asked, wanted)
    released = _released(verdict, now)
    earlier = exists().where(release.kid == KID, release.request_id == REQUEST_ID)
    same = earlier.where(
        release.incident == verdict.c.incident,
        release.capacity == verdict.c.capacity,
        release.notice.is_not_distinct_from(verdict.c.notice),
        release.purpose.is_not_distinct_from(verdict.c.purpose),
        release.sections == verdict.c.sections,
        release.versions == verdict.c.versions,
    )
    judged = (
        select(
            verdict,
            or_(exists(select(released.c.id)), same.correlate(verdict)).label("recorded"),
            earlier.label("is_reused"),
        )
    ).cte("judged")
    once = asked.c.place == _number(1)
    rewrap = t.rewraps.c
    rewraps = [
        select(func.array_agg(aggregate_order_by(column, rewrap.id)))
        .where(rewrap.grant_name == judged.c.grant_name)
        .correlate(judged)
        .scalar_subquery()
        for column in (rewrap.old_kid, rewrap.new_kid, rewrap.statement, rewrap.signature)
    ]
    vouching = ("grant_statement", "grant_signature", "decision_statement", "decision_signature")
    return (
        select(
            incident.epoch,
            judged.c.incident.is_not(None).label("let_out"),
            judged.c.recorded,
            judged.c.is_reused,
            asked.c.section.label("name"),
            asked.c.version,
            asked.c.kind,
            asked.c.wrap,
            section.digest,
            section.commitment,
            section.author_kid,
            section.reporter_kid,
            section.author_signature,
            section.ciphertext,
            section.create_time,
            judged.c.grant_name,
            judged.c.purposes,
            judged.c.reporter_signing,
            judged.c.reporter_sealing,
            *(case((once, judged.c[name])).label(name) for name in vouching),
            *(
                case((once, column)).label(name)
                for name, column in zip(
                    ("old_kids", "new_kids", "rewraps", "rewrap_signatures"), rewraps, strict=True
                )
            ),
        )
        .select_from(t.incidents)
        .outerjoin(judged, true())
        .outerjoin(asked, judged.c.recorded == true())
        .outerjoin(t.sections, and_(section.name == asked.c.section, section.version == asked.c.version))
        .where(incident.name == INCIDENT)
        .order_by(asked.c.place)
    )


def _now() -> CTE:
    return select(func.kernel.app_now().label("at")).cte("now")


def _reader() -> Compiled:
    now = _now()
    gate = _readers_gate(now)
    return _compiled(_statement(gate, _readers_pairs(gate), KINDS, now))


def _intake(capacity: Door, source: FromClause, *conditions: ColumnElement[bool]) -> Compiled:
    gate = _intake_gate(capacity, source, *conditions)
    return _compiled(_statement(gate, _intake_pairs(gate), SECTIONS, _now()))


STANDING = {
    Door.READER: _compiled(_readers_standing()),
    Door.HANDLER: _compiled(_standing_without_notice(_OF_INCIDENT, _NOT_WITHDRAWN, *_INTAKE_SEAT)),
    Door.REPORTER: _compiled(_standing_without_notice(t.incidents, _OWN)),
}
OPEN = {
    Door.READER: _reader(),
    Door.HANDLER: _intake(Door.HANDLER, _OF_INCIDENT, _NOT_WITHDRAWN, *_INTAKE_SEAT),
    Door.REPORTER: _intake(Door.REPORTER, t.incidents, _OWN),
}
