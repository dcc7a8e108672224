"""The secretariat in the app: organisations admitted, their administrators compared, suspended, seen off."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from meldbrug.client import MemberClient, Refused, accept_invitation
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1.directory_pb2 import Organisation
from tests.browser.conftest import Visit
from tests.browser.test_directory import enrols
from tests.support.actors import Actors
from tests.support.browser import PASSPHRASE, Visitor
from tests.support.sector import World

DESK = {"width": 1200, "height": 900}


async def at_the_secretariat(visitor: Visitor, keys: SecretKeys) -> None:
    """Signs in where organisations are admitted."""
    await visitor.go("work")
    await visitor.sign_in_here(keys)
    await visitor.page.get_by_role("link", name="Secretariaat").click()
    await visitor.page.get_by_role("heading", name="Organisaties").wait_for()


def row(visitor: Visitor, title: str) -> Locator:
    """The row that begins with a title."""
    return visitor.page.locator(".rows > li").filter(has=visitor.page.locator("strong", has_text=title))


async def admitted(actors: Actors, title: str, keys: SecretKeys | None = None) -> MemberClient:
    """An organisation's first administrator, made by the Python client."""
    keys = keys or SecretKeys.generate()
    made = await actors.secretariat.secretariat.admit(title, Organisation.KIND_PRODUCER, "Hoofd")
    member = await accept_invitation(actors.world.connection, keys, made.code)
    await actors.secretariat.secretariat.endorse_admin(member.name, keys.kid)
    return MemberClient(actors.world.connection, keys)


async def test_an_organisation_is_admitted_and_its_administrator_let_in(world: World, visit: Visit) -> None:
    secretariat, newcomer = await visit(**DESK), await visit()
    page = secretariat.page
    await at_the_secretariat(secretariat, world.root)
    await secretariat.has_no_barrier()
    await page.locator("#organisation").fill("Studio Overkant")
    await page.locator("#kind").select_option(label="facilitair bedrijf")
    await page.locator("#umbrella").select_option(label="Omroepkoepel Samen")
    await page.locator("#admin").fill("Hoofd personeel")
    await secretariat.press("Toelaten en uitnodigen")
    code = await page.get_by_role("status").locator(".fingerprint").inner_text()
    await secretariat.has_no_barrier()
    fact = row(secretariat, "Studio Overkant").locator("span").first
    await expect(fact).to_contain_text("facilitair bedrijf")
    await expect(fact).to_contain_text("via Omroepkoepel Samen")

    fingerprint = await enrols(newcomer, code)
    await page.get_by_role("link", name="Dit toestel").click()
    await page.get_by_role("link", name="Secretariaat").click()
    waiting = row(secretariat, "Hoofd personeel")
    assert await waiting.locator(".fingerprint").inner_text() == fingerprint
    assert await waiting.get_by_role("button", name="Toelaten").is_disabled()
    await waiting.get_by_role("checkbox").check()
    await secretariat.has_no_barrier()
    await waiting.get_by_role("button", name="Toelaten").click()
    await expect(waiting).to_have_count(0)
    await secretariat.sees("Niemand wacht.")
    await newcomer.press("Naar aanmelden")
    await newcomer.page.locator("#passphrase").fill(PASSPHRASE)
    await newcomer.press("Aanmelden")

    await newcomer.sees("Hoofd personeel, Studio Overkant")
    assert await newcomer.page.get_by_role("link", name="Mensen").count() == 1
    assert await newcomer.page.get_by_role("link", name="Secretariaat").count() == 0


async def test_an_organisation_is_suspended_readmitted_and_seen_off(world: World, visit: Visit) -> None:
    actors = Actors(world)
    admin = await admitted(actors, "Studio Tijdelijk")
    secretariat = await visit(width=390, height=844, color_scheme="dark")
    await at_the_secretariat(secretariat, world.root)
    here = row(secretariat, "Studio Tijdelijk")

    async def act(what: str, name: str, state: str) -> None:
        await here.locator("summary", has_text=what).click()
        await secretariat.has_no_barrier()
        await here.get_by_role("button", name=name).click()
        await expect(here.locator(".tag")).to_have_text(state)

    await act("Schorsen", "Nu schorsen", "geschorst")
    with pytest.raises(Refused):
        await admin.admin.invite("Iemand")
    await here.get_by_role("button", name="Weer laten meedoen").click()
    await expect(here.locator(".tag")).to_have_text("doet mee")
    assert (await admin.admin.invite("Iemand")).code
    await act("Uitschrijven", "Nu uitschrijven", "weg")
    await expect(here.locator("summary")).to_have_count(0)
    with pytest.raises(Refused):
        await admin.admin.invite("Iemand")


async def test_only_the_secretariat_is_offered_what_it_does(world: World, visit: Visit) -> None:
    """Whoever goes there all the same sees their reports, and the installation refuses the list."""
    visitor = await visit(**DESK)
    await visitor.go("work/secretariat")
    await visitor.sign_in_here(world.sector.keys("duinroos-admin"))
    await visitor.page.get_by_role("heading", name="Meldingen").wait_for()

    assert await visitor.page.get_by_role("link", name="Secretariaat").count() == 0
    admin = Actors(world).admin("duinroos")
    with pytest.raises(Refused):
        await anext(admin.secretariat.organisations())


async def test_without_the_root_an_administrator_admits_and_lets_nobody_in(
    world: World, visit: Visit
) -> None:
    actors = Actors(world)
    keys, waiting = SecretKeys.generate(), SecretKeys.generate()
    code = (await actors.secretariat.admin.invite("Tweede secretaris", admin=True)).code
    second = await accept_invitation(world.connection, keys, code)
    await actors.secretariat.secretariat.endorse_admin(second.name, keys.kid)
    made = await actors.secretariat.secretariat.admit("Studio Wacht", Organisation.KIND_PRODUCER, "Wachtende")
    await accept_invitation(world.connection, waiting, made.code)
    visitor = await visit(**DESK)
    await at_the_secretariat(visitor, keys)

    await visitor.sees("Alleen met de stamsleutel")
    await row(visitor, "Wachtende").wait_for()
    assert await row(visitor, "Wachtende").get_by_role("button").count() == 0
    await visitor.has_no_barrier()
