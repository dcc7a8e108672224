"""What `make run` prints to sign in with: each kind of user comes in by it and finds what it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.trying import FRESH_FOR, PASSPHRASE, Begun, Trying
from services.stack import Endpoints
from services.stack.__main__ import to_try
from services.stack.directions import MEMBERS, REPORTER, RETURNING, Door, at, coming_back, directions
from services.stack.edge import start_link
from tests.browser.conftest import Visit
from tests.support.sector import World

FOUND = {
    "handler": "Vertrouwenspersoon, Duinroos Producties",
    "reader": "Compliance officer, Omroep Noorderlicht",
    "admin": "Directiesecretaris, Duinroos Producties",
    "secretariat": "Secretariaat",
}
# What each is to begin with, as the page is headed.
HEADED = {
    "handler": "Meldingen",
    "reader": "Ontvangen",
    "admin": "Mensen",
    "secretariat": "Secretariaat",
}


@pytest.fixture(scope="module")
async def begun(world: World) -> Begun:
    """The report that is told at the first start."""
    return (await to_try(world.endpoints, world.keys_folder.parent))[1]


@pytest.fixture
def keys(begun: Begun, world: World) -> Trying:
    """Where the key files are."""
    return Trying(world.keys_folder)


@pytest.mark.parametrize("door", MEMBERS, ids=lambda door: door.key)
async def test_a_member_signs_in_with_the_key_file_and_the_passphrase(
    visit: Visit, keys: Trying, door: Door
) -> None:
    member = await visit(width=1200, height=800)
    await member.go(door.path)
    await member.page.locator("#key-file").set_input_files(keys.key_file(door.key))
    await member.page.locator("#passphrase").fill(PASSPHRASE)
    await member.press("Aanmelden")

    await member.page.locator(".seat p").get_by_text(FOUND[door.key]).wait_for()
    await member.page.get_by_role("heading", name=HEADED[door.key], level=1).wait_for()
    await member.page.locator(".rows > li").first.wait_for()


async def test_the_reporter_comes_back_with_the_receipt_to_an_answer_and_a_request(
    visit: Visit, begun: Begun
) -> None:
    reporter = await visit()
    await reporter.go(RETURNING.path)
    await reporter.page.locator("#twelve").fill(begun.receipt)
    await reporter.press("Openen")

    await reporter.sees("Ben je nu veilig op de set?")
    answers = await reporter.page.locator(".rows > li > span").all_inner_texts()
    assert sorted(answers) == ["Je hebt nog niet geantwoord. Geen antwoord is nee.", "Je zei ja."]


async def test_nothing_is_told_twice_until_the_offer_is_over(
    world: World, begun: Begun, keys: Trying
) -> None:
    again = (await to_try(world.endpoints, world.keys_folder.parent))[1]
    keys.keep(replace(begun, time=(datetime.now(UTC) - FRESH_FOR).isoformat()))
    anew = (await to_try(world.endpoints, world.keys_folder.parent))[1]

    assert again == begun
    assert anew.receipt != begun.receipt
    assert keys.begun() == anew


async def test_what_is_told_to_try_is_among_the_private_files_and_nowhere_else(
    world: World, keys: Trying
) -> None:
    folder, begun = world.keys_folder.parent, keys.begun()
    assert begun
    holding = await asyncio.to_thread(holders, folder, begun.receipt.encode())

    assert [path.relative_to(folder) for path in holding] == [Path("keys/app/begun.json")]
    assert holding[0].stat().st_mode & 0o077 == 0


def holders(folder: Path, text: bytes) -> list[Path]:
    """The files that a text is in."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and text in path.read_bytes()]


def test_each_kind_of_user_is_named_with_an_address_and_what_to_sign_in_with(
    world: World, begun: Begun, keys: Trying
) -> None:
    endpoints = Endpoints.read(world.keys_folder.parent)
    printed = directions(world.keys_folder.parent, endpoints, world.sector, begun, "127.0.0.1:1", lan=False)

    for door in (RETURNING, *MEMBERS):
        assert f"{endpoints.edge}/#/nl/{door.path}" in printed
    assert start_link(endpoints.edge, endpoints.installation, world.sector.code("veerpont")) in printed
    assert all(str(keys.key_file(door.key)) in printed for door in MEMBERS)
    assert f"twelve words: {begun.receipt}" in printed
    assert PASSPHRASE in printed
    assert "for this demo only" in printed


def test_the_demo_names_the_same_places_and_how_to_come_to_them() -> None:
    said = coming_back()

    assert "`make run`" in said
    assert [line for line in said.splitlines() if "/#/nl/" in line] == [
        at("", door) for door in (REPORTER, RETURNING, *MEMBERS)
    ]
