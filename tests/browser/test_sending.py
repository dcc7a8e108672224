"""A report whose answer is lost: what arrived is found out, and what did not is never said to have."""

from __future__ import annotations

import asyncio

from playwright.async_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_story import ACCOUNT
from tests.browser.test_wrong_turns import comes_back, minds_not
from tests.support.browser import Visitor
from tests.support.sector import World

SUBMIT = "**/meldbrug.disclosure.v1.ReporterService/SubmitReport"
# Longer than a report is repeated until it is in.
AFTER_MS = 130_000


async def tells(visitor: Visitor, text: str) -> None:
    """Writes, and looks at it once more before it is sent."""
    await visitor.page.locator("#account").fill(text)
    await visitor.press("Verder")
    await visitor.sees("Er is nog niets verstuurd.")


async def loses_the_answer(visitor: Visitor) -> None:
    """Sends a report that arrives, and waits in vain for the answer."""
    page, arrived = visitor.page, asyncio.Event()

    async def lost(route: Route) -> None:
        if not arrived.is_set():
            await route.fetch()
            arrived.set()
        await route.abort()

    await page.clock.install()
    await page.route(SUBMIT, lost)
    async with page.expect_event("requestfailed"):
        await visitor.press("Versturen")
    await page.clock.fast_forward(AFTER_MS)
    await visitor.sees("Het is niet zeker of het is aangekomen")
    await page.unroute_all(behavior="ignoreErrors")


async def test_a_report_whose_answer_was_lost_is_found_to_have_arrived(world: World, visit: Visit) -> None:
    reporter = await visit()
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    await tells(reporter, ACCOUNT)
    await loses_the_answer(reporter)

    await reporter.press("Versturen")

    await reporter.sees("Wie je koos heeft het gekregen.")
    await comes_back(reporter, " ".join(receipt))
    await expect(reporter.page.locator("blockquote")).to_have_text([ACCOUNT])
    minds_not(reporter)


async def test_a_text_changed_since_is_never_said_to_have_arrived(world: World, visit: Visit) -> None:
    reporter = await visit()
    await reporter.comes_to_write(world.sector.code("veerpont"))
    await tells(reporter, ACCOUNT)
    await loses_the_answer(reporter)
    await reporter.press("Terug")
    await tells(reporter, f"{ACCOUNT} En nog iets.")

    await reporter.press("Versturen")

    await reporter.sees("misschien een eerdere tekst")
    assert await reporter.page.get_by_text("Het is niet zeker").count() == 0
    await expect(reporter.page.locator("blockquote")).to_have_text([f"{ACCOUNT} En nog iets."])
    await reporter.has_no_barrier()
    minds_not(reporter)
