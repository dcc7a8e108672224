"""A reporter's answers: what is shown is what was asked and answered, and only the reporter ticks (T1)."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Route, expect

from meldbrug.client import Draft, ReporterClient
from meldbrug.crypto import keys_from, new_entropy, to_words
from tests.browser.conftest import Visit
from tests.browser.test_wrong_turns import comes_back, minds_not
from tests.support.actors import NOTICE, TEXTS, Actors, Case, until
from tests.support.actors import seen as is_seen
from tests.support.browser import Visitor
from tests.support.sector import World

READER = "noorderlicht-contact"
STATUS = "**/meldbrug.coordination.v1.ReporterService/GetStatus"
SUMMARY, MEASURES = NOTICE.values()


@dataclass
class Told:
    """A report whose receipt is known."""

    case: Case
    words: str


async def asked(world: World) -> Told:
    """A report, and a request to share a notice of two sections."""
    actors, entropy = Actors(world), new_entropy()
    reporter = ReporterClient(world.connection, keys_from(entropy))
    circle, handler = await actors.circle(), actors.member("duinroos-vp")
    intake = [await actors.person(handler)]
    report = await reporter.report(Draft(texts=TEXTS, intake=intake, production=circle.production))
    case = Case(actors, actors.on, report.name, reporter, handler)
    await until(lambda: is_seen(handler, report.name))
    await case.propose("noorderlicht", [actors.member(READER)])
    return Told(case, " ".join(to_words(entropy, "nl")))


async def looks(reporter: Visitor, told: Told) -> None:
    """Comes back to what is asked."""
    await comes_back(reporter, told.words)
    await reporter.press("Bekijken")
    await reporter.sees(SUMMARY)


async def test_what_was_unticked_stays_unticked_in_another_language(world: World, visit: Visit) -> None:
    told = await asked(world)
    reporter = await visit()
    await looks(reporter, told)
    await reporter.page.get_by_role("checkbox", name="Maatregelen").uncheck()

    await reporter.page.get_by_role("link", name="EN", exact=True).click()
    await reporter.button("Yes, to this part").wait_for()

    await expect(reporter.page.get_by_role("checkbox", name="Measures")).not_to_be_checked()
    await expect(reporter.page.get_by_role("checkbox", name="Summary")).to_be_checked()


async def test_a_yes_is_shown_as_it_was_given(world: World, visit: Visit) -> None:
    told = await asked(world)
    reporter = await visit()
    await looks(reporter, told)
    await reporter.page.get_by_role("checkbox", name="Maatregelen").uncheck()
    await reporter.press("Ja, tegen dit deel")
    await reporter.sees("Je zei ja.")

    for answered in ("Mijn ja intrekken", "Terug"):
        await reporter.press("Bekijken")
        await reporter.sees("Hier zei je ja tegen.")
        await reporter.sees(SUMMARY)
        assert await reporter.page.get_by_text(MEASURES).count() == 0, "it was not shared"
        assert await reporter.page.get_by_text("Kruis uit").count() == 0, "there is nothing to untick"
        await reporter.press(answered)


async def test_what_was_closed_elsewhere_is_shown_instead_of_the_question(world: World, visit: Visit) -> None:
    told = await asked(world)
    reporter = await visit()
    await looks(reporter, told)
    await told.case.reporter.withdraw_report()

    await reporter.press("Ja")

    await reporter.page.locator(".bad").wait_for()
    await reporter.sees("Dit werd je gevraagd.")
    assert await reporter.button("Ja").count() == 0
    await reporter.has_no_barrier()
    minds_not(reporter)


async def test_a_message_that_was_sent_is_never_left_to_be_sent_again(world: World, visit: Visit) -> None:
    """Though what came of it could not be fetched."""
    told = await asked(world)
    reporter = await visit()
    page = reporter.page
    await comes_back(reporter, told.words)
    await page.locator("#message").fill("Nog een ding.")

    async def away(route: Route) -> None:
        await route.abort()

    await page.route(STATUS, away)
    await reporter.press("Versturen")
    await reporter.sees("Het is gelukt.")
    await expect(page.locator("#message")).to_have_value("")
    await reporter.has_no_barrier()
    await page.unroute_all(behavior="ignoreErrors")
    await reporter.press("Probeer opnieuw")

    await expect(page.locator(".message p")).to_have_text(["Nog een ding."])
    assert await page.get_by_text("Het is gelukt.").count() == 0
    minds_not(reporter)


async def test_who_opened_what_says_what(world: World, visit: Visit) -> None:
    told = await asked(world)
    handler = told.case.handler.handler
    await handler.read(
        told.case.incident, [header.name async for header in handler.headers(told.case.incident)]
    )
    reporter = await visit(width=320, height=568)
    await comes_back(reporter, told.words)

    row = reporter.page.get_by_role("row", name="Vertrouwenspersoon, Duinroos Producties")

    await expect(row.first).to_contain_text("Wat er gebeurde")
    await reporter.has_no_barrier()


async def test_what_is_written_from_right_to_left_is_shown_so(world: World, visit: Visit) -> None:
    told = await asked(world)
    await told.case.reporter.send("זה קרה (אתמול).")
    reporter = await visit()
    await comes_back(reporter, told.words)
    message = reporter.page.locator(".message p")

    assert await message.evaluate("(shown) => getComputedStyle(shown).direction") == "rtl"


async def test_what_a_reporter_changes_is_said_to_be_done(world: World, visit: Visit) -> None:
    told = await asked(world)
    reporter = await visit()
    page = reporter.page
    await comes_back(reporter, told.words)
    await page.locator("summary").click()
    await page.get_by_role("radio", name="Onafhankelijk Meldpunt").check()

    await reporter.press("Veranderen")
    await reporter.sees("Het is veranderd.")
    await page.get_by_role("checkbox", name="Iedereen van Kade Negen Film").check()
    await reporter.press("Uitsluiten")
    await reporter.sees("Dat geldt nu.")

    assert await page.get_by_text("Het is veranderd.").count() == 0
    await reporter.has_no_barrier()
