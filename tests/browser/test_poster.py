"""A poster: what a phone reads off it is the start link, and a link of elsewhere sends nothing (T7)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import zxingcpp
from playwright.async_api import Page, Request

from meldbrug.crypto import SecretKeys
from services.stack.edge import start_link
from tests.browser.conftest import Visit
from tests.support.browser import Visitor
from tests.support.sector import World

ADMIN = "duinroos-admin"
TITLE = "De Laatste Veerpont"
DESK = {"width": 1200, "height": 900}
ELSEWHERE = SecretKeys.generate().kid
PRODUCTIONS = {"nl": "Producties", "en": "Productions"}
REFUSED = {"nl": "Deze link hoort bij een andere Meldbrug", "en": "This link belongs to another Meldbrug"}
# The grey of each pixel of a picture; the browser knows how a picture is written.
GREYS = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const paper = canvas.getContext("2d");
  paper.drawImage(picture, 0, 0);
  const { data } = paper.getImageData(0, 0, picture.width, picture.height);
  let greys = "";
  for (let at = 0; at < data.length; at += 4)
    greys += String.fromCharCode((data[at] + 2 * data[at + 1] + data[at + 2]) >> 2);
  return [picture.width, picture.height, btoa(greys)];
}"""


async def read_off(page: Page) -> list[str]:
    """What a reader that is not ours finds in what the page looks like now."""
    png = base64.b64encode(await page.screenshot(full_page=True)).decode()
    width, height, greys = await page.evaluate(GREYS, png)
    picture = memoryview(base64.b64decode(greys)).cast("B", shape=[height, width])
    # Dark must be dark and light be light: on paper nothing is made up for. Only what a poster bears is
    # looked for: now and then the edge of a QR code, taken by itself, is a number in some old bar code.
    strict = {
        "formats": zxingcpp.BarcodeFormat.QRCode,
        "try_invert": False,
        "binarizer": zxingcpp.Binarizer.FixedThreshold,
    }
    return [found.text for found in zxingcpp.read_barcodes(picture, **strict)]


def link(world: World, language: str) -> str:
    """The link that `make run` prints, in a language."""
    endpoints = world.endpoints
    printed = start_link(endpoints.edge, endpoints.installation, world.sector.code("veerpont"))
    return printed.replace("#/nl/", f"#/{language}/")


async def at_the_poster(admin: Visitor) -> None:
    """Signs in, and comes to the poster as an admin does."""
    page = admin.page
    await admin.sign_in(ADMIN)
    await page.get_by_role("link", name=PRODUCTIONS[admin.language], exact=True).click()
    row = page.locator("li", has_text=TITLE).first
    await row.locator("a[href*='poster']").click()
    await page.locator(".poster .qr").wait_for()


@pytest.mark.parametrize("locale", ["nl-NL", "en-GB"])
async def test_what_a_phone_reads_off_the_poster_is_the_link_that_is_printed(
    world: World, visit: Visit, locale: str
) -> None:
    """On the screen, in the dark, with colours forced, and on paper."""
    admin = await visit(**DESK, locale=locale)
    await at_the_poster(admin)
    for medium in (
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"color_scheme": "dark", "forced_colors": "active"},
        {"color_scheme": "dark", "forced_colors": "none", "media": "print"},
    ):
        await admin.page.emulate_media(**medium)
        assert await read_off(admin.page) == [link(world, locale[:2])], medium
    await admin.page.emulate_media(media="screen")
    await admin.has_no_barrier()


async def test_the_poster_is_one_sheet_with_nothing_else_on_it(visit: Visit, tmp_path: Path) -> None:
    admin = await visit(**DESK)
    await at_the_poster(admin)
    sheets = await admin.page.pdf(prefer_css_page_size=True, path=tmp_path / "poster.pdf")
    assert sheets.count(b"/Type /Page\n") == 1
    await admin.page.emulate_media(media="print")

    for hidden in ("nav", "button", "h1", "footer"):
        assert await admin.page.locator(f"{hidden}:visible").count() == 0, hidden


async def test_no_poster_is_made_of_what_the_organisation_takes_no_part_in(visit: Visit) -> None:
    admin = await visit(**DESK)
    await admin.sign_in(ADMIN)
    await admin.page.evaluate("(to) => { location.hash = to; }", f"#/nl/work/poster/{'a' * 26}")

    await admin.sees("Dat mag niet, of het bestaat niet.")
    assert await admin.page.locator(".poster").count() == 0
    admin.complaints[:] = [text for text in admin.complaints if "403" not in text]


async def test_the_link_of_the_poster_leads_to_telling(world: World, visit: Visit) -> None:
    reporter = await visit()
    await reporter.page.goto(link(world, "nl"))
    await reporter.press("Zoeken")

    await reporter.sees(TITLE)


@pytest.mark.parametrize("locale", ["nl-NL", "en-GB"])
async def test_a_link_of_another_installation_is_refused_and_sends_nothing(
    world: World, visit: Visit, locale: str
) -> None:
    reporter = await visit(width=320, height=640, locale=locale)
    language = locale[:2]
    sent: list[str] = []

    def asked(request: Request) -> None:
        if request.method == "POST" or world.sector.code("veerpont") in request.url.split("#")[0]:
            sent.append(request.url)

    reporter.page.on("request", asked)
    await reporter.page.goto(link(world, language).replace(world.endpoints.installation, ELSEWHERE))
    await reporter.sees(REFUSED[language])

    assert await reporter.page.locator("input, form").count() == 0
    await reporter.has_no_barrier()
    for other in ("EN", "NL"):
        await reporter.page.get_by_role("link", name=other, exact=True).click()
        await reporter.sees(REFUSED[other.lower()])
        assert await reporter.page.locator("input, form").count() == 0
    assert sent == []
    assert await reporter.width() <= 320


@pytest.mark.parametrize("how", ["twice", "first asked while the configuration is away"])
async def test_no_other_way_with_that_link_sends_anything(world: World, visit: Visit, how: str) -> None:
    """A link that names two installations; and one that could not be held against anything at first."""
    reporter = await visit()
    page = reporter.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    address = link(world, "nl")
    if how == "twice":
        await page.goto(f"{address}&i={ELSEWHERE}")
    else:
        await page.context.route("**/config.json", lambda route: route.abort())
        await page.goto(address.replace(world.endpoints.installation, ELSEWHERE))
        await reporter.sees("Er kwam geen antwoord.")
        await page.context.unroute("**/config.json")
        await reporter.press("Zoeken")
        reporter.complaints.clear()

    await reporter.sees(REFUSED["nl"])
    assert asked == []
