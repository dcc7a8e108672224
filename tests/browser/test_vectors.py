"""The shared vectors of sealing, the negative ones too, played by the cryptography of the browser itself."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from clients.environment import HERE, node
from tests.browser.conftest import Visit
from tests.vectors.notation import FOLDER

ESBUILD = HERE / "node_modules" / "esbuild" / "bin" / "esbuild"
REPLAY = HERE / "typescript" / "test" / "replay.ts"
NOT_LISTS = {"actors", "xwing", "effects"}
FILES = sorted(path for path in FOLDER.glob("*.json") if path.stem not in NOT_LISTS)


@pytest.fixture(scope="module")
def player() -> str:
    """What plays a file of vectors, as one script."""
    made = subprocess.run(
        [node(), str(ESBUILD), str(REPLAY), "--bundle", "--format=iife", "--global-name=player"],
        capture_output=True,
        text=True,
        check=True,
    )
    return f"{made.stdout}\nglobalThis.player = player;"


async def test_every_vector_does_in_the_browser_what_it_says(visit: Visit, player: str) -> None:
    visitor = await visit()
    await visitor.go("rules")
    await visitor.page.evaluate(player)
    actors = await asyncio.to_thread((FOLDER / "actors.json").read_text, "utf-8")
    play = "async ([actors, file]) => player.replay(player.parsed(actors), player.parsed(file).vectors)"

    for path in FILES:
        held = await asyncio.to_thread(path.read_text, "utf-8")
        assert await visitor.page.evaluate(play, [actors, held]) == [], path.name
    assert len(FILES) >= 9


async def test_a_vector_that_says_otherwise_is_noticed(visit: Visit, player: str) -> None:
    """Teeth: a result with one digit changed."""
    visitor = await visit()
    await visitor.go("rules")
    await visitor.page.evaluate(player)
    actors = await asyncio.to_thread((FOLDER / "actors.json").read_text, "utf-8")
    held = await asyncio.to_thread((FOLDER / "receipts.json").read_text, "utf-8")
    spoiled = held.replace("f73e3b20", "f73e3b21", 1)
    play = "async ([actors, file]) => player.replay(player.parsed(actors), player.parsed(file).vectors)"

    assert len(await visitor.page.evaluate(play, [actors, spoiled])) == 1
