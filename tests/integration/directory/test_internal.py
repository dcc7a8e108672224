"""What other services are told, what bootstrap makes, and what happens while the policy engine is away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.bootstrap import bootstrap
from services.directory.store import books
from services.kernel.clock import SystemIds
from services.kernel.config import ConfigurationError
from services.kernel.db import Database
from tests.integration.directory.harness import SEQUENCE, Chain, Sector, reason_of, request_id
from tests.integration.directory.test_roles import begin, complete
from tests.support.plans import nodes, plan_of

COUNSELLOR, SAFETY = common.CAPACITY_COUNSELLOR, common.CAPACITY_SAFETY_CONTACT


async def resolve(sector: Sector, *kids: str) -> dict[str, rpc.ResolvedKey]:
    answer = await sector.service("disclosure").call(
        "InternalService/ResolveKeys", rpc.ResolveKeysRequest(kids=kids)
    )
    return {key.kid: key for key in answer.keys}


async def book(sector: Sector, *kids: str) -> Chain:
    answer = await sector.service("coordination").call(
        "InternalService/FetchBook", rpc.FetchBookRequest(kids=kids)
    )
    return Chain(answer.book, sector.installation)


@pytest.mark.parametrize("named", [False, True])
async def test_a_book_reads_no_table_from_end_to_end(sector: Sector, named: bool) -> None:
    """However many keys there are: with the whole table as the last resort, no row is come by that way."""
    asked = books._book([sector.installation], ["appointments/a"], [], named=named)
    async with sector.database.transaction() as conn:
        await conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        scans = [node for node in nodes(await plan_of(conn, *asked)) if "Relation Name" in node]

    assert {"keys", "endorsements"} <= {node["Relation Name"] for node in scans}
    # An index without a condition is the whole table too; of a bitmap the condition is below.
    through = [node for node in scans if not {"Index Cond", "Recheck Cond"} & node.keys()]
    assert [node["Relation Name"] for node in through] == []


async def test_every_key_ever_enrolled_stays_known_and_one_of_them_is_active(sector: Sector) -> None:
    admin = await sector.admit()
    pending, _ = await sector.pending(admin)
    gone, member = await sector.hire(admin, "Weg"), await sector.hire(admin)
    await sector.remove(admin, gone.member.name)
    new, unknown = SecretKeys.generate(), SecretKeys.generate()
    kids = [pending.kid, gone.kid, member.kid, new.kid, unknown.kid]

    before = await resolve(sector, *kids)
    await begin(member, new)
    during = await resolve(sector, *kids)
    await complete(member, new.kid)
    after = await resolve(sector, *kids)

    assert {kid for kid, key in before.items() if key.active} == {member.kid}
    assert set(before) == {pending.kid, gone.kid, member.kid}
    assert {kid for kid, key in during.items() if key.active} == {member.kid}
    assert set(after) == {pending.kid, gone.kid, member.kid, new.kid}
    assert {kid for kid, key in after.items() if key.active} == {new.kid}
    assert after[new.kid].member == after[member.kid].member == member.member.name
    assert after[new.kid].subject == member.member.subject
    assert after[new.kid].organisation == admin.organisation.name


async def test_keys_and_endorsements_can_not_be_taken_back_even_in_the_database(sector: Sector) -> None:
    member = await sector.hire(await sector.admit())

    for table in ("keys", "endorsements"):
        for statement in (f"DELETE FROM directory.{table}", f"UPDATE directory.{table} SET kid = kid"):
            with pytest.raises(DBAPIError, match="only grows"):
                async with sector.database.transaction() as conn:
                    await conn.execute(text(f"{statement} WHERE kid = :kid"), {"kid": member.kid})


async def test_a_book_verifies_past_keys_of_members_who_left(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    member, new = await sector.hire(admin), SecretKeys.generate()
    contact = await sector.appoint(admin, member, made.participation.name)
    await begin(member, new)
    await complete(member, new.kid)
    await sector.remove(admin, member.member.name)

    for kid in (member.kid, new.kid):
        chain = await book(sector, kid)
        assert chain.member(kid).subject == member.member.subject
        assert contact.appointment in chain.appointments
        assert chain.member(admin.kid).admin


async def test_an_announced_key_is_in_the_book_of_whoever_asks_for_it(sector: Sector) -> None:
    member, new = await sector.hire(await sector.admit()), SecretKeys.generate()
    await begin(member, new)

    assert (await book(sector, new.kid)).member(new.kid).kids == (member.kid, new.kid)
    assert new.kid not in (await book(sector, member.kid)).before


async def test_members_look_up_keys_with_the_roles_their_holders_had(sector: Sector) -> None:
    admin, reader = await sector.admit(), await sector.admit("Lezer")
    made = await sector.produce(admin)
    holder = await sector.hire(admin)
    contact = await sector.appoint(admin, holder, made.participation.name)
    await sector.end(admin, contact.appointment)
    request = rpc.LookUpKeysRequest(kids=[holder.kid, SecretKeys.generate().kid])

    answer = await reader.call("MemberService/LookUpKeys", request)

    assert Chain(answer.book, sector.installation).member(holder.kid).subject == holder.member.subject
    assert [(one.appointment, one.ended) for one in answer.contacts] == [(contact.appointment, True)]


async def test_services_learn_circles_and_participations_without_codes(sector: Sector) -> None:
    lead, other = await sector.admit(), await sector.admit("Ander")
    made = await sector.produce(lead)
    joined = await sector.join(lead, made.production.name, other)
    handler, reader = await sector.hire(other, "Vertrouwenspersoon"), await sector.hire(other)
    taker = await sector.appoint(other, handler, joined.name, COUNSELLOR)
    await sector.appoint(other, reader, joined.name, SAFETY)
    end = rpc.EndParticipationRequest(participation=joined.name, request_id=request_id())
    disclosure = sector.service("disclosure")

    def names(circle: Any) -> set[str]:
        return {one.name for one in circle.participations}

    whole = rpc.FetchCircleRequest(production=made.production.name)
    before = (await disclosure.call("InternalService/FetchCircle", whole)).circle
    await other.call("AdminService/EndParticipation", end)
    after = (await disclosure.call("InternalService/FetchCircle", whole)).circle
    standing = (await disclosure.call("InternalService/FetchCircle", rpc.FetchCircleRequest())).circle
    asked = rpc.FetchParticipationsRequest(participations=[joined.name, "participations/" + "a" * 26])
    found = await disclosure.call("InternalService/FetchParticipations", asked)

    assert names(before) - names(after) == {joined.name}
    assert names(standing) == {sector.standing.name}
    assert (before.production.title, before.production.code) == ("De Brug", "")
    assert names(found.circle) == {joined.name}
    assert list(found.circle.contacts) == [taker]
    assert [(one.name, one.code) for one in found.productions] == [(made.production.name, "")]
    assert Chain(found.circle.book, sector.installation).contact(taker).kid == handler.kid


async def test_only_the_services_that_need_it_are_told(sector: Sector) -> None:
    request = rpc.ResolveKeysRequest(kids=[sector.secretariat.kid])

    for stranger in (sector.service("ledger"), sector.secretariat, sector.newcomer()):
        reason = await reason_of(stranger.call("InternalService/ResolveKeys", request))
        assert reason in ("PRINCIPAL_CLASS", "KEY_UNKNOWN")


async def test_anyone_can_ask_which_installation_this_is(sector: Sector) -> None:
    answer = await sector.public.call("PublicService/GetInstallation", rpc.GetInstallationRequest())

    assert answer.installation == sector.installation
    assert sector.secretariat.keys
    assert answer.root.signing == sector.secretariat.keys.public.signing


async def test_bootstrap_finds_what_it_made_and_refuses_another_root(sector: Sector) -> None:
    root = sector.secretariat
    assert root.keys

    again = await bootstrap(sector.database, sector.authz, SystemIds(), root.keys.public)

    assert (again.organisation, again.member) == (root.organisation.name, root.member.name)
    with pytest.raises(ConfigurationError):
        await bootstrap(sector.database, sector.authz, SystemIds(), SecretKeys.generate().public)


async def test_the_root_may_vouch_for_itself_so_that_it_verifies_as_a_member_too(sector: Sector) -> None:
    root = sector.secretariat
    assert root.keys
    about = rpc.GetMeRequest()
    me = (await root.call("MemberService/GetMe", about)).member
    own = root.endorsement(me, sequence=next(SEQUENCE))
    other = statements.sign(
        StatementKind.ENDORSEMENT,
        wire.Endorsement.FromString(own.statement),
        root.keys,
    )
    other.statement = root.endorsement(me, admin=False).statement

    await bootstrap(sector.database, sector.authz, SystemIds(), root.keys.public, endorsement=own)

    assert (await book(sector, root.kid)).member(root.kid).admin
    with pytest.raises(statements.StatementSignature):
        await bootstrap(sector.database, sector.authz, SystemIds(), root.keys.public, endorsement=other)
    with pytest.raises(ConfigurationError):
        await bootstrap(
            sector.database,
            sector.authz,
            SystemIds(),
            root.keys.public,
            endorsement=root.endorsement(me, admin=False),
        )


async def test_members_wait_and_the_public_does_not_while_the_policy_engine_is_away(sector: Sector) -> None:
    admin = await sector.admit()
    made = await sector.produce(admin)
    holder = await sector.hire(admin)

    async with sector.without_policy_engine() as blind:
        there = replace(admin, channel=blind.channel)
        listing = there.call("AdminService/ListMembers", rpc.ListMembersRequest())
        about = rpc.GetCircleRequest(production=made.production.name)
        circle = replace(holder, channel=blind.channel).call("MemberService/GetCircle", about)
        assert await reason_of(sector.remove(there, holder.member.name)) == "POLICY_UNAVAILABLE"
        assert await reason_of(listing) == "POLICY_UNAVAILABLE"
        assert await reason_of(circle) == "POLICY_UNAVAILABLE"
        assert (await blind.circle(made.production.code)).production.name == made.production.name
        assert (await resolve(blind, holder.kid))[holder.kid].active

    assert sector.disclosure.endings == []
    await sector.remove(admin, holder.member.name)


async def test_a_database_of_another_schema_is_left_alone(sector: Sector, empty_database: str) -> None:
    database = Database(empty_database, "directory", app_name="test")
    try:
        with pytest.raises(DBAPIError):
            await bootstrap(database, sector.authz, SystemIds(), SecretKeys.generate().public)
    finally:
        await database.close()
