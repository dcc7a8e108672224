"""Changing one's key in the app: what was readable stays so, and no death in between loses a key (I27)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from meldbrug.client import MemberClient
from meldbrug.client.keyfile import load_keys
from meldbrug.common.v1.common_pb2 import KIND_ACCOUNT
from tests.browser.conftest import Visit
from tests.support.actors import TEXTS, Actors, Case, Hired
from tests.support.authenticator import Authenticator
from tests.support.browser import PASSPHRASE, Visitor
from tests.support.sector import World

DESK = {"width": 1200, "height": 900}
pytestmark = pytest.mark.light_keys
HALFWAY = "Het wisselen van je sleutel is halverwege gestopt."
CHANGED = "Je sleutel is gewisseld."
BY_PASSKEY = "Aanmelden met passkey"


async def handling(world: World) -> tuple[Actors, Hired, Case]:
    """A counsellor who handles a report."""
    actors = await Actors.on_their_own(world)
    hired = await actors.counsellor("duinroos")
    return actors, hired, await actors.report([hired.client])


async def kept(page: Page) -> dict[str, Any]:
    """What the device keeps: the fingerprints of its files by where they are."""
    found = await page.evaluate("() => ({ ...localStorage })")
    return {place: json.loads(file)["kid"] for place, file in found.items() if "key-file" in place}


async def at_the_device(visitor: Visitor, hired: Hired) -> None:
    """Signs in where a member's own device is looked after, and looks at what changing does."""
    await visitor.go("work/device")
    await visitor.sign_in_here(hired.client.keys)
    await looks(visitor)


async def looks(visitor: Visitor) -> None:
    """Opens what changing the key is about."""
    await visitor.page.get_by_text("Wat er gebeurt").click()
    await visitor.page.locator("#change-passphrase").wait_for()


async def changes(visitor: Visitor, passphrase: str = PASSPHRASE, name: str = "Sleutel wisselen") -> None:
    """Gives the passphrase and presses."""
    await visitor.page.locator("#change-passphrase").fill(passphrase)
    await visitor.press(name)


async def reads(world: World, file: Path, case: Case) -> list[str]:
    """What the Python client reads of a case with a key file."""
    member = MemberClient(world.connection, load_keys(file, PASSPHRASE))
    return [text.text for text in await member.handler.read(case.incident)]


async def reads_the_newest(visitor: Visitor) -> None:
    """Opens the newest report."""
    await visitor.page.get_by_role("link", name="Meldingen").click()
    await visitor.page.locator(".rows a").first.click()
    await visitor.sees(TEXTS[KIND_ACCOUNT])


async def test_a_changed_key_reads_what_the_old_one_read_and_the_old_one_nothing(
    world: World, visit: Visit, tmp_path: Path
) -> None:
    _, hired, case = await handling(world)
    visitor, elsewhere = await visit(**DESK), await visit()
    await at_the_device(visitor, hired)
    await visitor.has_no_barrier()
    await changes(visitor)
    await visitor.sees(CHANGED)
    await visitor.has_no_barrier()
    now = await kept(visitor.page)

    assert list(now) == ["key-file"]
    assert now["key-file"] != hired.kid
    shown = await visitor.page.locator(".fingerprint").first.inner_text()
    assert "".join(shown.split()) == now["key-file"]
    file = await visitor.downloads_keys(tmp_path)
    assert await reads(world, file, case) == list(TEXTS.values())
    await reads_the_newest(visitor)

    await elsewhere.go("work")
    await elsewhere.gives_keys(hired.client.keys)
    await elsewhere.press("Aanmelden")
    await elsewhere.sees("Deze sleutel is niet in gebruik.")
    await elsewhere.has_no_barrier()
    elsewhere.does_not_mind("401")


async def test_another_passphrase_changes_nothing(world: World, visit: Visit) -> None:
    _, hired, _ = await handling(world)
    visitor = await visit(width=390, height=844, color_scheme="dark")
    await at_the_device(visitor, hired)
    await changes(visitor, "een andere wachtzin")

    await visitor.sees("Die wachtzin past niet op deze sleutel.")
    await visitor.has_no_barrier()
    assert await kept(visitor.page) == {"key-file": hired.kid}
    assert (await hired.client.me()).member.kid == hired.kid


Death = Callable[[Page, Route], Awaitable[None]]
Act = Callable[[Visitor], Awaitable[None]]


async def before(page: Page, route: Route) -> None:
    """The page dies when it asks."""
    await route.abort()
    await page.close()


async def after(page: Page, route: Route) -> None:
    """The page dies when the installation has done it, and before it is told."""
    await route.fetch()
    await page.close()


async def dies(visitor: Visitor, method: str, death: Death, act: Act = changes) -> None:
    """Changes the key, or does something else, on a page that dies at a call."""
    page, gone = visitor.page, asyncio.Event()

    async def handle(route: Route) -> None:
        await death(page, route)
        gone.set()

    await page.route(f"**/{method}", handle)
    await act(visitor)
    await asyncio.wait_for(gone.wait(), 20)
    visitor.does_not_mind("net::ERR_FAILED")


async def again(visitor: Visitor, context: BrowserContext, path: str = "work/device") -> Visitor:
    """Opens another page on the same device."""
    visitor = Visitor(visitor.world, await context.new_page(), "nl")
    await visitor.go(path)
    return visitor


@pytest.mark.parametrize(
    ("method", "death"),
    [
        ("BeginRotation", before),
        ("BeginRotation", after),
        ("RewrapSeat", after),
        ("CompleteRotation", before),
    ],
)
async def test_a_page_that_dies_before_the_key_is_taken_goes_on_with_the_old_one(
    world: World, visit: Visit, method: str, death: Death
) -> None:
    _, hired, case = await handling(world)
    visitor = await visit(**DESK)
    context = visitor.page.context
    await at_the_device(visitor, hired)
    await dies(visitor, method, death)

    back = await again(visitor, context)
    waiting = (await kept(back.page))[f"next-key-file/{hired.kid}"]
    await back.sign_in_here()
    await back.sees(HALFWAY)
    await back.has_no_barrier()
    assert await back.button("Van dit toestel halen").count() == 0
    assert [text.text for text in await hired.client.handler.read(case.incident)] == list(TEXTS.values())
    await changes(back, name="Verder wisselen")
    await back.sees(CHANGED)

    assert await kept(back.page) == {"key-file": waiting}
    await reads_the_newest(back)
    assert back.complaints == []


async def test_a_page_that_dies_after_the_key_was_taken_comes_back_with_the_new_one(
    world: World, visit: Visit
) -> None:
    _, hired, case = await handling(world)
    visitor = await visit(**DESK)
    context = visitor.page.context
    await at_the_device(visitor, hired)
    await dies(visitor, "CompleteRotation", after)

    back = await again(visitor, context)
    held = await kept(back.page)
    assert held["key-file"] == hired.kid
    await back.sign_in_here()

    await back.button("Van dit toestel halen").wait_for()
    assert await kept(back.page) == {"key-file": held[f"next-key-file/{hired.kid}"]}
    await reads_the_newest(back)
    # That the old key is unknown is a refusal, which the browser writes down by itself.
    back.does_not_mind("401")
    assert back.complaints == []
    assert case.incident


async def with_passkey(visitor: Visitor, hired: Hired) -> None:
    """Signs in and lets a passkey open the key."""
    await Authenticator.of(visitor.page)
    await at_the_device(visitor, hired)
    await visitor.press("Passkey toevoegen")
    await visitor.sees("De passkey is toegevoegd.")


async def comes_back_by_passkey(visitor: Visitor) -> None:
    """Signs in on a fresh page with the passkey alone."""
    await visitor.page.reload()
    await visitor.press(BY_PASSKEY)
    await visitor.page.locator(".seat").wait_for()


async def test_the_passkey_opens_the_new_key_as_it_did_the_old_one(world: World, visit: Visit) -> None:
    _, hired, _ = await handling(world)
    visitor = await visit(**DESK)
    await with_passkey(visitor, hired)
    await visitor.sees("Je toestel vraagt ook je passkey")
    await changes(visitor)
    await visitor.sees(CHANGED)
    await comes_back_by_passkey(visitor)

    assert (await kept(visitor.page))["key-file"] != hired.kid


async def test_a_passkey_that_is_refused_changes_nothing(world: World, visit: Visit) -> None:
    _, hired, _ = await handling(world)
    visitor = await visit(**DESK)
    authenticator = await Authenticator.of(visitor.page)
    await at_the_device(visitor, hired)
    await visitor.press("Passkey toevoegen")
    await visitor.sees("De passkey is toegevoegd.")
    await authenticator.recognises(its_user=False)
    await changes(visitor)

    await visitor.sees("Er is niets veranderd en niets geopend.")
    assert await kept(visitor.page) == {"key-file": hired.kid}
    assert (await hired.client.me()).member.kid == hired.kid


async def test_after_a_death_a_passkey_finds_the_key_that_was_taken(world: World, visit: Visit) -> None:
    """The page is emptied, not closed: an authenticator of Chromium's own lives as long as its page."""
    _, hired, _ = await handling(world)
    visitor = await visit(**DESK)
    await with_passkey(visitor, hired)
    gone = asyncio.Event()

    async def dies_now(route: Route) -> None:
        await route.fetch()
        gone.set()
        await route.abort()

    await visitor.page.route("**/CompleteRotation", dies_now, times=5)
    await changes(visitor)
    await asyncio.wait_for(gone.wait(), 20)
    await visitor.page.reload()
    await visitor.page.unroute_all()
    assert (await kept(visitor.page))["key-file"] == hired.kid
    await visitor.press(BY_PASSKEY)
    await visitor.page.locator(".seat").wait_for()

    assert list(await kept(visitor.page)) == ["key-file"]
    assert (await kept(visitor.page))["key-file"] != hired.kid
    visitor.does_not_mind("401")
    visitor.does_not_mind("net::ERR_FAILED")


async def test_two_pages_at_once_change_the_key_once(world: World, visit: Visit) -> None:
    _, hired, case = await handling(world)
    one = await visit(**DESK)
    await at_the_device(one, hired)
    other = await again(one, one.page.context)
    await other.sign_in_here()
    await looks(other)
    await asyncio.gather(changes(one), changes(other))
    said = [CHANGED, "De sleutel op dit toestel is intussen veranderd."]
    for visitor in (one, other):
        either = visitor.page.get_by_text(said[0]).or_(visitor.page.get_by_text(said[1]))
        await either.wait_for()

    assert await one.page.get_by_text(CHANGED).count() + await other.page.get_by_text(CHANGED).count() == 1
    assert list(await kept(one.page)) == ["key-file"]
    await other.page.reload()
    await other.sign_in_here()
    await reads_the_newest(other)
    assert case.incident


async def test_a_report_that_comes_in_meanwhile_is_not_lost(world: World, visit: Visit) -> None:
    """The installation refuses to end a key that alone opens something: one goes on once more."""
    actors, hired, _ = await handling(world)
    visitor = await visit(**DESK)
    await at_the_device(visitor, hired)
    late: list[Case] = []

    async def meanwhile(route: Route) -> None:
        if not late:
            late.append(await actors.report([hired.client]))
        await route.continue_()

    await visitor.page.route("**/CompleteRotation", meanwhile)
    await changes(visitor)
    await visitor.sees("Er kwam intussen iets nieuws binnen.")
    await visitor.has_no_barrier()
    await changes(visitor, name="Verder wisselen")
    await visitor.sees(CHANGED)
    await visitor.page.get_by_role("link", name="Meldingen").click()
    await expect(visitor.page.locator(".rows > li > a")).to_have_count(2)

    await reads_the_newest(visitor)
    visitor.does_not_mind("400")


async def test_the_root_is_never_offered_another_key(world: World, visit: Visit) -> None:
    visitor = await visit(**DESK)
    await visitor.go("work/device")
    await visitor.sign_in_here(world.root)
    await visitor.button("Sleutelbestand downloaden").wait_for()

    assert await visitor.page.get_by_text("Sleutel wisselen").count() == 0
