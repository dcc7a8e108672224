"""What cannot be promised is said before it matters, and where to call in danger comes first (T5, T13)."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_story import ACCOUNT, DESK, is_asked
from tests.support.browser import Visitor
from tests.support.sector import World

DANGER = {"nl": "Ben je nu in gevaar? Bel 112", "en": "Are you in danger now? Call 112"}
# Where in telling each limit is said, at the latest: what is typed, who reads, what is lost, what is known.
BEFORE = {
    "where": [
        "Je netwerk ziet dat je hier bent",
        "Kijkt er iemand mee op dit toestel",
        "Wie deze site aanpast",
    ],
    "who": ["Wie het leest kan het onthouden", "samen stiekem een lezer"],
    "exclude": [
        "zijn voor ons twee mensen",
        "moet weten wie je uitsluit",
        "Wie je melding behandelt, ziet het niet",
    ],
    "keep": ["Kwijt is kwijt"],
    "write": ["Dit is niet versleuteld"],
    "check": [
        "Welke productie, wat je aankruiste",
        "wie je uitsloot",
        "oude kopie van ons systeem",
        "Wie het al las",
    ],
    "request": ["oude kopie van ons systeem", "wie het al gelezen heeft"],
}
# Design, section 10: all of it is on one page too.
ALL = [
    "Wie deze site aanpast",
    "samen stiekem een lezer",
    "Wie iets gelezen heeft, kan het onthouden",
    "Wie een oude kopie van ons systeem heeft",
    "Ben je de twaalf woorden kwijt",
    "Je netwerk ziet dat je hier was",
    "wie je uitsluit",
    "databank voorgoed verloren",
]


async def says(visitor: Visitor, step: str) -> None:
    """Everything that this step has to say can be read on it."""
    for text in BEFORE[step]:
        await expect(visitor.page.locator("main").get_by_text(text).first).to_be_visible()
    await visitor.has_no_barrier()


async def test_each_limit_is_said_before_it_matters(world: World, visit: Visit) -> None:
    reporter = await visit()
    page = reporter.page
    await reporter.go(f"start?c={world.sector.code('veerpont')}")
    await says(reporter, "where")
    await reporter.press("Zoeken")
    await page.get_by_role("radio").first.check()
    await says(reporter, "who")
    await page.locator("summary").click()
    await says(reporter, "exclude")
    await reporter.press("Verder")
    await says(reporter, "keep")
    receipt = await page.locator(".receipt li").all_inner_texts()
    await reporter.press("Ik heb ze bewaard")
    for place in (3, 8):
        await page.locator(f"#word-{place}").fill(receipt[place])
    await reporter.press("Nakijken")
    await says(reporter, "write")
    await page.locator("#account").fill(ACCOUNT)
    await reporter.press("Verder")
    await says(reporter, "check")


async def test_what_a_yes_cannot_take_back_is_said_before_it_is_given(world: World, visit: Visit) -> None:
    reporter, handler = await visit(), await visit(**DESK)
    await is_asked(world, reporter, handler)

    await says(reporter, "request")


async def test_all_limits_stand_on_one_page(visit: Visit) -> None:
    visitor = await visit()
    await visitor.go("how")

    for text in ALL:
        await expect(visitor.page.locator("main").get_by_text(text)).to_be_visible()


@pytest.mark.parametrize("locale", ["nl-NL", "en-GB"])
@pytest.mark.parametrize("path", ["", "start"])
async def test_where_to_call_in_danger_is_seen_at_once(visit: Visit, locale: str, path: str) -> None:
    """Within the smallest screen, without scrolling."""
    visitor = await visit(width=320, height=568, locale=locale)
    await visitor.go(path)
    danger = visitor.page.locator("main").get_by_text(DANGER[locale[:2]])

    await expect(danger).to_be_in_viewport(ratio=1)
    await expect(danger.get_by_role("link")).to_have_attribute("href", "tel:112")
