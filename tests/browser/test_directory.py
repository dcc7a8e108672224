"""A newcomer in one browser and an admin in another: invited, compared, let in, appointed, removed."""

from __future__ import annotations

from tests.browser.conftest import Visit
from tests.browser.test_lists import at_the_top
from tests.support.actors import Actors
from tests.support.browser import PASSPHRASE, Visitor
from tests.support.sector import World

DESK = {"width": 1200, "height": 900}
ROLE = "Vertrouwenspersoon nachtploeg"


async def invited(admin: Visitor) -> str:
    """Invites somebody; returns the code."""
    await admin.sign_in("duinroos-admin")
    await admin.page.get_by_role("link", name="Mensen").click()
    await admin.page.locator("#title").fill(ROLE)
    await admin.press("Uitnodigen")
    code = await admin.page.get_by_role("status").locator(".fingerprint").inner_text()
    await admin.has_no_barrier()
    return code


async def enrols(newcomer: Visitor, code: str) -> str:
    """Makes a key with the code; returns the fingerprint as it is read out."""
    await newcomer.go("work")
    await newcomer.press("Ik heb een uitnodiging")
    await newcomer.page.locator("#invitation").fill(code)
    await newcomer.page.locator("#new-passphrase").fill(PASSPHRASE)
    await newcomer.has_no_barrier()
    await newcomer.press("Sleutel maken")
    fingerprint = await newcomer.page.locator(".fingerprint").inner_text()
    await newcomer.has_no_barrier()
    return fingerprint


async def test_a_newcomer_is_compared_let_in_appointed_and_removed(world: World, visit: Visit) -> None:
    admin, newcomer = await visit(**DESK), await visit()
    code = await invited(admin)
    fingerprint = await enrols(newcomer, code)
    await admin.page.get_by_role("link", name="Producties").click()
    await admin.page.get_by_role("link", name="Mensen").click()
    row = admin.page.locator("li", has_text=ROLE).first

    assert await row.locator(".fingerprint").inner_text() == fingerprint
    await row.get_by_role("checkbox").check()
    await row.get_by_role("button", name="Toelaten").click()
    await row.get_by_text("erbij").wait_for()
    await newcomer.press("Naar aanmelden")
    await newcomer.page.locator("#passphrase").fill(PASSPHRASE)
    await newcomer.press("Aanmelden")
    await newcomer.sees(f"{ROLE}, Duinroos Producties")

    await admin.page.get_by_role("link", name="Producties").click()
    production = admin.page.locator("li", has_text="De Laatste Veerpont").first
    await production.get_by_role("button", name="Wie zit waar").click()
    await admin.page.locator("#who").select_option(label=ROLE)
    await admin.page.locator("#role").fill(ROLE)
    await at_the_top(admin)
    await admin.has_no_barrier()
    await admin.press("Benoemen")
    await production.get_by_role("listitem").get_by_text(ROLE).wait_for()
    circle = await Actors(world).circle()
    assert ROLE in [person.appointment.role for person in circle.counsellors()]

    await admin.page.get_by_role("link", name="Mensen").click()
    await row.get_by_text("Verwijderen", exact=True).click()
    await row.get_by_role("button", name="Nu verwijderen").click()
    await row.get_by_text("verwijderd").wait_for()
    circle = await Actors(world).circle()
    assert ROLE not in [person.appointment.role for person in circle.counsellors()]


async def test_an_organisation_takes_part_in_what_it_registered(world: World, visit: Visit) -> None:
    admin = await visit(**DESK)
    await admin.sign_in("kade9-admin")
    await admin.page.get_by_role("link", name="Producties").click()
    await admin.page.locator("#production-title").fill("De Nachtboot")
    await admin.press("Aanmelden")
    code = await admin.page.locator("li", has_text="De Nachtboot").locator("code").inner_text()

    assert (await Actors(world).public.circle(code)).served.production.title == "De Nachtboot"


async def test_the_appointments_of_a_production_fit_a_small_screen(visit: Visit) -> None:
    admin = await visit(width=320, height=640)
    await admin.sign_in("duinroos-admin")
    await admin.page.get_by_role("link", name="Producties").click()
    production = admin.page.locator("li", has_text="De Laatste Veerpont").first
    await production.get_by_role("button", name="Wie zit waar").click()
    await admin.page.locator("#who option").first.wait_for(state="attached")

    assert await admin.width() <= 320
    await admin.has_no_barrier()
