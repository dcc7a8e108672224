"""What the secretariat may, and that nobody else may it."""

from __future__ import annotations

from typing import Any

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from tests.integration.directory.harness import Sector, bytes_of, reason_of, request_id


def admission(kind: int = pb.Organisation.KIND_PRODUCER, **more: Any) -> rpc.AdmitOrganisationRequest:
    organisation = pb.Organisation(title="Nieuwkomer", kind=kind, **more)
    return rpc.AdmitOrganisationRequest(
        organisation=organisation, admin_title="Sam Bakker", request_id=request_id()
    )


def update(sector: Sector, organisation: pb.Organisation, **changed: Any) -> Any:
    wanted = pb.Organisation()
    wanted.CopyFrom(organisation)
    for name, value in changed.items():
        setattr(wanted, name, value)
    request = rpc.UpdateOrganisationRequest(organisation=wanted, request_id=request_id())
    return sector.secretariat.call("SecretariatService/UpdateOrganisation", request)


async def test_only_the_secretariats_admins_act_for_the_installation(sector: Sector) -> None:
    admin = await sector.admit()
    employee = await sector.hire(sector.secretariat, "Medewerker secretariaat")
    requests = {
        "AdmitOrganisation": admission(),
        "ListOrganisations": rpc.ListOrganisationsRequest(),
        "ListPendingAdmins": rpc.ListPendingAdminsRequest(),
        "UpdateOrganisation": rpc.UpdateOrganisationRequest(
            organisation=admin.organisation, request_id=request_id()
        ),
        "EndorseAdmin": rpc.EndorseAdminRequest(
            member=admin.member.name, endorsement=admin.endorsement(admin.member), request_id=request_id()
        ),
        "CloseParticipation": rpc.CloseParticipationRequest(
            participation=sector.standing.name, request_id=request_id()
        ),
    }

    for method, request in requests.items():
        for outsider in (admin, employee):
            assert await reason_of(outsider.call(f"SecretariatService/{method}", request)) == "NOT_PERMITTED"


async def test_plain_members_are_no_admins(sector: Sector) -> None:
    member = await sector.hire(await sector.admit())

    assert (
        await reason_of(member.call("AdminService/ListMembers", rpc.ListMembersRequest())) == "NOT_PERMITTED"
    )
    assert await reason_of(sector.invite(member)) == "NOT_PERMITTED"


async def test_there_is_one_secretariat_and_one_independent_point(sector: Sector) -> None:
    admit = "SecretariatService/AdmitOrganisation"
    point, office = pb.Organisation.KIND_INDEPENDENT_POINT, pb.Organisation.KIND_SECRETARIAT

    assert await reason_of(sector.secretariat.call(admit, admission(point))) == "WRONG_STATE"
    assert await reason_of(sector.secretariat.call(admit, admission(office))) == "FIELD_INVALID"


async def test_an_organisation_may_come_through_an_umbrella(sector: Sector) -> None:
    umbrella, producer = await sector.admit("Koepel", pb.Organisation.KIND_UMBRELLA), await sector.admit()
    admit = "SecretariatService/AdmitOrganisation"

    admitted = await sector.secretariat.call(admit, admission(umbrella=umbrella.organisation.name))

    assert admitted.organisation.umbrella == umbrella.organisation.name
    wrong = admission(umbrella=producer.organisation.name)
    assert await reason_of(sector.secretariat.call(admit, wrong)) == "FIELD_INVALID"


async def test_a_suspended_organisation_may_nothing_until_it_is_active_again(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    holder = await sector.hire(admin)
    await sector.appoint(admin, holder, made.participation.name)

    suspended = (await update(sector, admin.organisation, state=pb.Organisation.STATE_SUSPENDED)).organisation

    assert await reason_of(admin.call("MemberService/GetMe", rpc.GetMeRequest())) == "KEY_UNKNOWN"
    assert not await sector.holds(admin, "admin", admin.organisation.name)
    assert not await sector.holds(holder, "counsellor", made.participation.name)
    circle = await sector.circle(made.production.code)
    assert made.participation.name not in {one.name for one in circle.participations}
    assert sector.disclosure.endings == []
    await update(sector, suspended, state=pb.Organisation.STATE_ACTIVE)
    assert await sector.holds(admin, "admin", admin.organisation.name)
    assert await sector.holds(holder, "counsellor", made.participation.name)
    assert (await admin.call("MemberService/GetMe", rpc.GetMeRequest())).member == admin.member


async def test_an_organisation_that_left_holds_no_seat_and_does_not_come_back(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, made.participation.name)

    left = (await update(sector, admin.organisation, state=pb.Organisation.STATE_LEFT)).organisation

    assert left.state == pb.Organisation.STATE_LEFT
    assert sector.disclosure.ended() == {admin.kid, holder.kid, contact.appointment}
    assert await reason_of(update(sector, left, state=pb.Organisation.STATE_ACTIVE)) == "WRONG_STATE"


async def test_an_organisation_is_changed_from_its_latest_reading_only(sector: Sector) -> None:
    admin = await sector.admit()

    changed = (await update(sector, admin.organisation, title="Omroep Dijk en Duin")).organisation

    assert (changed.title, changed.state) == ("Omroep Dijk en Duin", pb.Organisation.STATE_ACTIVE)
    assert await reason_of(update(sector, admin.organisation, title="Te laat")) == "ETAG_STALE"
    assert await reason_of(update(sector, changed, kind=pb.Organisation.KIND_SECRETARIAT)) == "FIELD_INVALID"
    nowhere = pb.Organisation(name="organisations/" + "a" * 26, title="x", kind=1, etag="v1")
    assert await reason_of(update(sector, nowhere)) == "NOT_PERMITTED"


async def test_the_independent_point_and_the_secretariat_stay(sector: Sector) -> None:
    for staff in (sector.independent, sector.secretariat):
        listed = await everything(sector, "ListOrganisations", rpc.ListOrganisationsRequest, "organisations")
        (organisation,) = [one for one in listed if one.name == staff.organisation.name]
        suspension = update(sector, organisation, state=pb.Organisation.STATE_SUSPENDED)
        assert await reason_of(suspension) == "WRONG_STATE"


async def everything(sector: Sector, method: str, request: Any, field: str, /, size: int = 100) -> list[Any]:
    """All pages of a list of the secretariat."""
    found: list[Any] = []
    token = ""
    while True:
        page = await sector.secretariat.call(
            f"SecretariatService/{method}", request(page_size=size, page_token=token)
        )
        found.extend(getattr(page, field))
        token = page.next_page_token
        if not token:
            return found


async def test_lists_are_whole_in_pages_of_any_size(sector: Sector) -> None:
    for title in ("Een", "Twee", "Drie"):
        await sector.admit(title)

    paged = await everything(sector, "ListOrganisations", rpc.ListOrganisationsRequest, "organisations", 2)

    whole = await everything(sector, "ListOrganisations", rpc.ListOrganisationsRequest, "organisations")
    assert [one.name for one in paged] == sorted(one.name for one in whole)
    assert len({one.name for one in paged}) == len(paged)


async def test_members_productions_and_participations_are_listed_for_their_own_organisation(
    sector: Sector,
) -> None:
    admin, other = await sector.admit(), await sector.admit("Ander")
    member = await sector.hire(admin)
    own, foreign = await sector.produce(admin), await sector.produce(other)
    asked = await sector.propose(other, foreign.production.name, admin.organisation.name)

    members = await admin.call("AdminService/ListMembers", rpc.ListMembersRequest())
    participations = await admin.call("AdminService/ListParticipations", rpc.ListParticipationsRequest())
    productions = await member.call("MemberService/ListProductions", rpc.ListProductionsRequest())

    assert {one.name for one in members.members} == {admin.member.name, member.member.name}
    assert {one.kid for one in members.members if one.HasField("keys")} == {admin.kid, member.kid}
    assert {one.name for one in participations.participations} == {own.participation.name, asked.name}
    titles = {one.name: (one.production_title, one.lead_title) for one in participations.participations}
    assert titles[asked.name] == (foreign.production.title, other.organisation.title)
    assert titles[own.participation.name] == (own.production.title, admin.organisation.title)
    assert [one.name for one in productions.productions] == [own.production.name]
    assert productions.productions[0].code == own.production.code


async def test_a_page_token_is_worth_nothing_to_anyone_else_or_elsewhere(sector: Sector) -> None:
    admin, other = await sector.admit(), await sector.admit("Ander")
    for staff in (admin, other):
        await sector.hire(staff)
    request = rpc.ListMembersRequest(page_size=1)
    token = (await admin.call("AdminService/ListMembers", request)).next_page_token
    mine = rpc.ListMembersRequest(page_size=1, page_token=token)
    elsewhere = rpc.ListParticipationsRequest(page_size=1, page_token=token)

    assert len((await admin.call("AdminService/ListMembers", mine)).members) == 1
    assert await reason_of(other.call("AdminService/ListMembers", mine)) == "PAGE_TOKEN_INVALID"
    assert await reason_of(admin.call("AdminService/ListParticipations", elsewhere)) == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("method", ["AdminService/InviteMember", "AdminService/RegisterProduction"])
async def test_a_request_id_is_answered_once_and_refuses_another_body(sector: Sector, method: str) -> None:
    admin = await sector.admit()
    own = request_id()
    first: Any
    other: Any
    if method.endswith("InviteMember"):
        first = rpc.InviteMemberRequest(title="Noor", subject_kind=common.SUBJECT_KIND_PERSON, request_id=own)
        other = rpc.InviteMemberRequest(
            title="Niet Noor", subject_kind=common.SUBJECT_KIND_PERSON, request_id=own
        )
    else:
        first = rpc.RegisterProductionRequest(production=pb.Production(title="A"), request_id=own)
        other = rpc.RegisterProductionRequest(production=pb.Production(title="B"), request_id=own)
        for request in (first, other):
            request.production.start_time.seconds = request.production.end_time.seconds = 1_000

    answers = [await admin.call(method, first) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert await reason_of(admin.call(method, other)) == "REQUEST_ID_REUSED"
    members = await admin.call("AdminService/ListMembers", rpc.ListMembersRequest())
    participations = await admin.call("AdminService/ListParticipations", rpc.ListParticipationsRequest())
    assert len(members.members) + len(participations.participations) == 2


async def test_a_remembered_answer_is_given_to_nobody_who_may_no_longer_have_it(sector: Sector) -> None:
    admin = await sector.admit()
    colleague = await sector.second_admin(admin)
    request = rpc.InviteMemberRequest(
        title="Noor", subject_kind=common.SUBJECT_KIND_PERSON, request_id=request_id()
    )
    await colleague.call("AdminService/InviteMember", request)
    await sector.remove(admin, colleague.member.name)

    refused = await bytes_of(colleague.call("AdminService/InviteMember", request))

    assert refused[0] == "UNAUTHENTICATED"
