"""The main job in three browsers: told on a phone, proposed, consented to, opened and taken back."""

from __future__ import annotations

from meldbrug.client import ReporterClient
from meldbrug.crypto import from_words, keys_from
from tests.browser.conftest import Visit
from tests.support.actors import Actors, until
from tests.support.browser import Visitor
from tests.support.sector import World

DESK = {"width": 1200, "height": 900}
ACCOUNT = "Wat mij overkwam, in mijn eigen woorden."
SUMMARY = "Een samenvatting zonder namen."
MEASURES = "Een tweede verantwoordelijke op de set."


async def tells(reporter: Visitor, code: str) -> list[str]:
    """Goes through all steps of telling; returns the receipt."""
    page = reporter.page
    await reporter.go(f"start?c={code}")
    await reporter.press("Zoeken")
    await page.get_by_role("radio").first.check()
    await reporter.has_no_barrier()
    await reporter.press("Verder")
    await page.locator(".receipt li").first.wait_for()
    await reporter.has_no_barrier()
    receipt = await page.locator(".receipt li").all_inner_texts()
    await reporter.press("Ik heb ze bewaard")
    for place in (3, 8):
        await page.locator(f"#word-{place}").fill(receipt[place])
    await reporter.has_no_barrier()
    await reporter.press("Nakijken")
    await page.locator("#account").fill(ACCOUNT)
    await reporter.has_no_barrier()
    await reporter.press("Verder")
    await reporter.has_no_barrier()
    await reporter.press("Versturen")
    await reporter.sees("Het is aangekomen")
    await reporter.has_no_barrier()
    return receipt


async def comes_back(reporter: Visitor, receipt: list[str]) -> None:
    """Opens what was told with the twelve words."""
    await reporter.go("back")
    await reporter.page.locator("#twelve").fill(" ".join(receipt))
    await reporter.press("Openen")
    await reporter.sees("Gesprek")


async def report_of(world: World, receipt: list[str]) -> str:
    """What was told under a receipt, once its handler is shown it; older ones may be on top until then."""
    reporter = ReporterClient(world.connection, keys_from(from_words(" ".join(receipt))))
    incident = (await reporter.find()).name
    handler = Actors(world).member("duinroos-vp").handler

    async def newest() -> str:
        return (await anext(handler.cases())).name

    return await until(newest, lambda name: name == incident)


async def proposes(handler: Visitor, receipt: list[str]) -> None:
    """Acknowledges a report, answers, and drafts a notice."""
    page = handler.page
    await report_of(handler.world, receipt)
    await handler.go("work")
    # A file without a passphrase gets one on this device.
    await page.locator("#key-file").set_input_files(handler.world.sector.key_file("duinroos-vp"))
    await handler.sign_in_here()
    await page.locator(".rows a").first.wait_for()
    await handler.has_no_barrier()
    await page.locator(".rows a").first.click()
    await handler.press("Laat weten dat het gezien is")
    await handler.sees(ACCOUNT)
    await page.locator("#message").fill("Dank je dat je dit meldt.")
    await handler.press("Versturen")
    await page.locator(".message").wait_for()
    await handler.press("Delen voorstellen aan de melder")
    await page.locator("#recipient").select_option(label="Omroep Noorderlicht")
    await page.get_by_role("checkbox", name="Compliance officer", exact=True).check()
    await page.locator("#summary").fill(SUMMARY)
    await page.locator("#measures").fill(MEASURES)
    await page.get_by_role("checkbox", name="om mensen te beschermen").check()
    await page.locator("#necessity").fill("Zonder hen kan er op de set niets gebeuren.")
    await handler.has_no_barrier()
    await handler.press("Vraag het de melder")
    await handler.sees("wacht op de melder")


async def is_asked(world: World, reporter: Visitor, handler: Visitor) -> None:
    """Brings a reporter, who told and came back, to where they are asked for a yes."""
    receipt = await tells(reporter, world.sector.code("veerpont"))
    await proposes(handler, receipt)
    await comes_back(reporter, receipt)
    await reporter.press("Bekijken")


async def reads(reader: Visitor) -> None:
    """Accepts the terms of the newest notice and opens it."""
    page = reader.page
    await reader.sign_in("noorderlicht-contact")
    await page.get_by_role("link", name="Ontvangen").click()
    await page.locator(".rows a").first.wait_for()
    await reader.has_no_barrier()
    await page.locator(".rows a").first.click()
    await page.get_by_role("checkbox").check()
    await reader.has_no_barrier()
    await reader.press("Aanvaarden")
    await reader.button("Openen").wait_for()
    await reader.has_no_barrier()
    await reader.press("Openen")
    await reader.sees(SUMMARY)
    await reader.has_no_barrier()


async def test_the_whole_story_in_three_browsers(world: World, visit: Visit) -> None:
    reporter, handler, reader = await visit(), await visit(**DESK), await visit(**DESK)

    receipt = await tells(reporter, world.sector.code("veerpont"))
    await proposes(handler, receipt)
    await comes_back(reporter, receipt)
    await reporter.sees("Dank je dat je dit meldt.")
    await reporter.has_no_barrier()
    await reporter.press("Bekijken")
    await reporter.page.get_by_role("checkbox", name="Maatregelen").uncheck()
    await reporter.has_no_barrier()
    await reporter.press("Ja, tegen dit deel")
    await reporter.sees("Je zei ja.")
    await reads(reader)
    assert await reader.page.get_by_text(MEASURES).count() == 0, "what was left out was shown"
    await reader.press("Ontvangst bevestigen")
    await reporter.press("Bekijken")
    await reporter.press("Mijn ja intrekken")
    await reporter.sees("Je hebt je ja ingetrokken.")
    assert "Compliance officer, Omroep Noorderlicht" in await reporter.page.locator("table").inner_text()
    await reader.page.get_by_role("link", name="Ontvangen").click()
    await reader.sees("gesloten")


async def test_what_was_told_in_the_browser_is_read_by_the_python_client(world: World, visit: Visit) -> None:
    """Both seal and verify alike: the handler's device is another program."""
    receipt = await tells(await visit(), world.sector.code("veerpont"))
    handler = Actors(world).member("duinroos-vp").handler

    assert ACCOUNT in [text.text for text in await handler.read(await report_of(world, receipt))]


async def test_a_draft_survives_a_dropped_tab_under_the_receipt_only(world: World, visit: Visit) -> None:
    reporter = await visit()
    page = reporter.page
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    await page.locator("#account").fill(ACCOUNT)
    await reporter.press("Verder")
    await page.wait_for_function(
        "() => Object.keys(localStorage).some((place) => place.startsWith('draft/'))"
    )
    held = await page.evaluate("() => Object.values(localStorage).join()")

    await page.reload()
    await reporter.go("back")
    await page.locator("#twelve").fill(" ".join(receipt))
    await reporter.press("Openen")
    await page.locator("#account").wait_for()

    assert await page.locator("#account").input_value() == ACCOUNT
    assert ACCOUNT not in held
    # That nothing was sent under these words yet is a refusal, which the browser writes down by itself.
    reporter.complaints[:] = [text for text in reporter.complaints if "403" not in text]
