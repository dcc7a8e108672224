"""Seats change hands and end: what a member hands to its next key, and what the directory ends for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.errors import EndorsementBroken
from meldbrug.crypto.sealing import digest_of
from meldbrug.crypto.statements import StatementKind, verify
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import CloseReason, SectionRef, incident_of
from services.disclosure.store import acts, closings, seats, successors
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.vouching import Vouching
from services.kernel.authz import Actor
from services.kernel.db import Lock
from services.kernel.errors import FailedPrecondition, InvalidArgument, NotPermitted
from services.kernel.idempotency import remember, remembered
from services.kernel.rpc import Call


class Seats:
    """The acts on seats that belong to members' keys and to the directory."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list_seats(self, request: rpc.ListSeatsRequest, call: Call) -> rpc.ListSeatsResponse:
        """Lists seats of the caller's key that the announced key lacks wraps of, as far as they may leave."""
        await self._require_announced(call.actor, request.new_kid)
        size = min(request.page_size or successors.SEATS_PAGE, successors.SEATS_PAGE)
        kid, subject = call.actor.kid, call.actor.subject
        async with self._deps.database.reading() as conn:
            rows = await successors.seats_to_hand_over(conn, kid, subject, request.new_kid, size)
            listed = [
                (row, await successors.wraps_to_hand_over(conn, row.grant_name, kid, request.new_kid))
                for row in rows
            ]
        return rpc.ListSeatsResponse(
            seats=[
                _seat(row.incident, row.grant_name, row.purposes, kid, wraps)
                for row, wraps in listed
                if wraps or row.grant_name == row.incident
            ]
        )

    async def rewrap_seat(self, request: rpc.RewrapSeatRequest, call: Call) -> rpc.RewrapSeatResponse:
        """Hands wraps of one seat to the key that follows; the person, and so the policy, stays the same."""
        rewrap = self._spoken(request.rewrap, call.actor)
        _require_wraps(rewrap, request.wraps)

        async def standing(conn: AsyncConnection) -> successors.SeatRow:
            seat = await successors.yielding(conn, rewrap.grant, call.actor.kid, call.actor.subject)
            if seat is None or seat.incident != rewrap.incident:
                raise NotPermitted
            return seat

        async def work(conn: AsyncConnection) -> None:
            seat = await standing(conn)
            key = (call.actor.principal, call.method, request.request_id, call.body_sha256)
            if await remembered(conn, *key) is not None:
                return
            await acts.advance(conn, rewrap.incident, call.actor.kid, rewrap.sequence)
            await self._hand_over(conn, seat, rewrap, request)
            await closings.rise(conn, rewrap.incident, epoch=True)
            await remember(conn, *key, b"")

        # Before the lock too: who has no seat must not hold up those who have.
        async with self._deps.database.reading() as conn:
            await standing(conn)
        await self._require_announced(call.actor, rewrap.new_kid)
        await self._deps.database.run_unit(work, Lock(rewrap.incident))
        return rpc.RewrapSeatResponse()

    async def _require_announced(self, actor: Actor, new_kid: str) -> None:
        """Holds the next key to the one that the caller's key named in a rotation.

        Everyone seals to whoever sits in the intake, so that one key there that no client believes makes the
        mailbox useless. The directory keeps one announcement of a key; the chain is what is believed of it.

        Raises:
            InvalidArgument: READER_MISMATCH, nothing leads from the root over the caller's key to this one.
        """
        book = await self._deps.directory.book([new_kid])
        try:
            line = Vouching(self._deps.installation, book).member(new_kid).kids
        except EndorsementBroken:
            line = ()
        if line[-2:] != (actor.kid, new_kid):
            raise InvalidArgument("READER_MISMATCH")

    def _spoken(self, signed: common_pb2.Signed, actor: Actor) -> said.Rewrap:
        if actor.keys is None:
            raise NotPermitted
        rewrap = verify(StatementKind.REWRAP, signed, actor.keys, said.Rewrap)
        of_incident = rewrap.grant == rewrap.incident or rewrap.grant.startswith("consents/")
        is_ours = rewrap.installation == self._deps.installation and rewrap.new_kid != rewrap.old_kid
        if (
            not is_ours
            or not of_incident
            or any(incident_of(item.section) != rewrap.incident for item in rewrap.items)
        ):
            raise InvalidArgument("STATEMENT_FOREIGN")
        return rewrap

    async def _hand_over(
        self,
        conn: AsyncConnection,
        seat: successors.SeatRow,
        rewrap: said.Rewrap,
        request: rpc.RewrapSeatRequest,
    ) -> None:
        held = await successors.commitments(conn, rewrap.grant, rewrap.old_kid)
        for item in rewrap.items:
            commitment = held.get((item.section, item.version))
            if commitment is None:
                raise InvalidArgument("SECTION_MISMATCH")
            if commitment != item.commitment:
                raise InvalidArgument("COMMITMENT_MISMATCH")
        # A member who announced another key than before means that one alone: one seat has one successor.
        if before := await successors.given_up(conn, seat, rewrap.new_kid):
            await closings.close_grant(conn, rewrap.grant, before, CloseReason.REWRAPPED)
        if not await successors.seat_successor(conn, seat, rewrap.new_kid):
            raise NotPermitted
        await successors.hand_over(
            conn, seat, rewrap.new_kid, [(w.section, w.version, w.wrap) for w in request.wraps]
        )
        await successors.record_rewrap(
            conn, seat, rewrap.new_kid, request.rewrap.statement, request.rewrap.signature
        )

    async def end_seats(self, request: rpc.EndSeatsRequest, _call: Call) -> rpc.EndSeatsResponse:
        """Ends keys and appointments for ever. No incident is locked, so that nobody can count them."""
        targets = [*request.kids, *request.appointments]

        async def work(conn: AsyncConnection) -> None:
            if request.require_successors and await successors.without_successor(conn, request.kids):
                raise FailedPrecondition("SEATS_WITHOUT_SUCCESSOR")
            await seats.end(conn, targets)
            for target in targets:
                await self._deps.jobs.defer(conn, "ended_followup", target=target)

        if targets:
            with self._deps.admission.precedence.taken():
                await self._deps.database.run_unit(work)
        return rpc.EndSeatsResponse()

    async def record_affiliation(
        self, request: rpc.RecordAffiliationRequest, _call: Call
    ) -> rpc.RecordAffiliationResponse:
        """Records for ever that somebody belongs to an organisation; exclusions bite at once."""

        async def work(conn: AsyncConnection) -> None:
            if await seats.affiliate(conn, request.subject, request.organisation):
                await self._deps.jobs.defer(conn, "affiliation_followup", organisation=request.organisation)

        await self._deps.database.run_unit(work)
        return rpc.RecordAffiliationResponse()


def _require_wraps(rewrap: said.Rewrap, wraps: Sequence[pb.Wrap]) -> None:
    """Holds the wraps to be exactly those that the statement hashes, in its order.

    Only a seat of an intake may hold nothing yet, and go over all the same.
    """
    stated = [(item.section, item.version, rewrap.new_kid, item.wrap_digest) for item in rewrap.items]
    given = [(each.section, each.version, each.reader_kid, digest_of(each.wrap)) for each in wraps]
    is_empty = not stated and rewrap.grant != rewrap.incident
    if is_empty or stated != given or len({entry[:2] for entry in stated}) != len(stated):
        raise InvalidArgument("WRAP_MISMATCH")


def _seat(
    incident: str, grant: str, purposes: Sequence[int], kid: str, wraps: Sequence[tuple[SectionRef, bytes]]
) -> pb.Seat:
    return pb.Seat(
        incident=incident,
        grant=grant,
        purposes=purposes,  # type: ignore[arg-type]  # numbers of the enum, as stored
        sections=[
            said.SectionRef(
                section=ref.section,
                version=ref.version,
                kind=ref.kind,  # type: ignore[arg-type]  # number of the enum, as stored
                digest=ref.digest,
                commitment=ref.commitment,
            )
            for ref, _ in wraps
        ],
        wraps=[
            pb.Wrap(section=ref.section, version=ref.version, reader_kid=kid, wrap=wrap)
            for ref, wrap in wraps
        ],
    )
