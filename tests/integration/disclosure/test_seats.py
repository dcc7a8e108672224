"""Seats end for ever, go over to the next key whole, and affiliations are never forgotten (I27)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SecretKeys, statements
from meldbrug.crypto.errors import StatementForeign, StatementSignature
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import ConsentState, Kind, NoticeState
from services.disclosure.store import successors
from services.disclosure.store import tables as t
from services.disclosure.usecases.seats import Seats
from services.kernel.db import Lock
from services.kernel.errors import FailedPrecondition, InvalidArgument, NotPermitted
from tests.integration.disclosure.between import held_up
from tests.integration.disclosure.scene import (
    IDS,
    INSTALLATION,
    NOW,
    FakeCall,
    Notice,
    Person,
    Scene,
    new,
    request_id,
)

ROOT = SecretKeys(b"r" * 32, b"r" * 32)
Follow = Callable[[Person], Person]


class Announcements:
    """The directory's book as far as rotations fill it: everyone's first key is endorsed by the root."""

    def __init__(self) -> None:
        self.keys: dict[str, common.PublicKeys] = {}
        self.endorsements: dict[str, common.Signed] = {}
        self.rotations: dict[str, tuple[str, common.Signed]] = {}
        self.endorse(Person("organisations/" + "s" * 26, "", keys=ROOT), admin=True)

    def endorse(self, person: Person, *, admin: bool = False) -> None:
        endorsement = said.Endorsement(
            installation=INSTALLATION, organisation=person.organisation, organisation_title="Een omroep",
            subject=person.subject, subject_name="Iemand", subject_kind=common.SUBJECT_KIND_PERSON,
            kid=person.kid, admin=admin, valid_from=Timestamp(seconds=1_760_000_000), signer_kid=ROOT.kid,
            sequence=1,
        )  # fmt: skip
        self.add(person.keys.public)
        self.endorsements[person.kid] = statements.sign(StatementKind.ENDORSEMENT, endorsement, ROOT)

    def announce(self, old: Person, keys: PublicKeys, *, endorsed: bool = True) -> None:
        """Notes the key that shall follow; it takes the place of the one announced before."""
        if endorsed and old.kid not in self.new_kids():
            self.endorse(old)
        rotation = said.KeyRotation(
            installation=INSTALLATION, organisation=old.organisation, subject=old.subject, old_kid=old.kid,
            new_kid=keys.kid, sequence=1,
        )  # fmt: skip
        self.add(old.keys.public)
        self.add(keys)
        self.rotations[old.kid] = (keys.kid, statements.sign(StatementKind.ROTATION, rotation, old.keys))

    def add(self, keys: PublicKeys) -> None:
        self.keys[keys.kid] = common.PublicKeys(signing=keys.signing, sealing=keys.sealing)

    def new_kids(self) -> set[str]:
        return {new_kid for new_kid, _ in self.rotations.values()}

    async def book(self, kids: Iterable[str]) -> directory.KeyBook:
        """As the directory answers: rotations in force, and announced ones of the keys asked about."""
        shown = {*kids, *self.rotations}
        return directory.KeyBook(
            keys=self.keys.values(),
            endorsements=self.endorsements.values(),
            rotations=[signed for new_kid, signed in self.rotations.values() if new_kid in shown],
        )


@pytest.fixture(autouse=True)
def announced(scene: Scene) -> Announcements:
    found = Announcements()
    scene.seats = Seats(replace(scene.deps, directory=found))  # type: ignore[arg-type]  # as far as seats ask
    return found


@pytest.fixture
def follow(announced: Announcements) -> Callable[[Person], Person]:
    """Announces the next key of somebody, who is returned with it."""

    def following(old: Person) -> Person:
        new = old.rekeyed()
        announced.announce(old, new.keys.public)
        return new

    return following


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
    while found := await listed(scene, old, new_kid):
        for seat in found:
            await rewrap(scene, old, handing(scene, seat, old, new_kid))


async def rewrap(scene: Scene, old: Person, request: rpc.RewrapSeatRequest) -> None:
    await scene.seats.rewrap_seat(request, FakeCall(old.actor()))  # type: ignore[arg-type]


async def end(scene: Scene, *kids: str, appointments: Iterable[str] = (), require: bool = False) -> None:
    request = rpc.EndSeatsRequest(kids=kids, appointments=appointments, require_successors=require)
    await scene.seats.end_seats(request, scene.own())


async def test_a_seat_is_listed_with_its_wraps(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    (seat,) = await listed(scene, reader, follow(reader).kid)

    assert (seat.incident, seat.grant, list(seat.purposes)) == (scene.incident, notice.consent, [1, 4])
    assert {ref.section for ref in seat.sections} == set(notice.sections.values())
    for ref, wrap in zip(seat.sections, seat.wraps, strict=True):
        (row,) = await scene.all(t.wraps, section=ref.section, reader_kid=reader.kid)
        (section,) = await scene.all(t.sections, name=ref.section)
        assert (wrap.section, wrap.version, wrap.reader_kid) == (ref.section, ref.version, reader.kid)
        assert (wrap.wrap, wrap.version) == (row.wrap, section.version)
        assert (ref.digest, ref.commitment, ref.kind) == (section.digest, section.commitment, section.kind)


@pytest.mark.parametrize(("page_size", "count"), [(0, successors.SEATS_PAGE), (3, 3), (100, 4)])
async def test_a_page_of_seats_has_a_bound(
    scene: Scene, reader: Person, notice: Notice, follow: Follow, page_size: int, count: int
) -> None:
    for _ in range(successors.SEATS_PAGE):
        await scene.notice([reader])

    assert len(await listed(scene, reader, follow(reader).kid, page_size=page_size)) == count


async def test_a_hand_over_waits_its_turn_and_sends_openings_back(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    """An opening that began before it must not answer with wraps of a key that is given up."""
    following = follow(reader)
    (seat,) = await listed(scene, reader, following.kid)
    (before,) = await scene.all(t.incidents, name=scene.incident)
    call = rewrap(scene, reader, handing(scene, seat, reader, following.kid))
    async with held_up(scene.database, scene.incident, call) as handing_over:
        assert await scene.count(t.seats, kid=following.kid) == 0
    await handing_over

    (after,) = await scene.all(t.incidents, name=scene.incident)
    assert (after.version, after.epoch) == (before.version + 1, before.epoch + 1)


async def test_nobody_elses_seats_are_listed(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    stranger, following = scene.person(), follow(reader)
    thief = Person(reader.organisation, reader.participation, keys=reader.keys)

    assert await listed(scene, stranger, follow(stranger).kid) == []
    assert await listed(scene, thief, following.kid) == []


@pytest.mark.parametrize("how", ["kid", "appointment", "subject"])
async def test_a_dead_seat_is_not_listed(
    scene: Scene, reader: Person, notice: Notice, follow: Follow, how: str
) -> None:
    target = getattr(reader, how)
    await (scene.exclude_row(target) if how == "subject" else scene.end_row(target))

    assert await listed(scene, reader, follow(reader).kid) == []


async def not_accepted(scene: Scene, notice: Notice) -> None:
    await scene.set(t.notices, notice.name, state=NoticeState.OFFERED)
    async with scene.database.transaction() as conn:
        await conn.execute(t.acceptances.delete().where(t.acceptances.c.notice == notice.name))


async def accepted_for_older_terms(scene: Scene, notice: Notice) -> None:
    await scene.set(t.consents, notice.consent, terms_version="2")


async def not_yet(scene: Scene, notice: Notice) -> None:
    await scene.set(t.consents, notice.consent, valid_from=NOW + timedelta(days=2))


async def no_longer(scene: Scene, notice: Notice) -> None:
    """The clock has run out, and no sweep has closed the seat."""
    await scene.set(t.consents, notice.consent, valid_until=datetime.now(UTC))


async def consent_ended(scene: Scene, notice: Notice) -> None:
    await scene.set(t.consents, notice.consent, state=ConsentState.SUPERSEDED)


async def another_consent(scene: Scene, notice: Notice) -> None:
    await scene.set(t.notices, notice.name, consent=new("consents"))


async def decision_revoked(scene: Scene, notice: Notice) -> None:
    await scene.set(t.notices, notice.name, decision_stands=False)


async def notice_closed(scene: Scene, notice: Notice) -> None:
    await scene.set(t.notices, notice.name, state=NoticeState.EXPIRED)


async def report_withdrawn(scene: Scene, notice: Notice) -> None:
    await scene.set(t.incidents, scene.incident, withdrawn=True)


@pytest.mark.parametrize(
    "shut",
    [
        not_accepted,
        accepted_for_older_terms,
        not_yet,
        no_longer,
        consent_ended,
        another_consent,
        decision_revoked,
        notice_closed,
        report_withdrawn,
    ],
)
async def test_what_may_not_be_opened_is_not_handed_over_and_holds_up_no_rotation(
    scene: Scene,
    reader: Person,
    notice: Notice,
    follow: Follow,
    shut: Callable[[Scene, Notice], Awaitable[None]],
) -> None:
    """I1: a wrap is the section's key, and the list of them tells what the stub must not."""
    following = follow(reader)
    (seat,) = await listed(scene, reader, following.kid)
    with pytest.raises(FailedPrecondition, match=r"^SEATS_WITHOUT_SUCCESSOR$"):
        await end(scene, reader.kid, require=True)

    await shut(scene, notice)

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)
    assert await listed(scene, reader, following.kid) == []
    with pytest.raises(NotPermitted):
        await rewrap(scene, reader, handing(scene, seat, reader, following.kid))
    await end(scene, reader.kid, require=True)
    assert await scene.count(t.seats, kid=following.kid) == 0


async def test_a_handler_of_a_withdrawn_report_hands_nothing_over(scene: Scene, follow: Follow) -> None:
    following = follow(scene.handler)
    (seat,) = await listed(scene, scene.handler, following.kid)

    await scene.set(t.incidents, scene.incident, withdrawn=True)

    assert await listed(scene, scene.handler, following.kid) == []
    with pytest.raises(NotPermitted):
        await rewrap(scene, scene.handler, handing(scene, seat, scene.handler, following.kid))
    await end(scene, scene.handler.kid, require=True)


async def test_a_seat_that_hands_nothing_over_takes_no_place_in_the_list(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    """Otherwise a page of them would end the list, and the rotation would wait for the rest for ever."""
    shut, stays = sorted([notice, await scene.notice([reader])], key=lambda one: one.consent)
    await decision_revoked(scene, shut)

    found = await listed(scene, reader, follow(reader).kid, page_size=1)

    assert [seat.grant for seat in found] == [stays.consent]


async def test_a_door_that_shuts_while_seats_are_listed_shuts_for_their_wraps_too(
    scene: Scene, reader: Person, notice: Notice, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    following, of_wraps = follow(reader), successors.wraps_to_hand_over

    async def late(conn: Any, *of: str) -> Any:
        await decision_revoked(scene, notice)
        return await of_wraps(conn, *of)

    monkeypatch.setattr(successors, "wraps_to_hand_over", late)

    assert await listed(scene, reader, following.kid) == []


async def test_a_reader_who_changed_keys_before_the_terms_is_out_and_the_others_are_not(
    scene: Scene, follow: Follow
) -> None:
    """The printed limit: that reader has to be asked for again."""
    gone, stays = scene.colleagues(2)
    offered = await scene.notice([gone, stays], state=NoticeState.OFFERED)
    following = follow(gone)

    await hand_over(scene, gone, following.kid)
    await end(scene, gone.kid, require=True)
    await scene.followups.ended_followup(gone.kid)
    await scene.set(t.notices, offered.name, state=NoticeState.TERMS_ACCEPTED)
    await scene.accept(offered.name, stays)

    with pytest.raises(NotPermitted):
        await scene.read(following, offered.name)
    assert len((await scene.read(stays, offered.name)).sections) == 2


async def test_the_next_key_reads_and_the_old_one_stops(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    following = follow(reader)
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


async def test_keys_follow_each_other_more_than_once(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    second = follow(reader)
    third = follow(second)
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
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    following = follow(reader)
    await hand_over(scene, reader, following.kid)

    await scene.withdraw(notice.name, [reader.kid])

    with pytest.raises(NotPermitted):
        await scene.read(following, notice.name)
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


async def test_a_handlers_seat_goes_over_too(scene: Scene, follow: Follow) -> None:
    following = follow(scene.handler)
    await scene.deps.sync.sync(scene.incident)
    for _ in range(3):
        await scene.section(Kind.MESSAGE, [scene.handler.kid, scene.reporter.kid])

    await hand_over(scene, scene.handler, following.kid)
    await end(scene, scene.handler.kid, require=True)

    opened = await scene.handle(following, scene.account)
    assert len(opened.rewraps) == 1
    await scene.followups.ended_followup(scene.handler.kid)
    assert (following.user, "handler", "incident:" + scene.incident[10:]) in await scene.tuples()


async def test_a_handlers_seat_that_holds_nothing_yet_goes_over_too(scene: Scene, follow: Follow) -> None:
    """I27: whoever joined an intake with which nothing was shared is written to from now on."""
    following = follow(scene.handler)
    async with scene.database.transaction() as conn:
        await conn.execute(t.wraps.delete().where(t.wraps.c.reader_kid == scene.handler.kid))
    with pytest.raises(FailedPrecondition, match=r"^SEATS_WITHOUT_SUCCESSOR$"):
        await end(scene, scene.handler.kid, require=True)

    (seat,) = await listed(scene, scene.handler, following.kid)
    assert not seat.wraps
    await hand_over(scene, scene.handler, following.kid)

    assert await listed(scene, scene.handler, following.kid) == []
    await end(scene, scene.handler.kid, require=True)
    assert await scene.count(t.seats, kid=following.kid, grant_name=scene.incident) == 1


async def test_a_readers_seat_without_a_wrap_follows_to_nobody(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    following = follow(reader)
    (seat,) = await listed(scene, reader, following.kid)
    del seat.sections[:]
    emptied = handing(scene, seat, reader, following.kid)

    with pytest.raises(InvalidArgument, match=r"^WRAP_MISMATCH$"):
        await rewrap(scene, reader, emptied)
    assert await scene.count(t.seats, kid=following.kid) == 0


async def test_long_seats_are_listed_in_parts(
    scene: Scene, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.disclosure.store.successors.ITEMS_PAGE", 2)
    for _ in range(4):
        await scene.section(Kind.MESSAGE, [scene.handler.kid])
    following = follow(scene.handler)

    await hand_over(scene, scene.handler, following.kid)

    assert await scene.count(t.wraps, reader_kid=following.kid) == 5
    assert await scene.count(t.rewraps, new_kid=following.kid) == 3


async def test_a_rotation_waits_for_every_wrap(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    """A message that came meanwhile has no wrap for the next key yet."""
    following = follow(scene.handler)
    with pytest.raises(FailedPrecondition, match=r"^SEATS_WITHOUT_SUCCESSOR$"):
        await end(scene, scene.handler.kid, require=True)
    await hand_over(scene, scene.handler, following.kid)
    await scene.section(Kind.MESSAGE, [scene.handler.kid])

    with pytest.raises(FailedPrecondition, match=r"^SEATS_WITHOUT_SUCCESSOR$"):
        await end(scene, scene.handler.kid, require=True)
    assert await scene.count(t.ended, target=scene.handler.kid) == 0
    await hand_over(scene, scene.handler, following.kid)
    await end(scene, scene.handler.kid, require=True)
    assert await scene.count(t.ended, target=scene.handler.kid) == 1


async def test_a_successor_that_died_is_none(scene: Scene, follow: Follow) -> None:
    following = follow(scene.handler)
    await hand_over(scene, scene.handler, following.kid)
    await scene.end_row(following.kid)

    with pytest.raises(FailedPrecondition, match=r"^SEATS_WITHOUT_SUCCESSOR$"):
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


async def test_the_reporters_key_takes_no_seat(
    scene: Scene, reader: Person, notice: Notice, announced: Announcements
) -> None:
    announced.announce(reader, scene.reporter.public)
    (seat,) = await listed(scene, reader, scene.reporter.kid)

    with pytest.raises(NotPermitted):
        await rewrap(scene, reader, handing(scene, seat, reader, scene.reporter.kid))


async def key_of_nobody(scene: Scene, reader: Person, announced: Announcements) -> str:
    return reader.rekeyed().kid


async def key_of_a_colleague(scene: Scene, reader: Person, announced: Announcements) -> str:
    colleague = scene.person(reader.organisation, reader.participation)
    announced.endorse(colleague)
    return colleague.kid


async def next_key_of_a_colleague(scene: Scene, reader: Person, announced: Announcements) -> str:
    colleague = scene.person(reader.organisation, reader.participation)
    announced.announce(colleague, colleague.rekeyed().keys.public)
    return announced.rotations[colleague.kid][0]


async def own_key_of_another_membership(scene: Scene, reader: Person, announced: Announcements) -> str:
    elsewhere = replace(scene.person(), subject=reader.subject)
    announced.endorse(elsewhere)
    return elsewhere.kid


async def key_that_another_was_announced_instead_of(
    scene: Scene, reader: Person, announced: Announcements
) -> str:
    first = reader.rekeyed()
    announced.announce(reader, first.keys.public)
    announced.announce(reader, reader.rekeyed().keys.public)
    return first.kid


async def key_that_no_chain_leads_to(scene: Scene, reader: Person, announced: Announcements) -> str:
    following = reader.rekeyed()
    announced.announce(reader, following.keys.public, endorsed=False)
    return following.kid


async def key_after_the_next(scene: Scene, reader: Person, announced: Announcements) -> str:
    second = reader.rekeyed()
    third = second.rekeyed()
    announced.announce(reader, second.keys.public)
    announced.announce(second, third.keys.public)
    return third.kid


@pytest.mark.parametrize(
    "whose",
    [
        key_of_nobody,
        key_of_a_colleague,
        next_key_of_a_colleague,
        own_key_of_another_membership,
        key_that_another_was_announced_instead_of,
        key_that_no_chain_leads_to,
        key_after_the_next,
    ],
)
async def test_a_seat_goes_to_no_key_but_the_announced_one(
    scene: Scene,
    reader: Person,
    notice: Notice,
    announced: Announcements,
    follow: Follow,
    whose: Callable[[Scene, Person, Announcements], Awaitable[str]],
) -> None:
    """A key in the intake that nobody vouches for would make every client refuse to seal to it at all."""
    for holder in (reader, scene.handler):
        (seat,) = await listed(scene, holder, follow(holder).kid)
        announced.rotations.clear()
        announced.endorsements.pop(holder.kid)
        new_kid = await whose(scene, holder, announced)

        with pytest.raises(InvalidArgument, match=r"^READER_MISMATCH$"):
            await listed(scene, holder, new_kid)
        with pytest.raises(InvalidArgument, match=r"^READER_MISMATCH$"):
            await rewrap(scene, holder, handing(scene, seat, holder, new_kid))
        assert await scene.count(t.seats, kid=new_kid) == 0


async def test_a_seat_has_one_successor_at_a_time(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    """Whoever lost the announced key announces another one; the lost one keeps neither seat nor wraps."""
    kept = {}
    for holder in (reader, scene.handler):
        lost = follow(holder)
        await hand_over(scene, holder, lost.kid)
        found = kept[holder] = follow(holder)
        await hand_over(scene, holder, found.kid)

        assert [seat.close_reason for seat in await scene.all(t.seats, kid=lost.kid)] == ["rewrapped"]
        assert await scene.count(t.wraps, reader_kid=lost.kid) == 0
        assert await scene.count(t.consent_sections, reader_kid=lost.kid) == 0
        await end(scene, holder.kid, require=True)

    assert len((await scene.read(kept[reader], notice.name)).sections) == 2


async def test_a_seat_that_is_not_ones_own_is_not_handed_over(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    """And the stranger is told nothing else, whatever key is named: who has no seat learns of none."""
    (seat,) = await listed(scene, reader, follow(reader).kid)
    stranger = scene.person()

    for next_key in (follow(stranger), stranger.rekeyed()):
        with pytest.raises(NotPermitted):
            await rewrap(scene, stranger, handing(scene, seat, stranger, next_key.kid))


async def test_a_dead_seat_is_not_handed_over(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    following = follow(reader)
    (seat,) = await listed(scene, reader, following.kid)
    await scene.withdraw(notice.name)

    with pytest.raises(NotPermitted):
        await rewrap(scene, reader, handing(scene, seat, reader, following.kid))
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


@pytest.mark.parametrize(
    "reason", ["SECTION_MISMATCH", "COMMITMENT_MISMATCH", "WRAP_MISMATCH", "STATEMENT_FOREIGN"]
)
async def test_each_slip_of_a_hand_over_has_its_reason(
    scene: Scene, reader: Person, notice: Notice, follow: Follow, reason: str
) -> None:
    following = follow(reader)
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

    with pytest.raises(InvalidArgument, match=f"^{reason}$"):
        await rewrap(scene, reader, request)
    assert await scene.count(t.wraps, reader_kid=following.kid) == 0


async def test_a_hand_over_is_signed_by_the_old_key_for_this_installation(
    scene: Scene, reader: Person, notice: Notice, follow: Follow
) -> None:
    following = follow(reader)
    (seat,) = await listed(scene, reader, following.kid)
    forged = handing(scene, seat, reader, following.kid)
    forged.rewrap.signature = b"x" * 64

    with pytest.raises(StatementSignature):
        await rewrap(scene, reader, forged)
    with pytest.raises(InvalidArgument, match=r"^STATEMENT_FOREIGN$"):
        await rewrap(scene, reader, handing(scene, seat, reader, following.kid, installation="b" * 52))
    with pytest.raises(StatementForeign):
        handing(scene, seat, reader, following.kid, old_kid=following.kid)


async def test_a_hand_over_is_done_once(scene: Scene, reader: Person, notice: Notice, follow: Follow) -> None:
    following = follow(reader)
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
