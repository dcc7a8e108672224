"""Productions, codes, participations and what the public finds there."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from tests.integration.directory.harness import (
    IDS,
    Chain,
    Sector,
    Staff,
    bytes_of,
    production,
    reason_of,
    request_id,
)

COUNSELLOR, SAFETY = common.CAPACITY_COUNSELLOR, common.CAPACITY_SAFETY_CONTACT


async def test_anyone_with_the_code_finds_who_takes_part_and_can_verify_it(sector: Sector) -> None:
    lead, other = await sector.admit("Omroep"), await sector.admit("Producent", pb.Organisation.KIND_PRODUCER)
    made = await sector.produce(lead)
    joined = await sector.join(lead, made.production.name, other)
    await sector.propose(lead, made.production.name, (await sector.admit("Gevraagd")).organisation.name)
    taker = await sector.appoint(lead, await sector.hire(lead), made.participation.name, COUNSELLOR)
    reader = await sector.appoint(other, await sector.hire(other), joined.name, SAFETY)

    circle = await sector.circle(made.production.code)

    assert circle.production.title == "De Brug"
    assert circle.production.code == ""
    taking = {participation.name for participation in circle.participations}
    assert taking == {made.participation.name, joined.name, sector.standing.name}
    assert {lead.organisation.name, other.organisation.name} < {found.name for found in circle.organisations}
    chain = Chain(circle.book, sector.installation)
    for contact in (taker, reader):
        assert contact in circle.contacts
        assert chain.contact(contact).role == "Vertrouwenspersoon"
    assert chain.member(taker.kid).organisation == lead.organisation.name


async def test_the_standing_entry_needs_no_code_and_has_the_independent_point_alone(sector: Sector) -> None:
    counsellor = await sector.hire(sector.independent, "Onafhankelijk vertrouwenspersoon")
    contact = await sector.appoint(sector.independent, counsellor, sector.standing.name)

    answer = await sector.public.call("PublicService/GetStandingEntry", rpc.GetStandingEntryRequest())

    circle = answer.circle
    assert not circle.HasField("production")
    assert [found.name for found in circle.participations] == [sector.standing.name]
    assert circle.participations[0].independent
    assert contact in circle.contacts
    assert Chain(circle.book, sector.installation).contact(contact).subject == counsellor.member.subject


async def test_a_wrong_code_and_a_replaced_one_are_refused_with_the_same_bytes(sector: Sector) -> None:
    lead = await sector.admit()
    made = (await sector.produce(lead)).production
    request = rpc.RotateProductionCodeRequest(production=made.name, request_id=request_id())
    rotated = (await lead.call("AdminService/RotateProductionCode", request)).production

    assert rotated.code != made.code
    assert await bytes_of(sector.circle(made.code)) == await bytes_of(sector.circle(IDS.new_id()))
    assert (await sector.circle(rotated.code)).production.name == made.name


async def test_a_production_long_over_is_found_as_ever(sector: Sector) -> None:
    lead = await sector.admit()
    over = production("Lang voorbij", start_time=Timestamp(seconds=1_000), end_time=Timestamp(seconds=2_000))
    request = rpc.RegisterProductionRequest(production=over, request_id=request_id())
    made = (await lead.call("AdminService/RegisterProduction", request)).production

    assert (await sector.circle(made.code)).production.title == "Lang voorbij"


async def test_a_production_ends_after_it_starts(sector: Sector) -> None:
    lead = await sector.admit()
    wrong = production("Andersom", end_time=Timestamp(seconds=1))
    request = rpc.RegisterProductionRequest(production=wrong, request_id=request_id())

    assert await reason_of(lead.call("AdminService/RegisterProduction", request)) == "FIELD_INVALID"


@pytest.mark.parametrize("stamp", [Timestamp(seconds=2**63 - 1), Timestamp(seconds=2_000, nanos=-1)])
async def test_what_is_no_time_is_refused_by_its_field(sector: Sector, stamp: Timestamp) -> None:
    """T9: a count of seconds that no calendar holds."""
    lead = await sector.admit()
    wrong = production("Ooit", start_time=Timestamp(seconds=1_000), end_time=stamp)
    request = rpc.RegisterProductionRequest(production=wrong, request_id=request_id())

    assert await reason_of(lead.call("AdminService/RegisterProduction", request)) == "FIELD_INVALID"


async def test_the_lead_alone_changes_a_production_and_only_the_latest(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = (await sector.produce(lead)).production
    await sector.join(lead, made.name, other)
    changed = production("De Brug, seizoen 2", name=made.name, etag=made.etag, isan="0000-0001-ABCD")

    def update(who: Staff) -> object:
        request = rpc.UpdateProductionRequest(production=changed, request_id=request_id())
        return who.call("AdminService/UpdateProduction", request)

    absent = production("x", name="productions/" + "a" * 26, etag="v1")
    unknown = rpc.UpdateProductionRequest(production=absent, request_id=request_id())
    assert await bytes_of(update(other)) == await bytes_of(
        lead.call("AdminService/UpdateProduction", unknown)
    )
    updated = (await update(lead)).production
    assert (updated.title, updated.isan, updated.code) == (changed.title, changed.isan, made.code)
    assert updated.etag != made.etag
    assert await reason_of(update(lead)) == "ETAG_STALE"


async def test_a_participation_is_accepted_once_and_by_its_own_organisation(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = (await sector.produce(lead)).production
    proposed = await sector.propose(lead, made.name, other.organisation.name)

    def accept(who: Staff) -> object:
        request = rpc.AcceptParticipationRequest(participation=proposed.name, request_id=request_id())
        return who.call("AdminService/AcceptParticipation", request)

    assert proposed.state == pb.Participation.STATE_PROPOSED
    assert await reason_of(accept(lead)) == "NOT_PERMITTED"
    assert (await accept(other)).participation.state == pb.Participation.STATE_ACCEPTED
    assert await reason_of(accept(other)) == "WRONG_STATE"
    assert await reason_of(sector.propose(lead, made.name, other.organisation.name)) == "WRONG_STATE"


async def test_only_the_lead_proposes_and_only_to_who_is_there(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = (await sector.produce(lead)).production
    independent = sector.independent.organisation.name

    assert await reason_of(sector.propose(other, made.name, other.organisation.name)) == "NOT_PERMITTED"
    assert await reason_of(sector.propose(lead, made.name, "organisations/" + "a" * 26)) == "NOT_PERMITTED"
    assert await reason_of(sector.propose(lead, made.name, independent)) == "WRONG_STATE"


async def test_ending_a_participation_ends_its_readers_and_leaves_its_counsellors(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = await sector.produce(lead)
    joined = await sector.join(lead, made.production.name, other)
    handler, reader = await sector.hire(other, "Vertrouwenspersoon"), await sector.hire(other, "Compliance")
    await sector.appoint(other, handler, joined.name, COUNSELLOR)
    contact = await sector.appoint(other, reader, joined.name, SAFETY)

    ended = await sector.leave(other, joined.name)

    assert ended.state == pb.Participation.STATE_ENDED
    assert sector.disclosure.ended() == {contact.appointment}
    assert await sector.holds(handler, "counsellor", joined.name)
    assert not await sector.holds(reader, "safety_contact", joined.name)
    circle = await sector.circle(made.production.code)
    assert joined.name not in {found.name for found in circle.participations}
    assert joined.name not in {found.participation for found in circle.contacts}
    assert await reason_of(sector.leave(other, joined.name)) == "WRONG_STATE"
    assert await reason_of(sector.appoint(other, reader, joined.name, SAFETY)) == "WRONG_STATE"


async def test_who_ended_its_participation_may_be_asked_again(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = (await sector.produce(lead)).production
    first = await sector.join(lead, made.name, other)
    await sector.leave(other, first.name)

    again = await sector.join(lead, made.name, other)

    assert again.name != first.name
    assert again.state == pb.Participation.STATE_ACCEPTED


async def test_the_secretariat_closes_any_participation_but_the_independent_points(sector: Sector) -> None:
    lead = await sector.admit()
    made = await sector.produce(lead)

    def close(name: str) -> object:
        request = rpc.CloseParticipationRequest(participation=name, request_id=request_id())
        return sector.secretariat.call("SecretariatService/CloseParticipation", request)

    assert (await close(made.participation.name)).participation.state == pb.Participation.STATE_ENDED
    assert await reason_of(close(sector.standing.name)) == "WRONG_STATE"
    assert await reason_of(sector.leave(sector.independent, sector.standing.name)) == "WRONG_STATE"


async def test_members_see_the_circles_of_their_own_productions_with_the_code(sector: Sector) -> None:
    lead, stranger = await sector.admit(), await sector.admit("Vreemd")
    member, outsider = await sector.hire(lead), await sector.hire(stranger)
    made = (await sector.produce(lead)).production
    request = rpc.GetCircleRequest(production=made.name)
    absent = rpc.GetCircleRequest(production="productions/" + "a" * 26)

    seen = (await member.call("MemberService/GetCircle", request)).circle

    assert seen.production.code == made.code
    assert await bytes_of(outsider.call("MemberService/GetCircle", request)) == await bytes_of(
        member.call("MemberService/GetCircle", absent)
    )
    independent = await sector.independent.call("MemberService/GetCircle", request)
    assert independent.circle.production.name == made.name


async def test_the_independent_point_alone_looks_up_where_an_organisation_takes_part(sector: Sector) -> None:
    lead = await sector.admit()
    made = await sector.produce(lead)
    request = rpc.LookUpParticipationsRequest(organisation=lead.organisation.name)

    found = await sector.independent.call("MemberService/LookUpParticipations", request)

    assert [one.name for one in found.circle.participations] == [made.participation.name]
    assert [(one.name, one.code) for one in found.productions] == [(made.production.name, "")]
    assert not found.circle.HasField("production")
    assert await reason_of(lead.call("MemberService/LookUpParticipations", request)) == "NOT_PERMITTED"
