"""Every page, in both languages: no barrier (WCAG 2.2 AA), and nothing beyond the edge of a small screen."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit

PAGES = ("", "start", "back", "work", "rules", "help", "how", "running", "nowhere")
LOCALES = ("nl-NL", "en-GB")


@pytest.mark.parametrize("locale", LOCALES)
async def test_no_page_has_a_barrier_or_leaves_a_small_screen(visit: Visit, locale: str) -> None:
    visitor = await visit(width=320, height=640, locale=locale)
    for path in PAGES:
        await visitor.go(path)
        await visitor.has_no_barrier()
        assert await visitor.width() <= 320, path
        assert await visitor.page.evaluate("() => document.documentElement.lang") == locale[:2]


async def test_another_language_keeps_what_was_typed(visit: Visit) -> None:
    visitor = await visit()
    await visitor.go("back")
    await visitor.page.locator("#twelve").fill("nog niet af")
    await visitor.page.get_by_role("link", name="EN", exact=True).click()
    await visitor.sees("Back to what you told")

    assert await visitor.page.locator("#twelve").input_value() == "nog niet af"


async def test_without_the_words_of_a_language_those_that_are_shown_stay(visit: Visit) -> None:
    visitor = await visit()
    page = visitor.page
    await visitor.go("start")
    await page.context.route("**/assets/en-*", lambda route: route.abort())
    async with page.expect_event("requestfailed"):
        await page.get_by_role("link", name="EN", exact=True).click()

    await visitor.sees("Waar gebeurde het?")
    assert await page.evaluate("() => document.documentElement.lang") == "nl"
    await page.get_by_role("link", name="NL", exact=True).click()
    await page.context.unroute("**/assets/en-*")
    await page.get_by_role("link", name="EN", exact=True).click()
    await visitor.sees("Where did it happen?")
    assert await page.evaluate("() => document.documentElement.lang") == "en"
    visitor.complaints[:] = [text for text in visitor.complaints if "ERR_FAILED" not in text]


async def test_the_title_and_the_address_tell_nothing(visit: Visit) -> None:
    """T13: whoever sees the tab or the history sees the same for every page."""
    visitor = await visit()
    titles = set()
    for path in PAGES:
        await visitor.go(path)
        titles.add(await visitor.page.title())

    assert titles == {"Overzicht"}


async def test_no_page_may_use_a_camera_a_microphone_or_where_somebody_is(visit: Visit) -> None:
    """T5: whatever runs in the page."""
    visitor = await visit()
    await visitor.go()
    allowed = await visitor.page.evaluate("() => document.featurePolicy.allowedFeatures()")

    assert "publickey-credentials-get" in allowed
    assert not {"camera", "microphone", "geolocation", "display-capture"} & set(allowed)


async def test_what_is_running_is_compared_with_the_list(visit: Visit) -> None:
    visitor = await visit()
    await visitor.go("running")

    await visitor.sees("bestanden zijn gelijk aan de lijst")


async def test_a_file_that_differs_is_named(visit: Visit) -> None:
    """T5: a server that gives one file otherwise than its own list says."""
    visitor = await visit()
    await visitor.page.context.route("**/icon.svg", lambda route: route.fulfill(body="<svg/>"))
    await visitor.go("running")

    await visitor.sees("Anders dan de lijst: icon.svg")
