"""The one statement of each door that lets out: it decides, records the release and fetches content.

Content is joined to the verdict and to the release inside the one statement: no row comes back that the gate
did not let out and that was not written down.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on, insert

from services.disclosure.domain import Door
from services.disclosure.store import gates
from services.disclosure.store import tables as t
from services.disclosure.store.gates import (
    INCIDENT,
    KID,
    KINDS,
    REQUEST_ID,
    SECTIONS,
    Gate,
    Locked,
    any_of,
    locked,
)
from services.disclosure.store.seats import number

incident, section, release = t.incidents.c, t.sections.c, t.releases.c
pair, wrap = t.consent_sections.c, t.wraps.c


def _readers_pairs(gate: CTE) -> CTE:
    """The pairs of the consent for this reader that have a wrap: all, or those of the kinds asked for."""
    of_kinds = or_(func.cardinality(KINDS) == number(0), any_of(pair.kind, KINDS))
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
            gate, t.sections, and_(section.incident == gate.c.incident, any_of(section.name, SECTIONS))
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
    complete = or_(func.cardinality(wanted) == number(0), func.cardinality(wanted) == every.c.found)
    return (
        select(gate, every.c.sections, every.c.versions, every.c.kinds)
        .join_from(gate, every, true())
        .where(every.c.found > number(0), complete)
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


def _statement(gate: Gate, asked: CTE, wanted: ColumnElement[Any]) -> Select[Any]:
    verdict = _verdict(gate.rules, asked, wanted)
    released = _released(verdict, gate.now)
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
    once = asked.c.place == number(1)
    rewraps = _rewraps(judged, once)
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
            *rewraps.c,
        )
        .select_from(t.incidents)
        .outerjoin(judged, true())
        .outerjoin(asked, judged.c.recorded == true())
        .outerjoin(t.sections, and_(section.name == asked.c.section, section.version == asked.c.version))
        .outerjoin(rewraps, true())
        .where(incident.name == INCIDENT)
        .order_by(asked.c.place)
    )


def _rewraps(judged: CTE, once: ColumnElement[bool]) -> FromClause:
    """The hand-overs of wraps under the grant, the oldest first; beside the first section only."""
    rewrap = t.rewraps.c
    columns = {
        "old_kids": rewrap.old_kid,
        "new_kids": rewrap.new_kid,
        "rewraps": rewrap.statement,
        "rewrap_signatures": rewrap.signature,
    }
    return (
        select(
            *(
                func.array_agg(aggregate_order_by(column, rewrap.id)).label(name)
                for name, column in columns.items()
            )
        )
        .where(rewrap.grant_name == judged.c.grant_name, once)
        .lateral("handed_over")
    )


def _reader() -> Locked:
    gate = gates.reader()
    return locked("open_as_reader", _statement(gate, _readers_pairs(gate.rules), KINDS))


def _intake(name: str, gate: Gate) -> Locked:
    return locked(name, _statement(gate, _intake_pairs(gate.rules), SECTIONS))


OPEN = {
    Door.READER: _reader(),
    Door.HANDLER: _intake("open_as_handler", gates.handler()),
    Door.REPORTER: _intake("open_as_reporter", gates.reporter()),
}
