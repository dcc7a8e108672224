"""Who handles a report: the reporter's choice, held to the directory, to endings and to exclusions."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.statements.v1 import statements_pb2
from services.disclosure.domain import Holder
from services.disclosure.store import reports
from services.disclosure.usecases.vouching import Circle
from services.kernel.errors import InvalidArgument, InvalidField


def chosen(circle: Circle, intake: statements_pb2.Intake, *, but: Collection[str] = ()) -> list[Holder]:
    """The handlers an intake names, all but those already seated, as the directory vouches for them now.

    Raises:
        InvalidArgument: RECIPIENT_MISMATCH, for whoever is not a current counsellor of an accepted
            participation of the production or of the independent point.
    """
    kids = [handler.kid for handler in intake.handlers]
    if len(set(kids)) != len(kids):
        raise InvalidField("intake.handlers", "names a key twice")
    return [
        _current(circle, intake.production, handler) for handler in intake.handlers if handler.kid not in but
    ]


def _current(circle: Circle, production: str, handler: statements_pb2.Intake.Handler) -> Holder:
    participation = circle.participation(handler.participation)
    takes_part = participation.independent or (production and participation.production == production)
    holder = circle.holder(handler.participation, handler.kid, common_pb2.CAPACITY_COUNSELLOR)
    if not takes_part or holder is None or holder.appointment != handler.appointment:
        raise InvalidArgument("RECIPIENT_MISMATCH")
    return holder


async def require_free(conn: AsyncConnection, incident: str, holders: Collection[Holder]) -> None:
    """Refuses handlers who were ended, or whom the reporter excluded."""
    for holder in holders:
        if any(await reports.barred(conn, incident, holder)):
            raise InvalidArgument("RECIPIENT_MISMATCH")


def seated(intake: statements_pb2.Intake, seats: Mapping[str, tuple[str, str]]) -> set[str]:
    """Keys of the intake whose live seats are exactly as it names them.

    Args:
        intake: The new intake.
        seats: Key to participation and appointment of the live seats.
    """
    return {one.kid for one in intake.handlers if seats.get(one.kid) == (one.participation, one.appointment)}
