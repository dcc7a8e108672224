"""Makes the pictures of the app: `make pictures`.

A throw-away stack with the demo's sector and reports, walked through in both languages on a phone and at a
desk. Keys and what is random in the browser come from fixed seeds, and what is shown of time begins at a
fixed moment; codes that the services make are new each time, so a second run gives nearly the same files.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, async_playwright

from demo import texts
from demo.cast import TITLE, Cast
from demo.sector import ROLES
from demo.seed import Sector, settle
from demo.trying import begin, receipt_of, told
from docs.picturing import sheets, walks
from docs.picturing.places import FIRST_PAGE, FOLDER, NAMES
from docs.picturing.sheets import LANGUAGES, SCHEMES, SIZES, Variant
from docs.picturing.walks import Told
from meldbrug.client import Connection, PublicClient, save_keys
from meldbrug.common.v1.common_pb2 import LANGUAGE_EN, LANGUAGE_NL
from meldbrug.crypto import SecretKeys
from services.bootstrap.secrets import key_pair
from services.stack import edge
from services.stack.stack import Stack
from tests.support.browser import CALM, Visitor, chromium_path
from tests.support.sector import SWITCHES, Recording, World
from tests.support.sector import Told as Story
from tests.support.stack import TOOLS, throw_away_folder

SHOWN_FROM = datetime(2026, 11, 26, 8, 12, tzinfo=UTC)
"""What is shown of the moment at which the pictures are begun; everything keeps its distance to that."""
NUMBERS = {"nl": LANGUAGE_NL, "en": LANGUAGE_EN}
LOCALES = {"nl": "nl-NL", "en": "en-GB"}
ZONE = "Europe/Amsterdam"
WRITTEN = {"nl": texts.NL, "en": texts.EN}
# The same receipt, ids and keys each time; each walk has other ones than the walks before.
SEEDED = """(seed => {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  Crypto.prototype.getRandomValues = function (into) {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    bytes.forEach((_, at) => (bytes[at] = next()));
    return into;
  };
})"""
# Only what is shown: all clocks are right, for whatever is signed. A day that ends, ends at midnight still.
MOVED = """(off => {
  const days = Math.round(off / 86_400_000);
  const moved = (when) => {
    if (when.getHours() + when.getMinutes() + when.getSeconds() > 0) return new Date(+when + off);
    return new Date(when.getFullYear(), when.getMonth(), when.getDate() + days);
  };
  for (const name of ["toLocaleString", "toLocaleDateString"]) {
    const told = Date.prototype[name];
    Date.prototype[name] = function (...given) {
      return told.apply(moved(this), given);
    };
  }
})"""


async def main() -> int:
    """Makes every picture anew. Returns the exit code."""
    with (
        throw_away_folder() as folder,
        Stack(folder, env=SWITCHES, edge_host=edge.HERE, tools_folder=TOOLS) as stack,
    ):
        async with settled(stack) as world, async_playwright() as playwright:
            begun = datetime.now(UTC)
            reports = {language: await tell(world, language) for language in LANGUAGES}
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CALM)
            camera = Camera(world, browser, begun)
            for language in LANGUAGES:
                for size in SIZES:
                    await camera.walk(language, size, reports[language])
            await browser.close()
    camera.develop()
    return 0


@asynccontextmanager
async def settled(stack: Stack) -> AsyncIterator[World]:
    """Yields the sector, with keys that are the same each time."""
    folder = stack.backends.folder.path
    sector = Sector(folder)
    for role in ROLES:
        save_keys(sector.key_file(role.key), seeded_keys(role.key), None)
    async with Connection(stack.endpoints.services, stack.endpoints.installation) as connection:
        root = key_pair(Path(stack.endpoints.secretariat_key_path))
        sector = await settle(connection, root, folder, print)
        yield World(stack, sector, connection, Story(), Recording())


def seeded_keys(name: str) -> SecretKeys:
    """Returns a role's keys."""
    return SecretKeys(*(hashlib.sha256(f"{name} {use}".encode()).digest() for use in ("signing", "sealing")))


async def tell(world: World, language: str) -> Told:
    """Tells three reports in a language, and leaves each where something is to be seen."""
    print(f"Telling in {language}")
    ends, written, number = world.endpoints, WRITTEN[language], NUMBERS[language]
    offered, accepted = [
        await begin(ends.services, ends.installation, world.sector, written, number) for _ in range(2)
    ]
    entropy = hashlib.sha256(language.encode()).digest()[:16]
    async with Cast(ends.services, ends.installation, world.sector, written, entropy) as cast:
        await cast.broadcaster.reader.accept(
            accepted.offered, await PublicClient(await cast.connection()).terms(number)
        )
        await told(cast, number)
    return Told(world.sector.code(TITLE), written, receipt_of(entropy, number), offered, accepted)


class Camera:
    """Takes pictures while people walk through the app.

    Args:
        world: Where they walk.
        browser: What they look with.
        begun: When the reports were told.
    """

    def __init__(self, world: World, browser: Browser, begun: datetime) -> None:
        self._world, self._browser = world, browser
        self._off_ms = round((SHOWN_FROM - begun).total_seconds() * 1000)
        self._shots: dict[str, dict[Variant, bytes]] = {name: {} for name in NAMES}

    async def walk(self, language: str, size: str, reports: Told) -> None:
        """Walks through all of it in one language on one size of screen."""
        print(f"Walking in {language} on a {size}")
        take = partial(self._take, size=size)
        ways = (walks.handling, walks.reading, walks.administering, walks.returning, walks.presiding)
        for number, way in enumerate(ways):
            async with self._visitor(language, size, number) as visitor:
                await way(visitor, take, reports)
        async with self._visitor(language, size, 9) as visitor:
            await walks.public(visitor, take)
            await walks.telling(visitor, take, reports)

    @asynccontextmanager
    async def _visitor(self, language: str, size: str, number: int) -> AsyncIterator[Visitor]:
        width, height = SIZES[size]
        context = await self._browser.new_context(
            viewport=ViewportSize(width=width, height=height),
            ignore_https_errors=True,
            locale=LOCALES[language],
            timezone_id=ZONE,
        )
        seed = int.from_bytes(hashlib.sha256(f"{language} {size} {number}".encode()).digest()[:4])
        await context.add_init_script(f"{SEEDED}({seed}); {MOVED}({self._off_ms})")
        visitor = Visitor(self._world, await context.new_page(), language)
        yield visitor
        await context.close()
        if visitor.complaints:
            raise SystemExit("\n".join(visitor.complaints))

    async def _take(self, visitor: Visitor, name: str, *, size: str) -> None:
        page = visitor.page
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its own words
            shot = await page.screenshot(animations="disabled")
            self._shots[name][Variant(visitor.language, size, scheme)] = shot

    def develop(self) -> None:
        """Writes what was taken, in place of what was there."""
        for old in FOLDER.glob("*.png"):
            old.unlink()
        for name, shots in self._shots.items():
            sheets.write(sheets.sheet(shots), FOLDER / f"{name}.png")
        for shown in FIRST_PAGE:
            shot = self._shots[shown.place][Variant("en", shown.size, "light")]
            sheets.write(sheets.read(shot), FOLDER / f"{shown.name}.png")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
