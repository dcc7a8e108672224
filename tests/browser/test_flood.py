"""While more strangers come than is calm: a page works for its call, and stays alive (T11, T13)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page

from services.stack.edge import APP
from tests.browser.conftest import Visit
from tests.integration.edge.harness import own_edge
from tests.support.sector import World

# The app's own calls are above this; with so little calm the puzzle is as hard as it gets.
BARELY_A_FLOOD, HARDEST = 0.2, 0.000_01
# A telephone of the middle class against a desk, as Lighthouse has it.
TIMES_SLOWER = 4
GONE_WITHIN_S = 0.5


@asynccontextmanager
async def flooded(world: World, elsewhere: str, calm_per_s: float) -> AsyncIterator[str]:
    """Yields where telling begins, at an edge in this process."""
    endpoints = world.endpoints
    settings = {"app_dir": APP, "installation": endpoints.installation, "leave_to": elsewhere}
    async with own_edge(endpoints.services, calm_per_s=calm_per_s, **settings) as edge:
        yield f"{edge}/#/nl/start?c={world.sector.code('veerpont')}"


async def slowed(page: Page) -> None:
    """Makes a page as slow as it is on a telephone; not what runs beside it."""
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": TIMES_SLOWER})


async def test_in_a_flood_telling_goes_on_and_the_work_is_done_beside_the_page(
    world: World, visit: Visit, elsewhere: str
) -> None:
    visitor = await visit()
    async with flooded(world, elsewhere, BARELY_A_FLOOD) as start:
        await visitor.page.goto(start)
        async with visitor.page.expect_event("worker") as working:
            await visitor.press("Zoeken")
        await visitor.sees("De Laatste Veerpont")

        assert "/assets/puzzle.worker-" in (await working.value).url
        assert visitor.page.workers == [], "it ended with its puzzle"
    visitor.complaints[:] = [text for text in visitor.complaints if "429" not in text]


async def test_leaving_is_not_held_up_by_a_puzzle(world: World, visit: Visit, elsewhere: str) -> None:
    visitor = await visit()
    page = visitor.page
    async with flooded(world, elsewhere, HARDEST) as start:
        await page.goto(start)
        place = await page.locator("button.leave").bounding_box()
        async with page.expect_event("worker"):
            await visitor.press("Zoeken")
        await slowed(page)

        pressed_s = time.time()
        await page.mouse.click(place["x"] + 20, place["y"] + 20)
        await page.wait_for_url(elsewhere)
        # A page's clock begins when whoever was there before has gone.
        took_s = await page.evaluate("() => performance.timeOrigin") / 1000 - pressed_s
        print(f"gone after {took_s * 1000:.0f} ms")

        assert took_s < GONE_WITHIN_S
        assert page.workers == []
    visitor.complaints[:] = [text for text in visitor.complaints if "429" not in text]


async def test_a_puzzle_that_cannot_be_solved_here_is_said_and_nothing_is_lost(
    world: World, visit: Visit, elsewhere: str
) -> None:
    visitor = await visit()
    page = visitor.page
    async with flooded(world, elsewhere, HARDEST) as start:
        await page.context.route("**/puzzle.worker-*", lambda route: route.abort())
        await page.goto(start)
        await visitor.press("Zoeken")
        await visitor.sees("Er kwam geen antwoord.")

        assert await page.locator("#code").input_value() == world.sector.code("veerpont")
        await visitor.has_no_barrier()
    visitor.complaints.clear()
