"""How keys come in and are vouched for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from tests.integration.directory.harness import IDS, Sector, Staff, bytes_of, reason_of, request_id


def endorse(admin: Staff, member: pb.Member, /, **changed: Any) -> Any:
    request = rpc.EndorseMemberRequest(
        member=member.name, endorsement=admin.endorsement(member, **changed), request_id=request_id()
    )
    return admin.call("AdminService/EndorseMember", request)


def accept(sector: Sector, code: str, keys: SecretKeys | None = None) -> Any:
    request = rpc.AcceptInvitationRequest(code=code, request_id=request_id())
    return sector.newcomer(keys).call("EnrolmentService/AcceptInvitation", request)


async def test_a_member_can_say_who_it_is_as_soon_as_it_is_endorsed(sector: Sector) -> None:
    admin = await sector.admit()
    member = await sector.hire(admin, "Noor de Wit")

    me = await member.call("MemberService/GetMe", rpc.GetMeRequest())

    assert me.member == member.member
    assert me.member.keys.signing == member.keys.public.signing
    assert me.organisation.name == admin.organisation.name
    assert await sector.holds(member, "member", admin.organisation.name)
    assert not await sector.holds(member, "admin", admin.organisation.name)


async def test_a_pending_key_may_nothing_yet(sector: Sector) -> None:
    admin = await sector.admit()
    keys, member = await sector.pending(admin)
    waiting = Staff(sector.channel, sector.installation, keys, member=member)

    assert member.state == pb.Member.STATE_KEY_PENDING
    assert await reason_of(waiting.call("MemberService/GetMe", rpc.GetMeRequest())) == "KEY_UNKNOWN"


async def test_unknown_used_and_expired_invitations_look_the_same(sector: Sector) -> None:
    admin = await sector.admit()
    used, late = (await sector.invite(admin)).code, (await sector.invite(admin)).code
    await sector.knock(used)

    unknown = await bytes_of(accept(sector, IDS.new_id()))
    again = await bytes_of(accept(sector, used))
    async with sector.database.transaction() as conn:
        await conn.execute(text("UPDATE kernel.test_clock SET offset_s = :s"), {"s": 14 * 86_400 + 1})
    try:
        expired = await bytes_of(accept(sector, late))
    finally:
        async with sector.database.transaction() as conn:
            await conn.execute(text("UPDATE kernel.test_clock SET offset_s = 0"))

    assert unknown == again == expired
    assert b"INVITATION_INVALID" in unknown[2]


async def test_whoever_missed_the_answer_asks_again_with_the_same_key_and_has_it(sector: Sector) -> None:
    """Under another request id, as after a page that died; while the key waits, and when it was let in."""
    admin = await sector.admit()
    code = (await sector.invite(admin)).code
    keys, member = await sector.knock(code)

    assert (await accept(sector, code, keys)).member == member
    await endorse(admin, member)
    assert (await accept(sector, code, keys)).member.state == pb.Member.STATE_ACTIVE
    await sector.remove(admin, member.name)
    assert await reason_of(accept(sector, code, keys)) == "INVITATION_INVALID"


async def test_a_key_that_was_taken_with_one_code_is_not_with_another(sector: Sector) -> None:
    admin = await sector.admit()
    one, other = (await sector.invite(admin)).code, (await sector.invite(admin)).code
    keys, _ = await sector.knock(one)

    assert await reason_of(accept(sector, other, keys)) == "INVITATION_INVALID"
    assert (await accept(sector, other)).member.state == pb.Member.STATE_KEY_PENDING


async def test_an_invitation_of_a_removed_membership_is_no_longer_one(sector: Sector) -> None:
    admin = await sector.admit()
    invited = await sector.invite(admin)
    await sector.remove(admin, invited.member.name)

    assert await reason_of(accept(sector, invited.code)) == "INVITATION_INVALID"


async def test_a_key_is_enrolled_once(sector: Sector) -> None:
    admin = await sector.admit()
    member = await sector.hire(admin)
    invited = await sector.invite(admin, "Noor de Wit, nogmaals")

    assert await reason_of(accept(sector, invited.code, member.keys)) == "INVITATION_INVALID"
    assert (await accept(sector, invited.code)).member.state == pb.Member.STATE_KEY_PENDING


async def test_codes_are_nowhere_in_the_database(sector: Sector) -> None:
    admin = await sector.admit()
    code = (await sector.invite(admin)).code

    async with sector.database.transaction() as conn:
        tables = await conn.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'directory'")
        )
        for (table,) in tables.all():
            rows = (await conn.execute(text(f"SELECT t::text FROM directory.{table} t"))).scalars().all()
            assert not [row for row in rows if code in row or code.encode().hex() in row]


async def test_the_same_invitation_asked_again_gives_the_same_code(sector: Sector) -> None:
    admin = await sector.admit()
    request = rpc.InviteMemberRequest(
        title="Noor de Wit", subject_kind=common.SUBJECT_KIND_PERSON, request_id=request_id()
    )

    first = await admin.call("AdminService/InviteMember", request)
    second = await admin.call("AdminService/InviteMember", request)

    assert first == second
    await sector.knock(second.code)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"installation": SecretKeys(b"x" * 32, b"y" * 32).kid}, "STATEMENT_FOREIGN"),
        ({"organisation": "organisations/" + "a" * 26}, "STATEMENT_FOREIGN"),
        ({"organisation_title": "Een andere omroep"}, "ENDORSEMENT_BROKEN"),
        ({"subject": "persons/" + "a" * 26}, "ENDORSEMENT_BROKEN"),
        ({"subject_name": "Iemand anders"}, "ENDORSEMENT_BROKEN"),
        ({"subject_kind": common.SUBJECT_KIND_SYSTEM}, "ENDORSEMENT_BROKEN"),
        ({"kid": SecretKeys(b"x" * 32, b"y" * 32).kid}, "ENDORSEMENT_BROKEN"),
        ({"admin": True}, "ENDORSEMENT_BROKEN"),
        ({"valid_from": Timestamp(seconds=4_000_000_000)}, "ENDORSEMENT_BROKEN"),
        ({"sequence": 1}, "STATEMENT_SEQUENCE"),
        (
            {"sequence": int((datetime.now(UTC) + timedelta(minutes=30)).timestamp() * 1000)},
            "STATEMENT_SEQUENCE",
        ),
    ],
)
async def test_an_endorsement_that_says_something_else_is_refused_with_its_reason(
    sector: Sector, changed: dict[str, Any], reason: str
) -> None:
    admin = await sector.admit()
    await sector.hire(admin, "Eerder")
    _, member = await sector.pending(admin)

    assert await reason_of(endorse(admin, member, **changed)) == reason
    assert (await endorse(admin, member)).member.state == pb.Member.STATE_ACTIVE


async def test_an_endorsement_by_another_key_than_the_callers_is_refused(sector: Sector) -> None:
    admin, other = await sector.admit(), await sector.admit("Ander")
    _, member = await sector.pending(admin)
    foreign = other.endorsement(member, admin.organisation)
    request = rpc.EndorseMemberRequest(member=member.name, endorsement=foreign, request_id=request_id())

    assert await reason_of(admin.call("AdminService/EndorseMember", request)) == "STATEMENT_SIGNATURE"


async def test_a_sequence_counts_once(sector: Sector) -> None:
    admin = await sector.admit()
    (_, one), (_, two) = await sector.pending(admin), await sector.pending(admin)
    now = int(datetime.now(UTC).timestamp() * 1000) + 10_000

    await endorse(admin, one, sequence=now)

    assert await reason_of(endorse(admin, two, sequence=now)) == "STATEMENT_SEQUENCE"


async def test_an_admin_is_endorsed_by_the_root_only(sector: Sector) -> None:
    admin = await sector.admit()
    keys, second = await sector.pending(admin, "Tweede beheerder", admin=True)
    root = sector.secretariat

    assert await reason_of(endorse(admin, second)) == "ENDORSEMENT_BROKEN"
    listed = await root.call(
        "SecretariatService/ListPendingAdmins", rpc.ListPendingAdminsRequest(page_size=100)
    )
    assert second.name in {member.name for member in listed.members}
    signed = root.endorsement(second, admin.organisation)
    request = rpc.EndorseAdminRequest(member=second.name, endorsement=signed, request_id=request_id())
    endorsed = await root.call("SecretariatService/EndorseAdmin", request)

    colleague = Staff(
        sector.channel, sector.installation, keys, member=endorsed.member, organisation=admin.organisation
    )
    assert await sector.holds(colleague, "admin", admin.organisation.name)
    await sector.hire(colleague, "Door de tweede aangenomen")


async def test_the_root_endorses_no_one_but_admins_elsewhere(sector: Sector) -> None:
    admin = await sector.admit()
    _, member = await sector.pending(admin)
    root = sector.secretariat
    signed = root.endorsement(member, admin.organisation)
    request = rpc.EndorseAdminRequest(member=member.name, endorsement=signed, request_id=request_id())

    assert await reason_of(root.call("SecretariatService/EndorseAdmin", request)) == "ENDORSEMENT_BROKEN"


async def test_the_affiliation_is_recorded_before_the_membership_counts(sector: Sector) -> None:
    admin = await sector.admit()
    _, member = await sector.pending(admin)
    sector.disclosure.reset()
    states = []

    async def look(_: Message) -> None:
        found = await admin.call("AdminService/ListMembers", rpc.ListMembersRequest())
        states.append({one.name: one.state for one in found.members}[member.name])

    sector.disclosure.before = look
    await endorse(admin, member)

    assert states == [pb.Member.STATE_KEY_PENDING]
    (heard,) = sector.disclosure.affiliations
    assert (heard.subject, heard.organisation) == (member.subject, admin.organisation.name)


async def test_a_refused_endorsement_records_no_affiliation(sector: Sector) -> None:
    admin = await sector.admit()
    _, member = await sector.pending(admin)
    sector.disclosure.reset()

    for changed in ({"admin": True}, {"kid": admin.kid}, {"sequence": 2**52}):
        await reason_of(endorse(admin, member, **changed))

    assert sector.disclosure.affiliations == []


async def test_a_person_may_belong_to_two_organisations_under_one_id(sector: Sector) -> None:
    first, second = await sector.admit("Een"), await sector.admit("Twee")
    here = await sector.hire(first)

    there = await sector.hire(second, known_as=here)

    assert there.member.subject == here.member.subject
    assert there.kid != here.kid
    assert await sector.holds(here, "member", second.organisation.name)
    assert await reason_of(sector.invite(second, subject=here.member.subject)) == "WRONG_STATE"


async def test_nobody_becomes_somebody_else_by_an_admin_s_word(sector: Sector) -> None:
    """T3: else an admin belongs to any person, sees what awaits them, and gets them excluded."""
    first, second = await sector.admit("Een"), await sector.admit("Twee")
    victim, accomplice = await sector.hire(first), await sector.hire(second)
    code = (await sector.invite(second, subject=victim.member.subject)).code
    mine, other = SecretKeys.generate(), SecretKeys.generate()
    assert victim.keys
    assert accomplice.keys
    proofs = {
        "none": "",
        "by somebody else": sector.subject_proof(accomplice.keys, mine),
        "by nobody": sector.subject_proof(other, mine),
        "by itself": sector.subject_proof(mine, mine),
        "for another key": sector.subject_proof(victim.keys, other),
    }

    for proof in proofs.values():
        asked = rpc.AcceptInvitationRequest(code=code, request_id=request_id(), subject_proof=proof)
        newcomer = sector.newcomer(mine)
        assert await reason_of(newcomer.call("EnrolmentService/AcceptInvitation", asked)) == "FIELD_INVALID"

    _, member = await sector.knock(code, mine, known_as=victim.keys)
    assert member.subject == victim.member.subject


async def test_whoever_left_comes_back_as_the_same_person(sector: Sector) -> None:
    """T3: so that an exclusion follows them; a key that was rotated away proves nothing any more."""
    first, second = await sector.admit("Een"), await sector.admit("Twee")
    left = await sector.hire(first)
    await first.call(
        "AdminService/RemoveMember",
        rpc.RemoveMemberRequest(member=left.member.name, request_id=request_id()),
    )

    back = await sector.hire(second, known_as=left)

    assert back.member.subject == left.member.subject


async def test_of_two_invitations_of_one_newcomer_the_second_needs_the_first_s_key(sector: Sector) -> None:
    first, second = await sector.admit("Een"), await sector.admit("Twee")
    invited = await sector.invite(first)
    again = await sector.invite(second, subject=invited.member.subject)
    keys, _ = await sector.knock(invited.code)

    assert await reason_of(sector.knock(again.code)) == "FIELD_INVALID"
    assert (await sector.knock(again.code, known_as=keys))[1].subject == invited.member.subject


async def test_a_person_that_nobody_knows_is_invited_without_a_name(sector: Sector) -> None:
    admin = await sector.admit()

    assert await reason_of(sector.invite(admin, subject="persons/" + "a" * 26)) == "NOT_PERMITTED"
    system = common.SUBJECT_KIND_SYSTEM
    assert (
        await reason_of(sector.invite(admin, subject=admin.member.subject, subject_kind=system))
        == "FIELD_INVALID"
    )


async def test_a_system_is_a_member_marked_as_one(sector: Sector) -> None:
    admin = await sector.admit()

    system = await sector.hire(admin, "Meldsysteem", subject_kind=common.SUBJECT_KIND_SYSTEM)

    assert system.member.subject.startswith("systems/")
    assert system.member.subject_kind == common.SUBJECT_KIND_SYSTEM
