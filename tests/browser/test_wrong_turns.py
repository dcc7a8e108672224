"""What a reporter does otherwise than meant: nothing written is lost, and what went wrong is said."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_story import ACCOUNT
from tests.support.actors import Actors
from tests.support.browser import Visitor
from tests.support.sector import World

NOTHING_KEPT = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""
NO_CLIPBOARD = """() => {
  navigator.clipboard.writeText = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
}"""
LONGEST = 16_000
# What the browser writes down by itself about what the test did.
UNREACHED = ("net::ERR", "status of 40")


def minds_not(visitor: Visitor) -> None:
    """Forgets what the browser wrote down about refusals and about a network that was away."""
    for complaint in UNREACHED:
        visitor.does_not_mind(complaint)


async def comes_back(visitor: Visitor, words: str) -> None:
    """Types twelve words, in whatever form, and opens what is under them."""
    await visitor.go("back")
    await visitor.page.locator("#twelve").fill(words)
    await visitor.press("Openen")


async def test_a_code_that_nobody_gave_out_is_said_to_be_unknown_with_a_way_on(visit: Visit) -> None:
    reporter = await visit(width=360, height=740)
    await reporter.go("start")
    for code in ("abc", "a" * 26):
        await reporter.page.locator("#code").fill(code)
        await reporter.press("Zoeken")

        await reporter.sees("Deze code kennen we niet.")
        await expect(reporter.page.locator("#code")).to_have_attribute("aria-invalid", "true")
    await reporter.has_no_barrier()
    await reporter.press("Naar het onafhankelijke meldpunt")
    await reporter.sees("Wie mag het lezen?")
    minds_not(reporter)


async def test_the_words_are_taken_as_people_copy_and_type_them(world: World, visit: Visit) -> None:
    """With the numbers of a list, capitals, and the full stops that phones put for two spaces."""
    reporter = await visit()
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    await reporter.page.locator("#account").fill(ACCOUNT)
    await reporter.keeps_a_draft()
    forms = ["\n".join(f"{at + 1}. {word}" for at, word in enumerate(receipt)), ". ".join(receipt).upper()]
    for form in forms:
        await reporter.page.reload()

        await comes_back(reporter, form)

        await expect(reporter.page.locator("#account")).to_have_value(ACCOUNT)
    minds_not(reporter)


async def test_words_in_another_order_are_said_to_be_so(world: World, visit: Visit) -> None:
    reporter = await visit()
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    for at in range(1, 12):
        await comes_back(reporter, " ".join(receipt[at:] + receipt[:at]))
        await reporter.page.locator("#twelve-wrong").get_by_text("volgorde").wait_for()
        await expect(reporter.page.locator("#twelve")).to_be_focused()
    minds_not(reporter)


async def test_without_an_answer_the_words_need_not_be_typed_again(world: World, visit: Visit) -> None:
    reporter = await visit()
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    await reporter.page.locator("#account").fill(ACCOUNT)
    await reporter.keeps_a_draft()
    await reporter.page.reload()
    await reporter.go("back")
    await reporter.page.context.set_offline(True)
    await reporter.page.locator("#twelve").fill(" ".join(receipt))
    await reporter.press("Openen")
    await reporter.sees("Er kwam geen antwoord.")
    await reporter.page.context.set_offline(False)

    await reporter.press("Openen")

    await expect(reporter.page.locator("#account")).to_have_value(ACCOUNT)
    minds_not(reporter)


async def test_the_words_are_right_in_the_language_they_were_written_down_in(
    world: World, visit: Visit
) -> None:
    reporter = await visit()
    page = reporter.page
    receipt = await reporter.comes_to_the_words(world.sector.code("veerpont"))
    await reporter.press("Ik heb ze bewaard")
    await page.get_by_role("link", name="EN", exact=True).click()
    await page.locator("#word-3").fill(receipt[3])
    await page.locator("#word-8").fill(receipt[8])

    await reporter.press("Check")

    await reporter.sees("What happened?")


async def test_that_copying_failed_is_said(world: World, visit: Visit) -> None:
    reporter = await visit()
    await reporter.comes_to_write(world.sector.code("veerpont"))
    await reporter.press("Terug")
    await reporter.page.evaluate(NO_CLIPBOARD)

    await reporter.press("Kopiëren")

    await reporter.sees("Kopiëren lukte niet. Schrijf de woorden op.")


async def test_the_longest_text_survives_a_dropped_tab_and_what_is_cut_off_is_said(
    world: World, visit: Visit
) -> None:
    """Of characters that take most room where it is kept."""
    reporter = await visit()
    page, text = reporter.page, "\a" * LONGEST
    receipt = await reporter.comes_to_write(world.sector.code("veerpont"))
    for field in ("#context", "#account"):
        await page.locator(field).focus()
        await page.keyboard.insert_text(text + "en de rest")
    assert await page.get_by_text("Dit veld is vol.").count() == 2
    await reporter.has_no_barrier()
    await reporter.keeps_a_draft(2 * LONGEST)
    await page.reload()

    await comes_back(reporter, " ".join(receipt))

    await expect(page.locator("#account")).to_have_value(text)
    minds_not(reporter)


async def test_words_that_were_shown_open_what_was_chosen_though_the_phone_dropped_the_tab(
    world: World, visit: Visit
) -> None:
    """Whoever goes elsewhere to write them down comes back to another page."""
    reporter = await visit()
    page = reporter.page
    receipt = await reporter.comes_to_the_words(world.sector.code("veerpont"))
    await reporter.keeps_a_draft()
    await page.reload()

    await comes_back(reporter, " ".join(receipt))

    await reporter.sees("Wat gebeurde er?")
    minds_not(reporter)


async def test_a_draft_outlives_the_code_it_was_begun_with(world: World, visit: Visit) -> None:
    actors = await Actors.on_their_own(world)
    reporter = await visit()
    page = reporter.page
    receipt = await reporter.comes_to_write(actors.on.code)
    await page.locator("#account").fill(ACCOUNT)
    await reporter.keeps_a_draft()
    production = (await actors.circle()).production
    await actors.admin("duinroos").admin.rotate_code(production)
    await page.reload()

    await comes_back(reporter, " ".join(receipt))
    await reporter.sees("Waar gebeurde het?")
    await reporter.press("Naar het onafhankelijke meldpunt")
    await reporter.sees("Wie mag het lezen?")
    assert await reporter.chooses() == receipt
    await reporter.has_kept(receipt)

    await expect(page.locator("#account")).to_have_value(ACCOUNT)
    minds_not(reporter)


async def test_two_that_are_written_at_once_are_never_in_each_others_place(
    world: World, visit: Visit
) -> None:
    code = world.sector.code("veerpont")
    one = await visit()
    first = await one.comes_to_write(code)
    await one.page.locator("#account").fill("Het eerste.")
    await one.keeps_a_draft()
    await one.page.goto("about:blank")
    other = Visitor(world, await one.page.context.new_page(), "nl")
    second = await other.comes_to_write(code)
    await other.page.locator("#account").fill("Het tweede.")
    await other.press("Verder")
    await other.press("Versturen")
    await other.sees("Het is aangekomen")

    await comes_back(one, " ".join(first))

    assert first != second
    await expect(one.page.locator("#account")).to_have_value("Het eerste.")
    assert other.complaints == []
    minds_not(one)


async def test_a_page_that_cannot_be_fetched_is_said_and_asked_for_again(visit: Visit) -> None:
    reporter = await visit()
    await reporter.go()
    await reporter.page.context.set_offline(True)
    await reporter.page.get_by_role("link", name="Tien regels").click()
    await reporter.sees("Er kwam geen antwoord.")
    await reporter.has_no_barrier()
    await reporter.page.context.set_offline(False)

    await reporter.press("Probeer opnieuw")

    await reporter.page.get_by_role("heading", name="Tien regels").wait_for()
    minds_not(reporter)


async def test_where_a_device_keeps_nothing_that_is_said_and_leaving_goes_on(
    world: World, visit: Visit, elsewhere: str
) -> None:
    reporter = await visit()
    await reporter.page.add_init_script(NOTHING_KEPT)
    await reporter.comes_to_write(world.sector.code("veerpont"))
    await reporter.sees("Dit toestel bewaart niets.")
    await reporter.has_no_barrier()

    await reporter.page.locator("button.leave").click()

    await reporter.page.wait_for_url(elsewhere)


@pytest.mark.parametrize(
    ("locale", "said"), [("nl-NL", "Dit toestel bewaart niets"), ("en-GB", "This device keeps nothing")]
)
async def test_where_a_browser_keeps_nothing_a_member_is_told_before_a_key_is_lost(
    visit: Visit, locale: str, said: str
) -> None:
    """No key is chosen, and none made for an invitation, that would be gone with the page."""
    member = await visit(locale=locale)
    await member.page.add_init_script(NOTHING_KEPT)
    await member.go("work")

    await member.sees(said)
    assert await member.page.locator("main input, main button").count() == 0
    await member.has_no_barrier()
