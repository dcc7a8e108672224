"""Taking part in the app: a proposal declined, a participation ended, what that closes and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Locator, expect

from meldbrug.client import MemberClient, NotPermitted, Refused
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_COUNSELLOR,
    CAPACITY_SAFETY_CONTACT,
    PURPOSE_PROTECT_PEOPLE,
)
from meldbrug.crypto import SecretKeys
from tests.browser.conftest import Visit
from tests.browser.test_secretariat import admitted, row
from tests.support.actors import TEXTS, Actors, Case, Hired, Set
from tests.support.browser import Visitor
from tests.support.sector import World

TITLE = "De Stille Kade"
LEAVE = "Deelname beëindigen"


@dataclass
class Studio:
    """An organisation of this test alone, asked to take part in one production."""

    actors: Actors
    keys: SecretKeys
    admin: MemberClient
    on: Set

    @classmethod
    async def asked(cls, world: World, called: str) -> Studio:
        actors, keys = Actors(world), SecretKeys.generate()
        admin = await admitted(actors, called, keys)
        lead, start = actors.admin("duinroos").admin, datetime.now(UTC)
        made = await lead.register_production(TITLE, start, start + timedelta(days=30))
        organisation = (await admin.me()).organisation.name
        proposed = await lead.propose_participation(made.production.name, organisation)
        places = {"duinroos": made.participation.name, "studio": proposed.name}
        return cls(actors, keys, admin, Set(made.production.code, places))

    async def takes_part(self) -> None:
        """Its administrator takes reports and receives notices, the lead's counsellor takes reports."""
        for capacity in (CAPACITY_COUNSELLOR, CAPACITY_SAFETY_CONTACT):
            await self.admin.admin.appoint(self.on.participations["studio"], self.admin.kid, capacity, "Rol")
        handler = Hired(self.actors.member("duinroos-vp"), "")
        await self.actors.appoint(handler, "duinroos", CAPACITY_COUNSELLOR, self.on)

    async def notified(self) -> Case:
        """A report to the lead's counsellor, of which this organisation accepted a notice."""
        case = await self.actors.report([self.actors.member("duinroos-vp")], on=self.on)
        await case.propose("studio", [self.admin])
        await case.accepted()
        return case


async def at_the_productions(visitor: Visitor, keys: SecretKeys) -> Locator:
    """Signs in where productions are; returns the only row, that of the one."""
    await visitor.go("work/productions")
    await visitor.sign_in_here(keys)
    return visitor.page.locator(".rows > li")


async def test_an_ended_participation_closes_what_came_in_and_leaves_what_was_taken_in(
    world: World, visit: Visit
) -> None:
    studio = await Studio.asked(world, "Studio Zijlijn")
    visitor = await visit(width=320, height=640)
    place = await at_the_productions(visitor, studio.keys)
    await place.get_by_role("button", name="Meedoen", exact=True).click()
    await row(visitor, TITLE).wait_for()
    await place.get_by_role("button", name="Wie zit waar").click()
    await studio.takes_part()
    taken_in = await studio.actors.report([studio.admin], on=studio.on)
    case = await studio.notified()
    await studio.admin.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    await visitor.page.get_by_role("heading", name="Iemand benoemen").wait_for()
    await place.locator("summary", has_text=LEAVE).click()
    await visitor.sees("kan die vanaf dat moment niet meer openen")
    await visitor.sees("Terug kan niet.")
    await visitor.has_no_barrier()
    assert await visitor.width() <= 320
    await studio.admin.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    await place.get_by_role("button", name="Nu beëindigen").click()
    await expect(place.locator("span").first).to_have_text("beëindigd")

    with pytest.raises(NotPermitted):
        await studio.admin.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    read = await studio.admin.handler.read(taken_in.incident)
    assert {text.text for text in read} >= set(TEXTS.values())
    assert (await studio.actors.circle(studio.on)).counsellors(studio.on.participations["studio"]) == []
    assert await place.get_by_role("button").count() == 0, "nothing is offered of what has ended"
    assert await place.locator("summary").count() == 0
    assert await visitor.page.get_by_role("heading", name="Iemand benoemen").count() == 0
    await visitor.has_no_barrier()


async def test_a_proposal_is_declined_and_may_come_again(world: World, visit: Visit) -> None:
    studio = await Studio.asked(world, "Studio Liever Niet")
    visitor = await visit(width=1200, height=900, color_scheme="dark")
    place = await at_the_productions(visitor, studio.keys)
    assert await place.locator("summary", has_text=LEAVE).count() == 0
    await expect(place.locator("strong")).to_have_text(TITLE)
    await expect(place.locator("p").first).to_have_text("Duinroos Producties vraagt jullie mee te doen.")
    await place.locator("summary", has_text="Niet meedoen").click()
    await visitor.has_no_barrier()
    await place.get_by_role("button", name="Nu afslaan").click()
    await expect(place.locator("span").first).to_have_text("beëindigd")
    await expect(place.locator("strong")).to_have_text(TITLE)

    with pytest.raises(Refused, match="state"):
        await studio.admin.admin.accept_participation(studio.on.participations["studio"])
    organisation = (await studio.admin.me()).organisation.name
    production = (await studio.actors.circle(studio.on)).production
    again = await studio.actors.admin("duinroos").admin.propose_participation(production, organisation)
    assert again.name != studio.on.participations["studio"]


async def test_the_independent_point_is_never_offered_to_leave(world: World, visit: Visit) -> None:
    visitor = await visit(width=1200, height=900)
    await visitor.go("work/productions")
    await visitor.sign_in_here(world.sector.keys("vuurtoren-admin"))
    standing = row(visitor, "Zonder productie")
    await standing.get_by_role("button", name="Wie zit waar").wait_for()

    assert await standing.locator("summary").count() == 0
