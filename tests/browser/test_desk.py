"""At the desk things go otherwise too: nothing drafted is lost, and what is shown is how things stand."""

from __future__ import annotations

from playwright.async_api import FilePayload, expect

from tests.browser.conftest import Visit
from tests.browser.test_answers import asked
from tests.browser.test_story import DESK
from tests.browser.test_views import goes, ids
from tests.browser.test_wrong_turns import minds_not
from tests.support.sector import World


async def test_a_damaged_key_file_is_said_where_it_was_chosen(visit: Visit, world: World) -> None:
    reader = await visit(**DESK)
    page = reader.page
    await reader.go("work")
    await reader.gives_keys(world.sector.keys("noorderlicht-contact"))
    damaged = FilePayload(name="key.json", mimeType="application/json", buffer=b'{"format":')

    await page.locator("#key-file").set_input_files(damaged)

    await expect(page.locator("#file-wrong")).to_contain_text("Dit is geen sleutelbestand")
    assert await page.locator("#passphrase").get_attribute("aria-invalid") is None, "it is not wrong"
    await page.get_by_role("link", name="EN", exact=True).click()
    await expect(page.locator("#file-wrong")).to_contain_text("This is no key file")
    await reader.has_no_barrier()


async def test_what_is_being_drafted_stays_while_something_else_is_done(world: World, visit: Visit) -> None:
    told = await asked(world)
    handler = await visit(**DESK)
    await handler.sign_in("duinroos-vp")
    await goes(handler, f"case/{ids(told.case.incident)}")
    await handler.press("Laat weten dat het gezien is")
    await handler.press("Delen voorstellen aan de melder")
    await handler.page.locator("#summary").fill("Een begin.")
    await handler.page.locator("#message").fill("Ik ben ermee bezig.")

    await handler.press("Versturen")
    await handler.page.locator(".message").wait_for()
    await handler.press("in behandeling")
    await expect(handler.page.locator(".lead")).to_have_text("in behandeling")

    await expect(handler.page.locator("#summary")).to_have_value("Een begin.")


async def test_a_notice_closed_while_it_is_read_is_said_to_be_closed(world: World, visit: Visit) -> None:
    told = await asked(world)
    reader = await visit(**DESK)
    await told.case.accepted()
    await reader.sign_in("noorderlicht-contact")
    await goes(reader, f"notice/{ids(told.case.notice)}")
    await reader.press("Openen")
    await reader.sees("Een samenvatting zonder namen.")
    await told.case.consents.withdraw(told.case.notice)

    await reader.press("Ontvangst bevestigen")

    await reader.sees("Dit is gesloten. Er is niets meer te lezen.")
    assert await reader.page.get_by_text("Een samenvatting zonder namen.").count() == 0
    minds_not(reader)


async def test_terms_are_read_in_the_language_that_is_asked_for(world: World, visit: Visit) -> None:
    told = await asked(world)
    await told.case.offered()
    reader = await visit(**DESK)
    await reader.sign_in("noorderlicht-contact")
    await goes(reader, f"notice/{ids(told.case.notice)}")
    await reader.sees("Wie mag lezen.")

    await reader.page.get_by_role("link", name="EN", exact=True).click()

    await reader.page.get_by_role("region", name="Terms").get_by_text("Who may read.").wait_for()
    assert await reader.page.get_by_text("Wie mag lezen.").count() == 0
