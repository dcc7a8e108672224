"""Appointments, removal and rotation: what ends, and that it ends before the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.message import Message
from sqlalchemy import event

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from services.directory.store import circles
from services.directory.store.policy import policy_object
from services.directory.usecases.doors import Doors
from services.kernel.errors import FailedPrecondition, Unavailable
from services.kernel.jobs import Jobs
from tests.integration.directory.harness import IDS, Chain, Sector, Staff, bytes_of, reason_of, request_id

COUNSELLOR, SAFETY = common.CAPACITY_COUNSELLOR, common.CAPACITY_SAFETY_CONTACT
# The first repeats come after 1, 2 and 4 s.
REPEATED_S = 15


async def begin(member: Staff, new: SecretKeys, /, **changed: Any) -> pb.Member:
    public = common.PublicKeys(signing=new.public.signing, sealing=new.public.sealing)
    request = rpc.BeginRotationRequest(
        rotation=member.rotation(new, **changed), new_keys=public, request_id=request_id()
    )
    return (await member.call("MemberService/BeginRotation", request)).member  # type: ignore[no-any-return]


async def complete(member: Staff, kid: str) -> pb.Member:
    request = rpc.CompleteRotationRequest(new_kid=kid, request_id=request_id())
    return (await member.call("MemberService/CompleteRotation", request)).member  # type: ignore[no-any-return]


def with_key(member: Staff, keys: SecretKeys) -> Staff:
    return Staff(
        member.channel, member.installation, keys, member=member.member, organisation=member.organisation
    )


async def test_a_role_is_known_to_the_policy_engine_before_the_answer(sector: Sector) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    holder = await sector.hire(admin)

    contact = await sector.appoint(admin, holder, place, SAFETY)

    assert (contact.kid, contact.subject, contact.capacity) == (holder.kid, holder.member.subject, SAFETY)
    assert await sector.holds(holder, "safety_contact", place)
    assert not await sector.holds(holder, "counsellor", place)
    assert await sector.holds(admin, "can_appoint", place)
    assert not await sector.holds(holder, "can_appoint", place)


async def test_an_ended_role_is_ended_everywhere_before_the_answer(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, made.participation.name)

    ended = await sector.end(admin, contact.appointment)

    assert ended.ended
    assert sector.disclosure.ended() == {contact.appointment}
    assert not await sector.holds(holder, "counsellor", made.participation.name)
    assert contact.appointment not in {
        one.appointment for one in (await sector.circle(made.production.code)).contacts
    }
    assert await reason_of(sector.end(admin, contact.appointment)) == "WRONG_STATE"
    again = await sector.appoint(admin, holder, made.participation.name)
    assert await sector.holds(holder, "counsellor", made.participation.name)
    assert again.appointment != contact.appointment


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"installation": SecretKeys(b"x" * 32, b"y" * 32).kid}, "STATEMENT_FOREIGN"),
        ({"organisation": "organisations/" + "a" * 26}, "STATEMENT_FOREIGN"),
        ({"participation": "participations/" + "a" * 26}, "NOT_PERMITTED"),
        ({"kid": SecretKeys(b"x" * 32, b"y" * 32).kid}, "APPOINTMENT_BROKEN"),
        ({"subject": "persons/" + "a" * 26}, "APPOINTMENT_BROKEN"),
        ({"deputy_of": "appointments/" + "a" * 26}, "APPOINTMENT_BROKEN"),
        ({"sequence": 1}, "STATEMENT_SEQUENCE"),
    ],
)
async def test_an_appointment_that_says_something_else_is_refused_with_its_reason(
    sector: Sector, changed: dict[str, Any], reason: str
) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    holder = await sector.hire(admin)

    assert await reason_of(sector.appoint(admin, holder, place, COUNSELLOR, **changed)) == reason


async def test_members_of_another_organisation_are_not_appointed(sector: Sector) -> None:
    admin, other = await sector.admit(), await sector.admit("Ander")
    place = (await sector.produce(admin)).participation.name

    assert await reason_of(sector.appoint(admin, await sector.hire(other), place)) == "APPOINTMENT_BROKEN"


async def test_a_deputy_deputises_for_a_current_role_of_the_same_kind(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    place, deputy = made.participation.name, await sector.hire(admin, "Plaatsvervanger")
    principal = await sector.appoint(admin, await sector.hire(admin), place, COUNSELLOR)
    named = {"deputy_of": principal.appointment}

    assert await reason_of(sector.appoint(admin, deputy, place, SAFETY, **named)) == "APPOINTMENT_BROKEN"
    contact = await sector.appoint(admin, deputy, place, COUNSELLOR, **named)

    circle = await sector.circle(made.production.code)
    assert Chain(circle.book, sector.installation).contact(contact).deputy_of == principal.appointment


async def test_nobody_holds_the_same_role_twice_and_no_name_is_used_twice(sector: Sector) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    one, two = await sector.hire(admin), await sector.hire(admin, "Twee")
    contact = await sector.appoint(admin, one, place)

    assert await reason_of(sector.appoint(admin, one, place)) == "WRONG_STATE"
    assert (
        await reason_of(sector.appoint(admin, two, place, COUNSELLOR, appointment=contact.appointment))
        == "WRONG_STATE"
    )


async def test_a_removed_member_is_out_of_everything_before_the_answer(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, made.participation.name)

    removed = await sector.remove(admin, holder.member.name)

    assert removed.state == pb.Member.STATE_REMOVED
    assert sector.disclosure.ended() == {holder.kid, contact.appointment}
    assert not await sector.holds(holder, "member", admin.organisation.name)
    assert not await sector.holds(holder, "counsellor", made.participation.name)
    assert await reason_of(holder.call("MemberService/GetMe", rpc.GetMeRequest())) == "KEY_UNKNOWN"
    circle = await sector.circle(made.production.code)
    assert contact.appointment not in {one.appointment for one in circle.contacts}
    assert await reason_of(sector.remove(admin, holder.member.name)) == "WRONG_STATE"


async def test_seats_are_ended_after_the_directory_has_committed(sector: Sector) -> None:
    admin = await sector.admit()
    holder = await sector.hire(admin)
    seen = []

    async def look(_: Message) -> None:
        seen.append(await reason_of(holder.call("MemberService/GetMe", rpc.GetMeRequest())))

    sector.disclosure.before = look
    await sector.remove(admin, holder.member.name)

    assert set(seen) == {"KEY_UNKNOWN"}


async def test_seats_end_by_themselves_when_the_call_broke_off_between_the_commits(sector: Sector) -> None:
    admin = await sector.admit()
    holder = await sector.hire(admin)
    sector.disclosure.refusal = Unavailable("DATABASE_UNAVAILABLE")

    assert await reason_of(sector.remove(admin, holder.member.name)) == "PEER_UNAVAILABLE"
    assert await reason_of(holder.call("MemberService/GetMe", rpc.GetMeRequest())) == "KEY_UNKNOWN"
    sector.disclosure.reset()
    await asyncio.wait_for(sector.disclosure.heard.wait(), REPEATED_S)

    assert holder.kid in sector.disclosure.ended()


async def test_the_same_removal_asked_again_ends_the_seats_and_answers(sector: Sector) -> None:
    admin = await sector.admit()
    holder = await sector.hire(admin)
    request = rpc.RemoveMemberRequest(member=holder.member.name, request_id=request_id())
    sector.disclosure.refusal = Unavailable("DATABASE_UNAVAILABLE")
    await reason_of(admin.call("AdminService/RemoveMember", request))
    sector.disclosure.reset()

    answer = await admin.call("AdminService/RemoveMember", request)

    assert answer.member.state == pb.Member.STATE_REMOVED
    assert holder.kid in sector.disclosure.ended()


@pytest.mark.parametrize("what", ["member", "appointment", "participation"])
async def test_nobody_is_told_that_something_has_ended_while_its_seats_are_open(
    sector: Sector, what: str
) -> None:
    """The call that ended it broke off between the commits; whoever tries again relies on the answer."""
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, place, SAFETY)
    ends = {
        "member": lambda: sector.remove(admin, holder.member.name),
        "appointment": lambda: sector.end(admin, contact.appointment),
        "participation": lambda: sector.leave(admin, place),
    }[what]
    sector.disclosure.refusal = Unavailable("DATABASE_UNAVAILABLE")

    assert await reason_of(ends()) == "PEER_UNAVAILABLE"
    assert await reason_of(ends()) == "PEER_UNAVAILABLE"
    sector.disclosure.reset()
    assert await reason_of(ends()) == "WRONG_STATE"

    assert contact.appointment in sector.disclosure.ended()


async def test_the_root_is_not_removed(sector: Sector) -> None:
    root = sector.secretariat

    assert await reason_of(sector.remove(root, root.member.name)) == "WRONG_STATE"


async def test_tuples_come_right_whatever_they_were(sector: Sector) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    holder, stranger = await sector.hire(admin), await sector.hire(admin, "Zonder rol")
    await sector.appoint(admin, holder, place, COUNSELLOR)
    right = set(await sector.authz.read("participation:" + place.partition("/")[2]))
    (kept,) = [one for one in right if one.relation == "counsellor"]
    forged = type(kept)(stranger.user, "safety_contact", kept.object)
    await sector.authz.write(writes=[forged], deletes=[kept])

    contact = await sector.appoint(admin, stranger, place, COUNSELLOR)
    await sector.end(admin, contact.appointment)

    assert set(await sector.authz.read(kept.object)) == right


async def test_the_sweep_mends_what_no_command_touches(sector: Sector) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    await sector.appoint(admin, await sector.hire(admin), place, COUNSELLOR)
    objects = ["participation:" + place.partition("/")[2], policy_object(admin.member.organisation)]
    right = [set(await sector.authz.read(found)) for found in objects]
    for held in right:
        await sector.authz.write(deletes=list(held))
    jobs = Jobs("directory", sector.database)

    await Doors(sector.database, sector.authz, jobs, sector.disclosure).resweep()

    assert all(right)
    assert [set(await sector.authz.read(found)) for found in objects] == right


async def test_a_rotation_keeps_the_old_key_in_force_until_it_is_complete(sector: Sector) -> None:
    admin = await sector.admit()
    member, new = await sector.hire(admin), SecretKeys.generate()

    announced = await begin(member, new)

    assert announced.kid == member.kid
    assert (await member.call("MemberService/GetMe", rpc.GetMeRequest())).member.kid == member.kid
    assert (
        await reason_of(with_key(member, new).call("MemberService/GetMe", rpc.GetMeRequest()))
        == "KEY_UNKNOWN"
    )


async def test_a_completed_rotation_moves_roles_to_the_new_key_and_verifies(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    member, new = await sector.hire(admin), SecretKeys.generate()
    contact = await sector.appoint(admin, member, made.participation.name)
    await begin(member, new)

    rotated = await complete(member, new.kid)

    assert rotated.kid == new.kid
    assert rotated.HasField("key_change_time")
    (ending,) = sector.disclosure.endings
    assert (list(ending.kids), ending.require_successors) == ([member.kid], True)
    assert await reason_of(member.call("MemberService/GetMe", rpc.GetMeRequest())) == "KEY_UNKNOWN"
    me = await with_key(member, new).call("MemberService/GetMe", rpc.GetMeRequest())
    assert [(one.appointment, one.kid) for one in me.contacts] == [(contact.appointment, new.kid)]
    circle = await sector.circle(made.production.code)
    (found,) = [one for one in circle.contacts if one.appointment == contact.appointment]
    assert Chain(circle.book, sector.installation).contact(found).kid == member.kid


async def test_what_an_admin_signed_verifies_after_its_own_rotation(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    early = await sector.hire(admin, "Vroeg")
    old = await sector.appoint(admin, early, made.participation.name)
    keys = SecretKeys.generate()
    await begin(admin, keys)
    await complete(admin, keys.kid)
    rotated = with_key(admin, keys)
    late = await sector.hire(rotated, "Laat")

    new = await sector.appoint(rotated, late, made.participation.name)

    circle = await sector.circle(made.production.code)
    chain = Chain(circle.book, sector.installation)
    assert chain.contact(old).signer_kid == admin.kid
    assert chain.contact(new).signer_kid == keys.kid


async def test_a_rotation_waits_for_the_seats_of_the_old_key(sector: Sector) -> None:
    member, new = await sector.hire(await sector.admit()), SecretKeys.generate()
    await begin(member, new)
    sector.disclosure.refusal = FailedPrecondition("SEATS_WITHOUT_SUCCESSOR")

    assert await reason_of(complete(member, new.kid)) == "SEATS_WITHOUT_SUCCESSOR"
    assert (await member.call("MemberService/GetMe", rpc.GetMeRequest())).member.kid == member.kid
    sector.disclosure.reset()
    assert (await complete(member, new.kid)).kid == new.kid


async def test_only_an_announced_key_can_follow(sector: Sector) -> None:
    member, new, other = await sector.hire(await sector.admit()), SecretKeys.generate(), SecretKeys.generate()

    assert await reason_of(complete(member, new.kid)) == "WRONG_STATE"
    await begin(member, new)
    await begin(member, new)
    assert await reason_of(complete(member, other.kid)) == "WRONG_STATE"
    assert sector.disclosure.endings == []
    await begin(member, other)
    assert (await complete(member, other.kid)).kid == other.kid


async def test_a_rotation_that_says_something_else_is_refused_with_its_reason(sector: Sector) -> None:
    admin = await sector.admit()
    member, other, new = await sector.hire(admin), await sector.hire(admin, "Ander"), SecretKeys.generate()

    assert await reason_of(begin(member, new, installation=other.kid)) == "STATEMENT_FOREIGN"
    assert (
        await reason_of(begin(member, new, organisation="organisations/" + "a" * 26)) == "STATEMENT_FOREIGN"
    )
    assert await reason_of(begin(member, new, subject=other.member.subject)) == "STATEMENT_FOREIGN"
    assert await reason_of(begin(member, new, new_kid=other.kid)) == "STATEMENT_FOREIGN"
    assert await reason_of(begin(member, new, sequence=2**52)) == "STATEMENT_SEQUENCE"
    assert other.keys
    assert await reason_of(begin(member, other.keys)) == "FIELD_INVALID"
    assert await reason_of(begin(sector.secretariat, new)) == "WRONG_STATE"


async def test_a_past_key_never_comes_back(sector: Sector) -> None:
    member, new = await sector.hire(await sector.admit()), SecretKeys.generate()
    await begin(member, new)
    await complete(member, new.kid)
    assert member.keys

    assert await reason_of(begin(with_key(member, new), member.keys)) == "FIELD_INVALID"


async def test_another_organisations_admin_sees_no_difference_to_what_is_absent(sector: Sector) -> None:
    admin, other = await sector.admit(), await sector.admit("Ander")
    made = await sector.produce(admin)
    _, pending = await sector.pending(admin)
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, made.participation.name)
    absent = IDS.new_id()

    def calls(member: str, appointment: str, participation: str, production: str) -> list[Any]:
        def ask(method: str, request: Message) -> Any:
            return other.call(f"AdminService/{method}", request)

        fresh = request_id
        endorsed = pb.Member(name=member, subject=pending.subject, title="x", subject_kind=1, kid=pending.kid)
        signed = other.appointment(holder, participation, COUNSELLOR)
        return [
            ask("RemoveMember", rpc.RemoveMemberRequest(member=member, request_id=fresh())),
            ask(
                "EndorseMember",
                rpc.EndorseMemberRequest(
                    member=member, endorsement=other.endorsement(endorsed), request_id=fresh()
                ),
            ),
            ask("EndAppointment", rpc.EndAppointmentRequest(appointment=appointment, request_id=fresh())),
            ask("AppointMember", rpc.AppointMemberRequest(appointment=signed, request_id=fresh())),
            ask(
                "EndParticipation",
                rpc.EndParticipationRequest(participation=participation, request_id=fresh()),
            ),
            ask(
                "AcceptParticipation",
                rpc.AcceptParticipationRequest(participation=participation, request_id=fresh()),
            ),
            ask(
                "RotateProductionCode",
                rpc.RotateProductionCodeRequest(production=production, request_id=fresh()),
            ),
        ]

    there = calls(pending.name, contact.appointment, made.participation.name, made.production.name)
    nowhere = calls(
        f"members/{absent}", f"appointments/{absent}", f"participations/{absent}", f"productions/{absent}"
    )
    assert [await bytes_of(call) for call in there] == [await bytes_of(call) for call in nowhere]


async def test_an_organisation_keeps_an_admin(sector: Sector) -> None:
    admin = await sector.admit()

    assert await reason_of(sector.remove(admin, admin.member.name)) == "WRONG_STATE"
    second = await sector.second_admin(admin)
    assert (await sector.remove(second, admin.member.name)).state == pb.Member.STATE_REMOVED


async def test_of_two_admins_who_remove_each_other_one_stays(sector: Sector) -> None:
    one = await sector.admit()
    two = await sector.second_admin(one)

    answers = await asyncio.gather(
        sector.remove(one, two.member.name), sector.remove(two, one.member.name), return_exceptions=True
    )

    assert sum(isinstance(answer, pb.Member) for answer in answers) == 1


async def test_the_root_takes_no_role(sector: Sector) -> None:
    root = sector.secretariat
    place = (await sector.produce(root)).participation.name
    me = (await root.call("MemberService/GetMe", rpc.GetMeRequest())).member
    itself = Staff(root.channel, root.installation, root.keys, member=me, organisation=root.organisation)

    assert await reason_of(sector.appoint(root, itself, place)) == "APPOINTMENT_BROKEN"


async def test_the_same_request_many_times_at_once_is_one_command(sector: Sector) -> None:
    admin = await sector.admit()
    request = rpc.InviteMemberRequest(
        title="Noor", subject_kind=common.SUBJECT_KIND_PERSON, request_id=request_id()
    )

    answers = await asyncio.gather(*(admin.call("AdminService/InviteMember", request) for _ in range(8)))

    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    listed = await admin.call("AdminService/ListMembers", rpc.ListMembersRequest())
    assert len(listed.members) == 2


async def test_a_circle_costs_the_same_number_of_queries_whatever_its_size(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    place, counted = made.participation.name, []

    async def count() -> int:
        statements: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        engine = sector.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            async with sector.database.transaction() as conn:
                await circles.circle(conn, [place])
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    for number in range(3):
        await sector.appoint(admin, await sector.hire(admin, f"Nummer {number}"), place)
        counted.append(await count())

    assert len(set(counted)) == 1
    assert counted[0] <= 12


async def test_a_participation_has_at_most_sixteen_roles(sector: Sector) -> None:
    admin = await sector.admit()
    place = (await sector.produce(admin)).participation.name
    colleagues = [await sector.hire(admin, f"Nummer {number}") for number in range(9)]
    for colleague in colleagues[:8]:
        for capacity in (COUNSELLOR, SAFETY):
            await sector.appoint(admin, colleague, place, capacity)

    assert await reason_of(sector.appoint(admin, colleagues[8], place)) == "WRONG_STATE"
