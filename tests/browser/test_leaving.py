"""Leaving quickly: nothing on the screen, in the history of the tab, or on the disk (T13)."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.browser.conftest import Visit
from tests.support.browser import CALM, Visitor, chromium_path
from tests.support.sector import World

CANARY = "zeldzaamheidsbewijs"


async def writes(visitor: Visitor, code: str) -> None:
    """Comes as far as the text, and waits until the draft is kept."""
    page = visitor.page
    await visitor.comes_to_write(code)
    await page.locator("#account").fill(f"Dit is een {CANARY}.")
    await page.wait_for_function(
        "() => Object.keys(localStorage).some((place) => place.startsWith('draft/'))"
    )


def everything_in(folder: Path) -> bytes:
    """Returns what is in every file below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("way", ["button", "three shifts", "first in the order of tabs"])
async def test_leaving_leaves_nothing_on_the_screen_or_behind_the_back_button(
    world: World, visit: Visit, elsewhere: str, way: str
) -> None:
    visitor = await visit()
    page = visitor.page
    await writes(visitor, world.sector.code("veerpont"))

    if way == "button":
        await visitor.page.locator("button.leave").click()
    elif way == "three shifts":
        for _ in range(3):
            await page.keyboard.press("Shift")
    else:
        await page.reload()
        await page.locator("main h1").wait_for()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
    await page.wait_for_url(elsewhere)
    await page.go_back()
    behind = await page.content()

    assert CANARY not in behind
    await visitor.go()
    assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0


async def test_the_back_button_leads_nowhere_here_however_far_somebody_went(
    world: World, visit: Visit, elsewhere: str
) -> None:
    """Over links, a change of language, a reload, and there and back again."""
    visitor = await visit()
    page = visitor.page
    await page.goto(f"{elsewhere}before")
    await visitor.go()
    await page.get_by_role("link", name="Vertellen wat er gebeurde").click()
    await page.get_by_role("heading", name="Waar gebeurde het?").wait_for()
    await page.get_by_role("link", name="EN", exact=True).click()
    await page.get_by_role("heading", name="Where did it happen?").wait_for()
    await page.reload()
    await page.get_by_role("link", name="Who can help you").click()
    await page.get_by_role("heading", name="Who can help you", level=1).wait_for()
    await page.go_back()
    await page.get_by_role("heading", name="Where did it happen?").wait_for()
    await page.get_by_role("link", name="How it works").click()
    await page.get_by_role("heading", name="How it works", level=1).wait_for()

    await page.locator("button.leave").click()
    await page.wait_for_url(elsewhere)
    await page.go_back()

    assert page.url == f"{elsewhere}before"


async def test_what_was_written_is_gone_from_whatever_page_somebody_leaves(
    world: World, visit: Visit, elsewhere: str
) -> None:
    visitor = await visit()
    page = visitor.page
    await writes(visitor, world.sector.code("veerpont"))
    await page.get_by_role("link", name="Tien regels").click()
    await page.get_by_role("heading", name="Tien regels").wait_for()

    await page.locator("button.leave").click()
    await page.wait_for_url(elsewhere)

    await visitor.go()
    assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0


async def test_nothing_is_found_in_the_profile_after_leaving(
    world: World, elsewhere: str, tmp_path: Path
) -> None:
    """The folder of the whole profile holds neither what was written nor a word of the receipt's draft."""
    code = world.sector.code("veerpont")
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=chromium_path(), args=CALM, ignore_https_errors=True, locale="nl-NL"
        )
        page = context.pages[0]
        visitor = Visitor(world, page, "nl")
        await writes(visitor, code)
        await page.locator("button.leave").click()
        await page.wait_for_url(elsewhere)
        await context.close()
    held = await asyncio.to_thread(everything_in, tmp_path)

    for form in (CANARY.encode(), CANARY.encode("utf-16-le"), base64.b64encode(CANARY.encode())):
        assert form not in held
    assert elsewhere.encode() in held, "this is not where the profile is"
