"""Seats end for ever, go over to the next key whole, and affiliations are never forgotten (I27)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pytest

from meldbrug.crypto import statements
from meldbrug.crypto.errors import StatementForeign, StatementSignature
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import Kind
from services.disclosure.store import tables as t
from services.kernel.db import Lock
from services.kernel.errors import FailedPrecondition, InvalidArgument, NotPermitted
from tests.integration.disclosure.scene import (
    IDS,
    INSTALLATION,
    FakeCall,
    Notice,
    Person,
    Scene,
    new,
    request_id,
)


@pytest.fixture
def reader(scene: Scene) -> Person:
    return scene.person()


@pytest.fixture
async def notice(scene: Scene, reader: Person) -> Notice:
    return await scene.notice([reader])


async def listed(scene: Scene, person: Person, new_kid: str, **more: Any) -> list[pb.Seat]:
    answer = await scene.seats.list_seats(
        rpc.ListSeatsRequest(new_kid=new_kid, **more),
        FakeCall(person.actor()),  # type: ignore[arg-type]
    )
    return list(answer.seats)


def handing(
    scene: Scene, seat: pb.Seat, old: Person, new_kid: str, wraps: list[pb.Wrap] | None = None, **more: Any
) -> rpc.RewrapSeatRequest:
    """A request that hands a seat's wraps over; `more` overrides fields of the statement."""
    if wraps is None:
        wraps = [
            pb.Wrap(section=ref.section, version=ref.version, reader_kid=new_kid, wrap=IDS.token_bytes(1168))
            for ref in seat.sections
        ]
    fields: dict[str, Any] = {
        "installation": INSTALLATION, "incident": seat.incident, "grant": seat.grant, "old_kid": old.kid,
        "new_kid": new_kid, "sequence": scene.sequence(), "items": items(seat.sections, wraps), **more,
    }  # fmt: skip
    signed = statements.sign(StatementKind.REWRAP, said.Rewrap(**fields), old.keys)
    return rpc.RewrapSeatRequest(rewrap=signed, wraps=wraps, request_id=request_id())


def items(sections: Iterable[said.SectionRef], wraps: Iterable[pb.Wrap]) -> list[said.Rewrap.Item]:
    return [
        said.Rewrap.Item(
            section=ref.section, version=ref.version, commitment=ref.commitment,
            wrap_digest=hashlib.sha256(wrap.wrap).digest(),
        )
        for ref, wrap in zip(sections, wraps, strict=True)
    ]  # fmt: skip


async def hand_over(scene: Scene, old: Person, new_kid: str) -> None:
    """Does what a client does before a rotation."""
    while seats := await listed(scene, old, new_kid):
        for seat in seats:
            await rewrap(scene, old, handing(scene, seat, old, new_kid))


async def rewrap(scene: Scene, old: Person, request: rpc.RewrapSeatRequest) -> None:
    await scene.seats.rewrap_seat(request, FakeCall(old.actor()))  # type: ignore[arg-type]


async def end(scene: Scene, *kids: str, appointments: Iterable[str] = (), require: bool = False) -> None:
    request = rpc.EndSeatsRequest(kids=kids, appointments=appointments, require_successors=require)
    await scene.seats.end_seats(request, scene.own())


async def test_a_seat_is_listed_with_its_wraps(scene: Scene, reader: Person, notice: Notice) -> None:
    (seat,) = await listed(scene, reader, reader.rekeyed().kid)

    assert (seat.incident, seat.grant, list(seat.purposes)) == (scene.incident, notice.consent, [1, 4])
    assert {ref.section for ref in seat.sections} == set(notice.sections.values())
    for ref, wrap in zip(seat.sections, seat.wraps, strict=True):
        (row,) = await scene.all(t.wraps, section=ref.section, reader_kid=reader.kid)
        (section,) = await scene.all(t.sections, name=ref.section)
        assert (wrap.section, wrap.reader_kid, wrap.wrap) == (ref.section, reader.kid, row.wrap)
        assert (ref.digest, ref.commitment, ref.kind) == (section.digest, section.commitment, section.kind)


async def test_nobody_elses_seats_are_listed(scene: Scene, reader: Person, notice: Notice) -> None:
    thief = Person(reader.organisation, reader.participation, keys=reader.keys)

    assert await listed(scene, scene.person(), reader.rekeyed().kid) == []
    assert await listed(scene, thief, reader.rekeyed().kid) == []


@pytest.mark.parametrize("how", ["kid", "appointment", "subject"])
async def test_a_dead_seat_is_not_listed(scene: Scene, reader: Person, notice: Notice, how: str) -> None:
    target = getattr(reader, how)
    await (scene.exclude_row(target) if how == "subject" else scene.end_row(target))

    assert await listed(scene, reader, reader.rekeyed().kid) == []


async def test_the_next_key_reads_and_the_old_one_stops(scene: Scene, reader: Person, notice: Notice) -> None:
    following = reader.rekeyed()
    await scene.read(reader, notice.name, Kind.CONTEXT)

    await hand_over(scene, reader, following.kid)
    await end(scene, reader.kid, require=True)

    opened = await scene.read(following, notice.name)
    assert {each.header.name for each in opened.sections} == set(notice.sections.values())
    assert {each.wrap.reader_kid for each in opened.sections} == {following.kid}
    (statement,) = opened.rewraps
    chain = statements.verify(StatementKind.REWRAP, statement, reader.keys.public, said.Rewrap)
    assert (chain.old_kid, chain.new_kid) == (reader.kid, following.kid)
    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)
    assert [reader_.live for reader_ in (await scene.snapshot()).notices[0].readers] == [True]


async def test_keys_follow_each_other_more_than_once(scene: Scene, reader: Person, notice: Notice) -> None:
    second = reader.rekeyed()
    third = second.rekeyed()
    await hand_over(scene, reader, second.kid)
    await end(scene, reader.kid, require=True)
    await hand_over(scene, second, third.kid)
    await end(scene, second.kid, require=True)
    await scene.followups.ended_followup(reader.kid)
    await scene.followups.ended_followup(second.kid)

    opened = await scene.read(third, notice.name)

    said_by = [statements.parse(StatementKind.REWRAP, each, said.Rewrap) for each in opened.rewraps]
    assert [(each.old_kid, each.new_kid) for each in said_by] == [
        (reader.kid, second.kid),
        (second.kid, third.kid),
    ]


async def test_a_withdrawal_names_people_whatever_key_they_use_now(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    following = reader.rekeyed()
    await hand_over(scene, reader, following.kid)

    await scene.withdraw(notice.name, [reader.kid])

    with pytest.raises(NotPermitted):
        await scene.read(following, notice.name)
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


async def test_a_handlers_seat_goes_over_too(scene: Scene) -> None:
    following = scene.handler.rekeyed()
    await scene.deps.sync.sync(scene.incident)
    for _ in range(3):
        await scene.section(Kind.MESSAGE, [scene.handler.kid, scene.reporter.kid])

    await hand_over(scene, scene.handler, following.kid)
    await end(scene, scene.handler.kid, require=True)

    opened = await scene.handle(following, scene.account)
    assert len(opened.rewraps) == 1
    await scene.followups.ended_followup(scene.handler.kid)
    assert (following.user, "handler", "incident:" + scene.incident[10:]) in await scene.tuples()


async def test_long_seats_are_listed_in_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.disclosure.store.seats.ITEMS_PAGE", 2)
    for _ in range(4):
        await scene.section(Kind.MESSAGE, [scene.handler.kid])
    following = scene.handler.rekeyed()

    await hand_over(scene, scene.handler, following.kid)

    assert await scene.count(t.wraps, reader_kid=following.kid) == 5
    assert await scene.count(t.rewraps, new_kid=following.kid) == 3


async def test_a_rotation_waits_for_every_wrap(scene: Scene, reader: Person, notice: Notice) -> None:
    """A message that came meanwhile has no wrap for the next key yet."""
    following = scene.handler.rekeyed()
    with pytest.raises(FailedPrecondition, match="SEATS_WITHOUT_SUCCESSOR"):
        await end(scene, scene.handler.kid, require=True)
    await hand_over(scene, scene.handler, following.kid)
    await scene.section(Kind.MESSAGE, [scene.handler.kid])

    with pytest.raises(FailedPrecondition, match="SEATS_WITHOUT_SUCCESSOR"):
        await end(scene, scene.handler.kid, require=True)
    assert await scene.count(t.ended, target=scene.handler.kid) == 0
    await hand_over(scene, scene.handler, following.kid)
    await end(scene, scene.handler.kid, require=True)
    assert await scene.count(t.ended, target=scene.handler.kid) == 1


async def test_a_successor_that_died_is_none(scene: Scene) -> None:
    following = scene.handler.rekeyed()
    await hand_over(scene, scene.handler, following.kid)
    await scene.end_row(following.kid)

    with pytest.raises(FailedPrecondition, match="SEATS_WITHOUT_SUCCESSOR"):
        await end(scene, scene.handler.kid, require=True)


async def test_removal_asks_for_no_successor(scene: Scene, reader: Person, notice: Notice) -> None:
    await end(scene, reader.kid, appointments=[reader.appointment])

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)


async def test_ending_is_one_short_transaction_beside_every_lock(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """T29: it waits for no incident, so that its duration counts none."""
    async with scene.database.transaction(Lock(scene.incident)):
        await end(scene, reader.kid)

    assert await scene.count(t.ended, target=reader.kid) == 1
    assert ("ended_followup", {"target": reader.kid}) in await scene.jobs()


async def test_ending_twice_is_once(scene: Scene, reader: Person, notice: Notice) -> None:
    await end(scene, reader.kid, reader.rekeyed().kid)
    (first,) = await scene.all(t.ended, target=reader.kid)
    await end(scene, reader.kid)

    assert await scene.all(t.ended, target=reader.kid) == [first]


async def test_the_follow_up_closes_what_ended(scene: Scene, reader: Person, notice: Notice) -> None:
    await end(scene, appointments=[reader.appointment])
    await scene.followups.ended_followup(reader.appointment)

    (seat,) = await scene.all(t.seats, kid=reader.kid)
    assert seat.close_reason == "ended"
    assert await scene.count(t.wraps, reader_kid=reader.kid) == 0
    seen = (await scene.snapshot()).notices[0]
    assert (seen.state, [each.live for each in seen.readers]) == (9, [False])
    await scene.deps.sync.sync(scene.incident)
    assert {relation for _, relation, _ in await scene.tuples(notice.name)} == {"handler", "origin"}


async def test_the_next_key_of_someone_else_reads_nothing(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """A reader who hands over to a friend: the seat is still the reader's own person's."""
    friend = scene.person()
    await hand_over(scene, reader, friend.kid)

    with pytest.raises(NotPermitted):
        await scene.read(friend, notice.name)


async def test_the_reporters_key_takes_no_seat(scene: Scene, reader: Person, notice: Notice) -> None:
    (seat,) = await listed(scene, reader, scene.reporter.kid)

    with pytest.raises(NotPermitted):
        await rewrap(scene, reader, handing(scene, seat, reader, scene.reporter.kid))


async def test_a_seat_that_is_not_ones_own_is_not_handed_over(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    (seat,) = await listed(scene, reader, reader.rekeyed().kid)
    stranger = scene.person()

    with pytest.raises(NotPermitted):
        await rewrap(scene, stranger, handing(scene, seat, stranger, stranger.rekeyed().kid))


async def test_a_dead_seat_is_not_handed_over(scene: Scene, reader: Person, notice: Notice) -> None:
    following = reader.rekeyed()
    (seat,) = await listed(scene, reader, following.kid)
    await scene.withdraw(notice.name)

    with pytest.raises(NotPermitted):
        await rewrap(scene, reader, handing(scene, seat, reader, following.kid))
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


@pytest.mark.parametrize(
    "reason", ["SECTION_MISMATCH", "COMMITMENT_MISMATCH", "WRAP_MISMATCH", "STATEMENT_FOREIGN"]
)
async def test_each_slip_of_a_hand_over_has_its_reason(
    scene: Scene, reader: Person, notice: Notice, reason: str
) -> None:
    following = reader.rekeyed()
    (seat,) = await listed(scene, reader, following.kid)
    if reason == "SECTION_MISMATCH":
        seat.sections[0].section = scene.account
    elif reason == "COMMITMENT_MISMATCH":
        seat.sections[0].commitment = b"x" * 32
    request = handing(
        scene, seat, reader, following.kid, **({"grant": new("incidents")} if "FOREIGN" in reason else {})
    )
    if reason == "WRAP_MISMATCH":
        request.wraps[0].wrap = IDS.token_bytes(1168)

    with pytest.raises(InvalidArgument, match=reason):
        await rewrap(scene, reader, request)
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


async def test_a_hand_over_is_signed_by_the_old_key_for_this_installation(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    following = reader.rekeyed()
    (seat,) = await listed(scene, reader, following.kid)
    forged = handing(scene, seat, reader, following.kid)
    forged.rewrap.signature = b"x" * 64

    with pytest.raises(StatementSignature):
        await rewrap(scene, reader, forged)
    with pytest.raises(InvalidArgument, match="STATEMENT_FOREIGN"):
        await rewrap(scene, reader, handing(scene, seat, reader, following.kid, installation="b" * 52))
    with pytest.raises(StatementForeign):
        handing(scene, seat, reader, following.kid, old_kid=following.kid)


async def test_a_hand_over_is_done_once(scene: Scene, reader: Person, notice: Notice) -> None:
    following = reader.rekeyed()
    (seat,) = await listed(scene, reader, following.kid)
    request = handing(scene, seat, reader, following.kid)

    await rewrap(scene, reader, request)
    await rewrap(scene, reader, request)

    assert await scene.count(t.rewraps, new_kid=following.kid) == 1


async def test_affiliations_are_recorded_once_and_followed(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    organisation = new("organisations")
    await scene.exclude_row(organisation)
    request = rpc.RecordAffiliationRequest(subject=reader.subject, organisation=organisation)

    await scene.seats.record_affiliation(request, scene.own())
    await scene.seats.record_affiliation(request, scene.own())

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)
    assert (await scene.jobs()).count(("affiliation_followup", {"organisation": organisation})) == 1
    await scene.followups.affiliation_followup(organisation)
    assert (await scene.all(t.seats, kid=reader.kid))[0].close_reason == "excluded"
    assert (reader.user, "conflicted") in {each[:2] for each in await scene.tuples(notice.name)}
