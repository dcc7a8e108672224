"""The close contract: the one way in which reading stops, whatever the cause.

Every method runs inside the caller's transaction with the exclusive lock of the incident held. A command
calls what it needs and then, once, `changed` (who may read changed) or `informed` (something else did).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import Answer, CloseReason, ConsentState, NoticeState, closed_as
from services.disclosure.store import closings, overdue
from services.kernel.jobs import Jobs

_CONSENT = {
    CloseReason.WITHDRAWN: ConsentState.WITHDRAWN,
    CloseReason.REPORT_WITHDRAWN: ConsentState.WITHDRAWN,
    CloseReason.EXPIRED: ConsentState.EXPIRED,
    CloseReason.SUPERSEDED: ConsentState.SUPERSEDED,
}
_ANSWER = {
    CloseReason.WITHDRAWN: Answer.WITHDRAWN,
    CloseReason.REPORT_WITHDRAWN: Answer.WITHDRAWN,
    CloseReason.EXPIRED: Answer.EXPIRED,
}


class Closing:
    """Ends seats, consents and notices, deletes their wraps, and queues what follows."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def changed(self, conn: AsyncConnection, incident: str) -> None:
        """Says that who may read changed: openings under way start again, the policy engine follows."""
        await closings.rise(conn, incident, epoch=True)
        await self._jobs.defer(conn, "policy_sync", incident=incident)

    async def informed(self, conn: AsyncConnection, incident: str) -> None:
        """Says that something changed that coordination shows, and nothing else."""
        await closings.rise(conn, incident, epoch=False)
        await self._jobs.defer(conn, "inform", incident=incident)

    async def supersede(self, conn: AsyncConnection, notice: str) -> None:
        """Ends the consent of a notice for the next one; the notice stays where it stands."""
        await self._end_consent(conn, await closings.notice(conn, notice), CloseReason.SUPERSEDED)

    async def close_seats(
        self, conn: AsyncConnection, incident: str, grant: str, kids: Collection[str], reason: CloseReason
    ) -> None:
        """Closes seats of `kids` under one grant; a notice that loses its last reader closes with them."""
        await closings.close_grant(conn, grant, kids, reason)
        if grant != incident:
            await self._close_if_empty(conn, grant, reason)

    async def close_notice(self, conn: AsyncConnection, notice: str, reason: CloseReason) -> None:
        """Closes a notice for all its readers; one that is closed already stays as it is."""
        await self._close(conn, await closings.notice(conn, notice), reason)

    async def close_pairs(
        self,
        conn: AsyncConnection,
        notice: str,
        kids: Collection[str],
        sections: Sequence[str],
        reason: CloseReason,
    ) -> None:
        """Takes sections away from readers, exactly these; who has nothing left loses the seat.

        Args:
            conn: The transaction.
            notice: Its resource name; one without a consent is left alone.
            kids: Readers' keys, or none for all readers.
            sections: Names, or none for all sections.
            reason: Why.
        """
        row = await closings.notice(conn, notice)
        if row.consent is None:
            return
        if not kids and not sections:
            await self._close(conn, row, reason)
            return
        people = await closings.kids_of_people(conn, row.consent, kids) if kids else None
        if sections:
            await self._drop(conn, row.consent, people, sections)
            people = await closings.kids_without_pairs(conn, row.consent)
        await closings.close_grant(conn, row.consent, people, reason)
        await self._close_if_empty(conn, row.consent, reason)

    async def close_report(self, conn: AsyncConnection, incident: str) -> None:
        """Withdraws everything: notices close for their readers, and handlers lose seats and wraps alike."""
        for notice in await closings.open_notices(conn, incident):
            await self.close_notice(conn, notice, CloseReason.REPORT_WITHDRAWN)
        await closings.close_grant(conn, incident, None, CloseReason.REPORT_WITHDRAWN)
        await closings.withdraw_incident(conn, incident)

    async def close_lost_seats(self, conn: AsyncConnection, incident: str) -> bool:
        """Closes seats of whoever was ended or excluded; returns whether there was one."""
        lost = await overdue.lost_seats(conn, incident)
        for seat in lost:
            reason = CloseReason.EXCLUDED if seat.is_excluded else CloseReason.ENDED
            await self.close_seats(conn, incident, seat.grant, [seat.kid], reason)
        return bool(lost)

    async def lapse(self, conn: AsyncConnection, notice: str) -> None:
        """Ends a request without a yes; refused and unanswered look the same to everyone but the reporter."""
        await closings.mark_closed(conn, notice, NoticeState.NOT_CONSENTED, Answer.LAPSED)

    async def _close(self, conn: AsyncConnection, row: closings.NoticeRow, reason: CloseReason) -> None:
        state = closed_as(row.state, reason)
        if state is None:
            return
        await self._end_consent(conn, row, reason)
        await closings.mark_closed(conn, row.name, state, _ANSWER.get(reason, Answer.CLOSED))

    async def _drop(
        self, conn: AsyncConnection, consent: str, people: Sequence[str] | None, sections: Sequence[str]
    ) -> None:
        readers = await closings.open_kids(conn, consent) if people is None else people
        await closings.drop_sections(conn, consent, readers, sections)

    async def _close_if_empty(self, conn: AsyncConnection, consent: str, reason: CloseReason) -> None:
        if not await closings.has_open_seat(conn, consent):
            for notice in await closings.notices_under(conn, consent):
                await self.close_notice(conn, notice, reason)

    async def _end_consent(self, conn: AsyncConnection, row: closings.NoticeRow, reason: CloseReason) -> None:
        if row.consent is not None:
            state = _CONSENT.get(reason, ConsentState.CLOSED)
            await closings.end_consent(conn, row.consent, state, reason)
