"""Somebody in front of the app: what they do, in the words that they see."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from playwright.async_api import BrowserContext, ConsoleMessage, Error, FilePayload, Locator, Page, Route

from clients.environment import HERE
from meldbrug.client import keyfile
from meldbrug.crypto import SecretKeys
from services.stack import edge
from tests.support.sector import World

# Debian's Chromium without calls home; it runs as whoever runs the tests, root included.
CALM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# The first has no window to draw, which is half of what a browser does.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 20_000
LIGHT = keyfile.Cost(keyfile.MEMORY_KIB.start, keyfile.ITERATIONS.start, keyfile.LANES.start)
PASSPHRASE = "een lange wachtzin voor een test"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a reader may have set: the other colours, colours of their own, more contrast.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color_scheme": "light", "forced_colors": "none", "contrast": "no-preference"},
    {"color_scheme": "dark", "forced_colors": "none", "contrast": "no-preference"},
    {"color_scheme": "light", "forced_colors": "active", "contrast": "no-preference"},
    {"color_scheme": "dark", "forced_colors": "active", "contrast": "no-preference"},
    {"color_scheme": "light", "forced_colors": "none", "contrast": "more"},
    {"color_scheme": "dark", "forced_colors": "none", "contrast": "more"},
)
# Nobody asks what is well, nor by what selector to find it: on a long list that was most of the time.
LOOKING = """(only) => axe.run({
  runOnly: only, resultTypes: ["violations"], selectors: false, preload: false
})"""
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
CHOSEN = "() => matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
LOOK = """() => ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-contrast: more)"]
  .filter((look) => matchMedia(look).matches)"""
KEPT = """(least) => Object.entries(localStorage)
  .some(([place, held]) => place.startsWith("draft/") && held.length > least)"""
# The kinds of places on a page: what the app's rules of style go by, from the place up to the page.
KINDS = """() => [...new Set([...document.querySelectorAll("body *")].map((place) => {
  const steps = [innerWidth];
  for (let at = place; at; at = at.parentElement) {
    steps.push(at.localName);
    for (const name of ["class", "type", "aria-current", "aria-invalid", "disabled", "open", "hidden"])
      steps.push(at.getAttribute(name));
  }
  return steps.join(" ");
}))]"""
SEEN: set[str] = set()
BUSY = "status of 503"
LOUD = {"error", "warning"}


class Visitor:
    """One person with a browser of their own."""

    def __init__(self, world: World, page: Page, language: str) -> None:
        self.world, self.page, self.language = world, page, language
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._heard)
        page.on("pageerror", self._failed)

    def _heard(self, message: ConsoleMessage) -> None:
        # A service that is too busy is asked again; the browser writes down each time by itself.
        if message.type in LOUD and BUSY not in message.text:
            self.complaints.append(message.text)

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))

    @property
    def root(self) -> str:
        """Where the app is."""
        return self.world.endpoints.edge

    async def go(self, path: str = "") -> None:
        """Goes to a page of the app by its address."""
        await self.page.goto(f"{self.root}/#/{self.language}/{path}")
        await self.page.locator("main h1").wait_for()

    def button(self, name: str) -> Locator:
        """A button by exactly what it says."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def press(self, name: str) -> None:
        """Presses a button."""
        await self.button(name).click()

    async def sees(self, text: str) -> None:
        """Waits until somebody can read it."""
        await self.page.get_by_text(text).filter(visible=True).first.wait_for()

    async def comes_to_the_words(self, code: str) -> list[str]:
        """Goes through the steps of telling up to the receipt, in Dutch; returns it."""
        await self.go(f"start?c={code}")
        await self.press("Zoeken")
        return await self.chooses()

    async def chooses(self) -> list[str]:
        """Chooses the first who can handle it; returns the receipt that is shown then."""
        await self.page.get_by_role("radio").first.check()
        await self.press("Verder")
        await self.page.locator(".receipt li").first.wait_for()
        return await self.page.locator(".receipt li").all_inner_texts()

    async def has_kept(self, receipt: list[str]) -> None:
        """Tells that the words were written down, and shows it."""
        await self.press("Ik heb ze bewaard")
        for place in (3, 8):
            await self.page.locator(f"#word-{place}").fill(receipt[place])
        await self.press("Nakijken")

    async def comes_to_write(self, code: str) -> list[str]:
        """Goes through the steps of telling up to the text, in Dutch; returns the receipt."""
        receipt = await self.comes_to_the_words(code)
        await self.has_kept(receipt)
        return receipt

    async def width(self) -> int:
        """How wide the page is, with whatever lies beyond the edge of the screen."""
        found: int = await self.page.evaluate("() => document.documentElement.scrollWidth")
        return found

    async def keeps_a_draft(self, least: int = 0) -> None:
        """Waits until a draft that takes more than so many characters is on the device."""
        await self.page.wait_for_function(KEPT, arg=least)

    async def has_no_barrier(self) -> None:
        """Fails for whatever axe finds on the page as it is now (WCAG 2.2 AA, and what is good practice).

        What depends on colours is looked at in every look that a reader may have set; paper has one. Where
        all places are of kinds that were looked at so before, one is enough: their colours are the same.
        """
        await self.page.evaluate(_axe())
        await self._has_none(RULES)
        kinds = set(await self.page.evaluate(KINDS))
        if kinds <= SEEN or await self.page.evaluate("() => matchMedia('print').matches"):
            return
        chosen = {**LOOKS[0], "color_scheme": await self.page.evaluate(CHOSEN)}
        for look in LOOKS:
            if look != chosen:
                await self.page.emulate_media(**look)
                await self._has_none(COLOURS)
        await self.page.emulate_media(**chosen)
        SEEN.update(kinds)

    async def _has_none(self, rules: object) -> None:
        found = await self.page.evaluate(LOOKING, rules)
        barriers = [(one["id"], [node["html"][:150] for node in one["nodes"]]) for one in found["violations"]]
        look = await self.page.evaluate(LOOK)
        assert barriers == [], (look, barriers)

    async def sign_in(self, role: str) -> None:
        """Signs in with a role's keys."""
        await self.go("work")
        await self.sign_in_here(self.world.sector.keys(role))

    async def sign_in_here(self, keys: SecretKeys | None = None) -> None:
        """Signs in at the place where they are: with keys from elsewhere, or with those of this device."""
        if keys:
            await self.gives_keys(keys)
        await self.page.locator("#passphrase").fill(PASSPHRASE)
        await self.page.locator("form button").click()
        await self.page.locator(".seat").wait_for()

    async def gives_keys(self, keys: SecretKeys) -> None:
        """Chooses a key file, and gives its passphrase."""
        file = FilePayload(name="key.json", mimeType="application/json", buffer=light_file(keys))
        await self.page.locator("#key-file").set_input_files(file)
        await self.page.locator("#passphrase").fill(PASSPHRASE)

    async def downloads_keys(self, folder: Path) -> Path:
        """Downloads the key file of this device, as private as the command line wants it."""
        async with self.page.expect_download() as downloading:
            await self.press("Sleutelbestand downloaden")
        path = folder / "key.json"
        await (await downloading.value).save_as(path)
        path.chmod(0o600)
        return path

    def does_not_mind(self, complaint: str) -> None:
        """Forgets what the browser wrote down by itself about something that the test did."""
        self.complaints[:] = [text for text in self.complaints if complaint not in text]


def light_file(keys: SecretKeys) -> bytes:
    """Returns a key file whose passphrase costs as little as one may: tests sign in many times."""
    with patch.object(keyfile, "COST", LIGHT):
        return keyfile.sealed_file(keys, PASSPHRASE)


async def makes_light_files(context: BrowserContext) -> None:
    """The same for files that the app makes; at full cost each takes two seconds, and is made elsewhere."""
    dear, script = _cost(keyfile.COST), _script_of_the_cost()
    light = script.read_text("utf-8").replace(dear, _cost(LIGHT))

    async def serve(route: Route) -> None:
        await route.fulfill(response=await route.fetch(), body=light)

    await context.route(f"**/{script.name}", serve)


@cache
def _script_of_the_cost() -> Path:
    dear = _cost(keyfile.COST)
    found = [path for path in (edge.APP / "assets").glob("*.js") if dear in path.read_text("utf-8")]
    assert len(found) == 1, f"{len(found)} scripts of the app say what a key file costs"
    return found[0]


def _cost(cost: keyfile.Cost) -> str:
    return f"memoryKib:{cost.memory_kib},iterations:{cost.iterations},lanes:{cost.lanes}"


def chromium_path() -> str:
    """Where Chromium is."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"Chromium is needed: install one of {', '.join(NAMES)}"
    return found


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")
