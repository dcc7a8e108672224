"""Where somebody is who does not see the page: at the heading of what came, or where they pressed."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_answers import asked, comes_back
from tests.browser.test_story import DESK
from tests.browser.test_views import goes, ids
from tests.browser.test_wrong_turns import minds_not
from tests.support.browser import Visitor
from tests.support.sector import World


async def begins_at_part(visitor: Visitor, heading: str, level: int = 2) -> None:
    """The focus is at the heading of a part of the page, wherever that is scrolled to."""
    await expect(visitor.page.get_by_role("heading", name=heading, level=level)).to_be_focused()


async def begins_at(visitor: Visitor, heading: str) -> None:
    """The focus is at a heading, and the page is scrolled to its top."""
    await begins_at_part(visitor, heading, 1)
    assert await visitor.page.evaluate("() => scrollY") == 0


async def test_each_page_and_each_step_begins_at_its_heading(world: World, visit: Visit) -> None:
    reporter = await visit(width=360, height=640)
    page = reporter.page
    await reporter.go()
    await page.get_by_role("link", name="Tien regels").click()
    await begins_at(reporter, "Tien regels")
    await page.go_back()
    await begins_at(reporter, "Er is iets gebeurd. Wat nu?")
    await page.get_by_role("link", name="Vertellen wat er gebeurde").click()
    await begins_at(reporter, "Waar gebeurde het?")
    await page.locator("#code").fill(world.sector.code("veerpont"))
    await reporter.press("Zoeken")
    await begins_at(reporter, "Wie mag het lezen?")
    await page.get_by_role("radio").first.check()
    await reporter.press("Verder")
    await begins_at(reporter, "Je twaalf woorden")


async def test_nobody_is_lost_while_the_words_are_checked(world: World, visit: Visit) -> None:
    reporter = await visit(width=360, height=640)
    await reporter.comes_to_write(world.sector.code("veerpont"))
    await reporter.press("Terug")
    await reporter.press("Ik heb ze bewaard")
    await expect(reporter.page.locator("#word-3")).to_be_focused()

    await reporter.press("Nakijken")

    await begins_at(reporter, "Je twaalf woorden")
    wrong = reporter.page.get_by_text("Dat klopt nog niet.")
    await expect(wrong).to_be_visible()
    words = await reporter.page.locator(".receipt").bounding_box()
    said = await wrong.bounding_box()
    assert said is not None
    assert words is not None
    assert said["y"] < words["y"], "it stands where nobody looks"


async def test_what_went_wrong_comes_into_sight_and_the_focus_stays_where_it_was(
    world: World, visit: Visit
) -> None:
    told = await asked(world)
    reporter = await visit(width=360, height=400)
    await comes_back(reporter, told.words)
    await begins_at(reporter, "Wat je vertelde")
    await reporter.page.locator("#message").fill("Nog een ding.")
    await reporter.page.context.set_offline(True)
    await reporter.press("Versturen")
    await reporter.sees("Er kwam geen antwoord.")

    await expect(reporter.page.get_by_text("Er kwam geen antwoord.")).to_be_in_viewport()
    await expect(reporter.button("Versturen")).to_be_focused()
    await reporter.page.context.set_offline(False)
    minds_not(reporter)


async def test_a_request_and_the_way_back_from_it_begin_at_their_headings(world: World, visit: Visit) -> None:
    told = await asked(world)
    reporter = await visit(width=360, height=640)
    await comes_back(reporter, told.words)
    await reporter.press("Bekijken")
    await begins_at(reporter, "Delen met Omroep Noorderlicht?")
    await reporter.press("Nee")
    await begins_at(reporter, "Wat je vertelde")
    await reporter.press("Bekijken")
    await reporter.press("Terug")
    await begins_at(reporter, "Wat je vertelde")
    await reporter.press("Sluiten")
    await begins_at(reporter, "Terug naar wat je vertelde")


async def test_at_the_desk_each_place_begins_at_its_heading(world: World, visit: Visit) -> None:
    told = await asked(world)
    handler = await visit(**DESK)
    await handler.sign_in("duinroos-vp")
    await begins_at(handler, "Meldingen")
    await handler.page.locator(".rows a").first.click()
    await begins_at(handler, "Melding")
    await goes(handler, f"case/{ids(told.case.incident)}")
    await handler.press("Laat weten dat het gezien is")
    await handler.press("Delen voorstellen aan de melder")
    await begins_at_part(handler, "Delen voorstellen")
    await handler.press("Terug")
    await begins_at_part(handler, "Kennisgevingen")
    await handler.page.get_by_role("link", name="Dit toestel").click()
    await begins_at(handler, "Dit toestel")
    await handler.press("Afmelden")
    await begins_at(handler, "Aanmelden")


async def test_after_each_act_the_focus_is_at_a_heading_or_where_it_was(world: World, visit: Visit) -> None:
    """By keyboard alone: a wrong passphrase, the terms, opening, acknowledging, and a message."""
    told = await asked(world)
    await told.case.offered()
    reader, handler = await visit(**DESK), await visit(**DESK)
    page = reader.page
    await reader.go(f"work/notice/{ids(told.case.notice)}")
    await reader.gives_keys(world.sector.keys("noorderlicht-contact"))
    await page.locator("#passphrase").fill("een andere wachtzin")
    await page.locator("form button").press("Enter")
    await reader.sees("Die wachtzin past niet op deze sleutel.")
    await expect(page.locator("#passphrase")).to_be_focused()
    await reader.sign_in_here()
    await page.get_by_role("checkbox").press("Space")
    await reader.button("Aanvaarden").press("Enter")
    await reader.button("Openen").wait_for()
    await begins_at_part(reader, "Kennisgeving", 1)
    await reader.button("Openen").press("Enter")
    await begins_at_part(reader, "Kennisgeving", 1)
    await reader.button("Ontvangst bevestigen").press("Enter")
    await expect(page.locator(".lead")).to_have_text("bevestigd")
    await begins_at_part(reader, "Kennisgeving", 1)

    await handler.sign_in("duinroos-vp")
    await goes(handler, f"case/{ids(told.case.incident)}")
    await handler.page.locator("#message").fill("Ik heb het gelezen.")
    await handler.button("Versturen").press("Enter")
    await handler.page.locator(".message").wait_for()
    await begins_at_part(handler, "Gesprek")
