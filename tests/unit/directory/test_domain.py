"""What may become of organisations, members, participations and roles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.directory.v1 import directory_pb2 as pb
from services.directory import domain
from services.directory.domain import (
    Capacity,
    Key,
    Member,
    MemberState,
    Organisation,
    OrganisationKind,
    OrganisationState,
    Participation,
    ParticipationState,
    Production,
    Standing,
    SubjectKind,
)
from services.kernel.errors import InvalidArgument, InvalidField, NotPermitted, Refusal, StaleEtag

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = "r" * 52


def organisation(**changed: Any) -> Organisation:
    values: dict[str, Any] = {
        "name": "organisations/o",
        "title": "Omroep",
        "kind": OrganisationKind.BROADCASTER,
    }
    return Organisation(**values | changed)


def member(**changed: Any) -> Member:
    values: dict[str, Any] = {
        "name": "members/m",
        "organisation": "organisations/o",
        "subject": "persons/p",
        "title": "Noor",
        "subject_kind": SubjectKind.PERSON,
        "admin": False,
        "state": MemberState.ACTIVE,
        "kid": "k" * 52,
    }
    return Member(**values | changed)


def participation(**changed: Any) -> Participation:
    values: dict[str, Any] = {
        "name": "participations/p",
        "production": "productions/x",
        "organisation": "organisations/o",
    }
    return Participation(**values | changed)


def state_of(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[str, dict[str, str]]:
    return refusal.value.reason, refusal.value.metadata


@pytest.mark.parametrize(
    ("ours", "wire"),
    [
        (OrganisationKind, pb.Organisation.Kind),
        (OrganisationState, pb.Organisation.State),
        (MemberState, pb.Member.State),
        (ParticipationState, pb.Participation.State),
        (Capacity, common.Capacity),
        (SubjectKind, common.SubjectKind),
    ],
)
def test_a_stored_number_means_what_it_means_on_the_wire(ours: type[IntEnum], wire: Any) -> None:
    sent = {number: name for name, number in wire.items() if number}

    assert {one.value for one in ours} == set(sent)
    assert all(sent[one.value].endswith(one.name) for one in ours)


def test_an_invited_member_brings_a_key_and_is_endorsed() -> None:
    invited = member(state=MemberState.INVITED, kid="")

    pending = invited.accept_key("n" * 52)
    active = pending.endorse()

    assert (pending.state, pending.kid) == (MemberState.KEY_PENDING, "n" * 52)
    assert active.state is MemberState.ACTIVE


@pytest.mark.parametrize("state", [MemberState.KEY_PENDING, MemberState.ACTIVE, MemberState.REMOVED])
def test_a_key_is_brought_once(state: MemberState) -> None:
    with pytest.raises(Refusal) as refusal:
        member(state=state).accept_key("n" * 52)

    assert state_of(refusal) == ("WRONG_STATE", {"state": state.name})


@pytest.mark.parametrize("state", [MemberState.INVITED, MemberState.ACTIVE, MemberState.REMOVED])
def test_only_a_pending_key_is_endorsed(state: MemberState) -> None:
    with pytest.raises(Refusal) as refusal:
        member(state=state).endorse()

    assert state_of(refusal) == ("WRONG_STATE", {"state": state.name})


def test_a_member_is_removed_once_and_the_root_never() -> None:
    removed = member().remove(ROOT)

    assert removed.state is MemberState.REMOVED
    for stays in (removed, member(kid=ROOT)):
        with pytest.raises(domain.WrongState):
            stays.remove(ROOT)


def test_only_the_announced_key_follows() -> None:
    announced = member().announce("n" * 52, ROOT)

    assert announced.kid == "k" * 52
    rotated = announced.rotate("n" * 52, NOW)
    assert (rotated.kid, rotated.pending_kid, rotated.key_change_time) == ("n" * 52, "", NOW)
    for held, kid in ((announced, "o" * 52), (rotated, "n" * 52), (member(), "")):
        with pytest.raises(domain.WrongState):
            held.rotate(kid, NOW)


def test_the_root_is_for_ever() -> None:
    with pytest.raises(domain.WrongState):
        member(kid=ROOT).announce("n" * 52, ROOT)


def test_a_participation_is_proposed_accepted_and_ended_in_that_order() -> None:
    proposed = participation()

    accepted = proposed.accept()
    ended = accepted.end()

    assert [one.state for one in (proposed, accepted, ended)] == list(ParticipationState)
    assert proposed.end().state is ParticipationState.ENDED
    for done in (accepted.accept, ended.accept, ended.end):
        with pytest.raises(domain.WrongState):
            done()


def test_the_independent_point_always_takes_part() -> None:
    standing = participation(production="", independent=True, state=ParticipationState.ACCEPTED)

    with pytest.raises(domain.WrongState):
        standing.end()


def test_an_organisation_is_suspended_and_comes_back_but_not_once_it_left() -> None:
    def moved(one: Organisation, state: OrganisationState | None) -> Organisation:
        return one.updated(one.title, one.kind, one.umbrella, state)

    suspended = moved(organisation(), OrganisationState.SUSPENDED)
    left = moved(suspended, OrganisationState.LEFT)

    assert moved(suspended, OrganisationState.ACTIVE).state is OrganisationState.ACTIVE
    assert moved(suspended, None).state is OrganisationState.SUSPENDED
    assert moved(left, OrganisationState.LEFT) == left
    with pytest.raises(domain.WrongState):
        moved(left, OrganisationState.ACTIVE)


@pytest.mark.parametrize("kind", sorted(domain.SINGULAR))
def test_what_there_is_one_of_stays_and_is_not_made_of_anything_else(kind: OrganisationKind) -> None:
    singular = organisation(kind=kind)

    with pytest.raises(domain.WrongState):
        singular.updated("x", kind, "", OrganisationState.SUSPENDED)
    with pytest.raises(InvalidField):
        singular.updated("x", OrganisationKind.PRODUCER, "", None)
    with pytest.raises(InvalidField):
        organisation().updated("x", kind, "", None)
    assert singular.updated("Nieuwe naam", kind, "", None).title == "Nieuwe naam"


def test_an_organisation_is_not_its_own_umbrella() -> None:
    with pytest.raises(InvalidField):
        organisation().updated("x", OrganisationKind.BROADCASTER, "organisations/o", None)


def test_every_version_has_another_etag() -> None:
    first = organisation()
    second = replace(first, version=2)

    first.require_etag(first.etag)
    assert first.etag != second.etag
    with pytest.raises(StaleEtag):
        second.require_etag(first.etag)


def test_a_production_does_not_end_before_it_starts() -> None:
    times = {"start_time": NOW, "end_time": NOW - timedelta(seconds=1)}

    with pytest.raises(InvalidField):
        Production(name="productions/x", title="x", lead="organisations/o", code="c", **times)
    same = Production(name="productions/x", title="x", lead="o", code="c", start_time=NOW, end_time=NOW)
    assert same.end_time == same.start_time


KEY = Key(kid="k" * 52, signing=b"s", sealing=b"x", member="members/m")


@pytest.mark.parametrize(
    ("changed", "active"),
    [
        ({}, True),
        ({"key": replace(KEY, kid="o" * 52)}, False),
        ({"member": member(state=MemberState.KEY_PENDING)}, False),
        ({"member": member(state=MemberState.REMOVED)}, False),
        ({"organisation": organisation(state=OrganisationState.SUSPENDED)}, False),
        ({"organisation": organisation(state=OrganisationState.LEFT)}, False),
    ],
)
def test_only_the_current_key_of_an_active_member_of_an_active_organisation_acts(
    changed: dict[str, Any], active: bool
) -> None:
    values: dict[str, Any] = {"key": KEY, "member": member(), "organisation": organisation()}
    standing = Standing(**values | changed)

    assert standing.active is active
    if active:
        standing.require(admin=False)
    else:
        with pytest.raises(NotPermitted):
            standing.require(admin=False)


def test_a_plain_member_is_no_admin() -> None:
    plain = Standing(key=KEY, member=member(), organisation=organisation())

    with pytest.raises(NotPermitted):
        plain.require(admin=True)
    replace(plain, member=member(admin=True)).require(admin=True)


def test_a_role_ends_once() -> None:
    role = domain.Appointment(
        name="appointments/a",
        organisation="organisations/o",
        participation="participations/p",
        capacity=Capacity.COUNSELLOR,
        role="Vertrouwenspersoon",
        member="members/m",
        subject="persons/p",
        kid="k" * 52,
        signer_kid="a" * 52,
    )

    with pytest.raises(domain.WrongState):
        role.end().end()


@pytest.mark.parametrize(
    ("sequence", "accepted"),
    [
        (1_000, False),
        (1_001, True),
        (int((NOW + timedelta(minutes=5)).timestamp() * 1000), True),
        (int((NOW + timedelta(minutes=5)).timestamp() * 1000) + 1, False),
    ],
)
def test_a_sequence_grows_and_does_not_run_ahead(sequence: int, accepted: bool) -> None:
    if accepted:
        domain.require_sequence(sequence, 1_000, NOW)
        return
    with pytest.raises(InvalidArgument) as refusal:
        domain.require_sequence(sequence, 1_000, NOW)
    assert refusal.value.reason == "STATEMENT_SEQUENCE"
