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
    await page.wait_for_function("() => localStorage.getItem('draft') !== null")


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
